"""`antiphon demo`, whole: a server, two calls over real SIP and RTP, every promise kept, and a clean end."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
import wave
from pathlib import Path

import pytest

from sipserver.demo.folder import demo_folder
from tests.sipserver.demo.png import size

SECONDS = 170.0
"""The demo takes a minute; on a machine that is busy with other things, more."""
BUSY_SECONDS = 30.0


def demo(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sipserver", "demo", "--folder", str(folder), *arguments]
    environment = {**os.environ, "COLUMNS": "80", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def read_until(process: subprocess.Popen[bytes], words: bytes) -> bytes:
    """What the process printed up to these words, or to its end."""
    assert process.stdout is not None
    text, deadline = b"", time.monotonic() + SECONDS
    while words not in text:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"no {words!r} within {SECONDS:g} s:\n{text.decode()}"
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            break
        text += chunk
    return text


def test_the_demo_keeps_every_promise_and_ends_cleanly(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with demo(folder, "--keep") as process:
        try:
            text = read_until(process, b'"to": "+12025550199"').decode()
            assert "Ctrl-C ends it." in text, text
            url = re.search(r"Ask its API; (http://127\.0\.0\.1:\d+)/docs", text)
            assert url is not None, text
            with urllib.request.urlopen(f"{url[1]}/readyz", timeout=10) as answer:
                assert answer.status == 200
            process.send_signal(signal.SIGINT)
            ending = process.communicate(timeout=BUSY_SECONDS)[0].decode()
        finally:
            process.kill()
    assert process.returncode == 0, text + ending
    assert "Traceback" not in text + ending
    assert re.search(r"All \d+ promises were kept\.", text)
    assert max(len(line) for line in text.split("The server runs on.")[0].splitlines() if str(folder) not in line) <= 80
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{url[1]}/readyz", timeout=10)
    check_files(folder, text)


def check_files(folder: Path, text: str) -> None:
    for name in ("recording.wav", "call.png", "webhook.json", "server.log"):
        assert str(folder / name) in text
    with wave.open(str(folder / "recording.wav")) as recording:
        assert recording.getnchannels() == 2
        assert recording.getnframes() / recording.getframerate() > 20
    assert size(folder / "call.png")[0] > 1000
    payload = json.loads((folder / "webhook.json").read_text("utf-8"))
    assert payload["event"] == "call.completed"
    assert sum(item["interrupted"] for item in payload["transcript"]) == 1
    assert "Traceback" not in (folder / "server.log").read_text("utf-8")


def test_a_demo_that_cannot_run_says_so_and_fails(tmp_path: Path) -> None:
    with demo_folder(tmp_path), demo(tmp_path) as process:
        text = process.communicate(timeout=BUSY_SECONDS)[0].decode()
    assert process.returncode == 1
    assert text.startswith(f"The demo failed: another demo runs in {tmp_path};")
    assert "Traceback" not in text
