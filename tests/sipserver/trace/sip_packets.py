"""Packets for the tests of traces."""

from __future__ import annotations

from typing import Literal

from sipserver.locate import Transport
from sipserver.trace.packet import Packet

START = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z"""


def text(start: str, call_id: str = "c1", cseq: str = "1 INVITE", extra: str = "", body: str = "") -> bytes:
    return (
        f"{start}\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa\r\nFrom: <sip:a@192.0.2.9>;tag=a\r\n"
        f"To: <sip:b@192.0.2.1>\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


INVITE = text(
    "INVITE sip:+12025550123@192.0.2.1 SIP/2.0", extra='Authorization: Digest username="u", response="5ec4e7"\r\n'
)
RINGING = text("SIP/2.0 180 Ringing")


def packet(
    data: bytes = INVITE,
    direction: Literal["<", ">"] = "<",
    at: int = 0,
    transport: Transport = "udp",
    local: str = "192.0.2.1",
    peer: str = "192.0.2.9",
) -> Packet:
    """`at` in ms after START."""
    return Packet(START + at * 1000, direction, transport, (local, 5060), (peer, 5070), data)
