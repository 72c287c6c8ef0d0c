"""The traces of finished calls: a small compressed file for each, JSON on each line, without credentials; and one for RTP headers."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from sipserver.trace.keeper import CallTrace
from sipserver.trace.masking import without_credentials
from sipserver.trace.packet import Address, Packet
from sipserver.trace.rtp import RtpTrace, records_of

SUFFIX = ".jsonl.gz"
RTP_SUFFIX = ".rtp.gz"


class TraceFiles:
    """Below one folder; a file's name begins with the id of its call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, call_id: str, trace: CallTrace) -> None:
        """Write a call's file, whole or not at all. Raises OSError."""
        lines = [json.dumps({"dropped": trace.dropped}), *map(_line, trace.packets)]
        self._replace(call_id, SUFFIX, "\n".join(lines).encode())

    def write_rtp(self, call_id: str, trace: RtpTrace) -> None:
        """Write the file of a call's RTP, whole or not at all. Raises OSError."""
        head = {"ends": trace.ends, "dropped": trace.dropped}
        self._replace(call_id, RTP_SUFFIX, json.dumps(head).encode() + b"\n" + b"".join(trace.records))

    def read(self, call_id: str) -> CallTrace | None:
        """A call's file; None where there is none, or none that can be read."""
        try:
            head, *lines = gzip.decompress(self._path(call_id, SUFFIX).read_bytes()).splitlines()
            return CallTrace(tuple(map(_packet, lines)), json.loads(head)["dropped"])
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
            return None

    def read_rtp(self, call_id: str) -> RtpTrace | None:
        """The headers of a call's RTP; None where none were kept, or none can be read."""
        try:
            head, records = gzip.decompress(self._path(call_id, RTP_SUFFIX).read_bytes()).split(b"\n", 1)
            known = json.loads(head)
            ends = [(_address(ours), _address(other)) for ours, other in known["ends"]]
            return RtpTrace(ends, records_of(records), known["dropped"])
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
            return None

    def _replace(self, call_id: str, suffix: str, content: bytes) -> None:
        target = self._path(call_id, suffix)
        part = target.with_name(f"{call_id}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(gzip.compress(content))
            part.replace(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def _path(self, call_id: str, suffix: str) -> Path:
        return self._folder / f"{call_id}{suffix}"


def _address(pair: Sequence[object]) -> Address:
    host, port = pair
    return str(host), int(str(port))


def _line(packet: Packet) -> str:
    """Latin-1 gives each byte a character of its own, so that what is read back is what was written."""
    data = without_credentials(packet.data).decode("latin-1")
    return json.dumps([packet.at, packet.direction, packet.transport, packet.local, packet.peer, data])


def _packet(line: bytes) -> Packet:
    at, direction, transport, local, peer, data = json.loads(line)
    packet = Packet(at, direction, transport, tuple(local), tuple(peer), b"")
    return packet._replace(data=data.encode("latin-1"))
