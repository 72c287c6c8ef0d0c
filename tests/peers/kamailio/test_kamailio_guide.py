"""The configuration that the guide for Kamailio gives, read by Kamailio."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

KAMAILIO = shutil.which("kamailio")
pytestmark = [pytest.mark.peer, pytest.mark.skipif(KAMAILIO is None, reason="kamailio is not installed")]

GUIDE = Path(__file__).resolve().parents[3] / "docs/trunks/kamailio.md"
_CONFIGURATION = re.compile(r"^```kamailio\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _configuration() -> str:
    found = _CONFIGURATION.findall(GUIDE.read_text("utf-8"))
    assert len(found) == 1
    return str(found[0])


def _check(folder: Path, configuration: str) -> subprocess.CompletedProcess[str]:
    """As the guide says, with addresses and files that are here."""
    assert KAMAILIO is not None
    (folder / "dispatcher.list").write_text("1 sip:127.0.0.2:5060\n1 sip:127.0.0.3:5060\n")
    here = configuration.replace("192.0.2.5", "127.0.0.1").replace("/etc/kamailio", str(folder))
    (folder / "kamailio.cfg").write_text(here)
    command = [KAMAILIO, "-c", "-f", str(folder / "kamailio.cfg")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_a_configuration(tmp_path: Path) -> None:
    checked = _check(tmp_path, _configuration())
    assert checked.returncode == 0, checked.stderr


def test_a_mistake_in_it_would_be_found(tmp_path: Path) -> None:
    assert _check(tmp_path, _configuration().replace("ds_next_dst", "ds_no_such_thing")).returncode != 0
