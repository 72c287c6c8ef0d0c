"""The traces of finished calls: a small compressed file for each, JSON on each line, without credentials."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path

from sipserver.trace.keeper import CallTrace
from sipserver.trace.masking import without_credentials
from sipserver.trace.packet import Packet

SUFFIX = ".jsonl.gz"


class TraceFiles:
    """Below one folder; a file's name begins with the id of its call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, call_id: str, trace: CallTrace) -> None:
        """Write a call's file, whole or not at all. Raises OSError."""
        lines = [json.dumps({"dropped": trace.dropped}), *map(_line, trace.packets)]
        target = self._path(call_id)
        part = target.with_name(f"{call_id}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(gzip.compress("\n".join(lines).encode()))
            part.replace(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def read(self, call_id: str) -> CallTrace | None:
        """A call's file; None where there is none, or none that can be read."""
        try:
            head, *lines = gzip.decompress(self._path(call_id).read_bytes()).splitlines()
            return CallTrace(tuple(map(_packet, lines)), json.loads(head)["dropped"])
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
            return None

    def _path(self, call_id: str) -> Path:
        return self._folder / f"{call_id}{SUFFIX}"


def _line(packet: Packet) -> str:
    """Latin-1 gives each byte a character of its own, so that what is read back is what was written."""
    data = without_credentials(packet.data).decode("latin-1")
    return json.dumps([packet.at, packet.direction, packet.transport, packet.local, packet.peer, data])


def _packet(line: bytes) -> Packet:
    at, direction, transport, local, peer, data = json.loads(line)
    packet = Packet(at, direction, transport, tuple(local), tuple(peer), b"")
    return packet._replace(data=data.encode("latin-1"))
