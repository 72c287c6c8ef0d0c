"""A trace as text: two columns, an arrow for each message, with the time since the first."""

from __future__ import annotations

from collections.abc import Iterator

from sipserver.trace.keeper import CallTrace
from sipserver.trace.packet import Packet, glance, written

_WIDTH = 48


def ladder(trace: CallTrace) -> str:
    """`  0.012  192.0.2.9:5060/udp  ──  INVITE … ──▶  192.0.2.1:5060`, and a line for what was not kept."""
    return "\n".join(_lines(trace)) + "\n"


def _lines(trace: CallTrace) -> Iterator[str]:
    if trace.dropped:
        yield f"({trace.dropped} older messages were not kept)"
    if not trace.packets:
        yield "(no messages were kept)"
        return
    first = trace.packets[0].at
    for packet in trace.packets:
        yield f"{(packet.at - first) / 1_000_000:9.3f}  {rung(packet)}"


def rung(packet: Packet) -> str:
    """One message: the peer on the left, we on the right."""
    seen = glance(packet.data)
    label = f" {seen.summary if seen else '?'} "
    sdp = " +sdp" if b"\r\n\r\nv=0" in packet.data else ""
    arrow = f"{label:─^{_WIDTH}}▶" if packet.direction == "<" else f"◀{label:─^{_WIDTH}}"
    cseq = f"  ({seen.cseq}){sdp}" if seen and seen.cseq else sdp
    return f"{written(packet.peer)}/{packet.transport}  {arrow}  {written(packet.local)}{cseq}"
