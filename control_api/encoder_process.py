"""Encodes recordings beside the server: a process that is polite to those who carry calls.

    python -m control_api.encoder_process

Requests come on stdin and answers go to stdout, a line of JSON each: `{"wav": {"path", "key"}, "target": {"path", "key"}, "format"}`, and
`{}` when it is done, `{"unreadable": sentence}`, or `{"errno", "sentence"}`. A key is that of the one file, in hexadecimal, or null. The
process ends with its stdin, thus with the server. Encoding in the server itself would share the interpreter's lock with SIP and
conversations: whoever holds it with a low priority holds up everybody.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from control_api.encoding import Keyed, RecordingUnreadable

NICE = 10
LONGEST = 900.0
"""Seconds after which a process that has not answered is given up."""


class EncoderProcess:
    """The server's end. `transcode` may be called from any thread; one recording is encoded at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def transcode(self, wav: Keyed, target: Keyed, name: str) -> None:
        """Write the WAV into `target`, in format `name`. Blocks. Raises RecordingUnreadable, OSError (also when the process died)."""
        with self._lock:
            answer = self._ask({"wav": _told(wav), "target": _told(target), "format": name})
        if "unreadable" in answer:
            raise RecordingUnreadable(answer["unreadable"])
        if "errno" in answer:
            raise OSError(answer["errno"], answer["sentence"])

    @property
    def pid(self) -> int | None:
        """The process; None before the first request, and after one died."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process; what it is at fails."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()
        with self._lock:
            self._end()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        process = self._running()
        try:
            line = _talk(process, json.dumps(request).encode() + b"\n")
        except OSError:
            line = b""
        if not line:
            self._end()
            raise OSError("The process that encodes recordings has died.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise OSError("The server is stopping.")
        if self._process is None:
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
            command = [sys.executable, "-m", "control_api.encoder_process"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:
                process.wait()


def _talk(process: subprocess.Popen[bytes], request: bytes) -> bytes:
    """The answer, a whole line; empty where the process is gone or takes too long. Raises OSError."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    ready, _, _ = select.select([process.stdout], [], [], LONGEST)
    return process.stdout.readline() if ready else b""


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer every request until there are no more."""
    from control_api.transcoding import transcode

    for line in requests:
        request = json.loads(line)
        answer: dict[str, Any] = {}
        try:
            transcode(_heard(request["wav"]), _heard(request["target"]), request["format"])
        except RecordingUnreadable as error:
            answer = {"unreadable": str(error)}
        except OSError as error:
            answer = {"errno": error.errno or 0, "sentence": error.strerror or str(error)}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _told(file: Keyed) -> dict[str, str | None]:
    return {"path": str(file.path), "key": None if file.key is None else file.key.hex()}


def _heard(told: Mapping[str, str | None]) -> Keyed:
    return Keyed(Path(told["path"] or ""), None if told["key"] is None else bytes.fromhex(told["key"]))


def main() -> None:
    """Be the process. What libraries print goes to stderr, never among the answers."""
    os.nice(NICE)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
