"""`antiphon doctor`: faults are found, nothing is changed, and lines fit the terminal."""

from __future__ import annotations

import io
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from control_api.store.migrate import upgrade
from sipserver.commands.doctor import Finding, examine, report
from sipserver.settings import Settings, load


def settings(data_dir: Path, **more: dict[str, Any]) -> Settings:
    """Settings that this machine can run: free ports, no reserve of disk, no wish for real time."""
    flags: dict[str, dict[str, Any]] = {
        "server": {"data_dir": data_dir, "max_calls": 20},
        "sip": {"bind": f"127.0.0.1:{free_port()}"},
        "api": {"bind": f"127.0.0.1:{free_port()}"},
        "recording": {"min_free_mb": 0},
        "media": {"realtime": False},
    }
    for section, values in more.items():
        flags.setdefault(section, {}).update(values)
    return load(None, flags)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def found(given: Settings) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(given)}


def test_a_sound_machine_has_no_fault_and_nothing_is_made(tmp_path: Path) -> None:
    paper = Console(file=io.StringIO(), width=80)
    assert report(settings(tmp_path / "data"), paper)
    lines = paper.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(len(line) for line in lines) <= 80
    assert not [line for line in lines if line.startswith("fault")]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("more", "what", "says"),
    [
        ({"media": {"rtp_ports": "20000-20019"}}, "RTP ports", "20000-20019 hold 10 calls, server.max_calls is 20"),
        ({"recording": {"min_free_mb": 10**9}}, "disk", "new calls are refused"),
        ({"llm": {"base_url": "http://127.0.0.1:9/v1"}}, "language model", "127.0.0.1:9"),
    ],
)
def test_a_fault_is_found_and_said(more: dict[str, Any], what: str, says: str, tmp_path: Path) -> None:
    given = settings(tmp_path, **more)
    assert found(given)[what].verdict == "fault"
    assert says in found(given)[what].says
    assert not report(given, Console(file=io.StringIO()))


def test_a_data_folder_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    file.chmod(0o400)
    assert found(settings(file))["data folder"].verdict == "fault"


def test_a_port_in_use_is_noted(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        place = "{}:{}".format(*taken.getsockname())
        finding = found(settings(tmp_path, sip={"bind": place, "transports": ("udp",)}))["SIP udp"]
    assert finding.verdict == "note"
    assert finding.says.startswith(f"{place} cannot be bound now: Address already in use")


def test_engines_that_are_switched_off_are_noted(tmp_path: Path) -> None:
    findings = found(settings(tmp_path, stt={"workers": 0}, tts={"workers": 0}))
    assert {findings["recogniser"].verdict, findings["voice"].verdict} == {"note"}


def test_trunks_whose_media_keys_can_be_read_on_the_way_are_noted(tmp_path: Path) -> None:
    given = settings(tmp_path)
    upgrade(tmp_path / "antiphon.db")
    assert "media keys" not in found(given)
    with closing(sqlite3.connect(tmp_path / "antiphon.db")) as database:
        database.execute("INSERT INTO organizations (id, name, created_at) VALUES ('o', 'O', 0)")
        for name, transport, srtp in (("a", "udp", "required"), ("b", "tcp", "preferred"), ("c", "tls", "required")):
            database.execute(
                "INSERT INTO trunks (id, organization_id, identity, mode, host, port, transport, sources, name, options,"
                " created_at, updated_at) VALUES (?, 'o', ?, 'ip_allowlist', 'h', 5060, ?, '[]', NULL, ?, 0, 0)",
                (name, name, transport, f'{{"srtp": "{srtp}"}}'),
            )
        database.commit()
        beside_a_server = found(given)["media keys"]
    before = {file.name for file in tmp_path.iterdir()}
    finding = found(given)["media keys"]
    assert finding == beside_a_server
    assert (finding.verdict, finding.says.partition(":")[0]) == ("note", "a, b")
    assert {file.name for file in tmp_path.iterdir()} == before
