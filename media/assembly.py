"""Slots of 20 ms put together from packets of any length (ptime 10, 30, 60 …), for one call: the slow path of `media.jitter`."""

from __future__ import annotations

from collections.abc import Iterator

SAMPLES = 160
KEPT = 8
"""How many unfinished slots are kept: the oldest goes first."""


class Assembly:
    """The unfinished slots of one call, each with a map of the samples that have come."""

    def __init__(self) -> None:
        self._parts: dict[int, tuple[bytearray, bytearray]] = {}

    def __contains__(self, slot: int) -> bool:
        return slot in self._parts

    def add(self, slot: int, offset: int, payload: bytes) -> Iterator[tuple[int, bytes]]:
        """Lay `payload` at `offset` samples into slot `slot` and those after it; yields each slot that this completes."""
        while payload:
            piece, payload = payload[: SAMPLES - offset], payload[SAMPLES - offset :]
            whole = self._lay(slot, offset, piece)
            if whole is not None:
                yield slot, whole
            slot, offset = slot + 1, 0

    def _lay(self, slot: int, offset: int, piece: bytes) -> bytes | None:
        if len(piece) == SAMPLES:
            return piece
        octets, there = self._parts.setdefault(slot, (bytearray(SAMPLES), bytearray(SAMPLES)))
        octets[offset : offset + len(piece)] = piece
        there[offset : offset + len(piece)] = b"\1" * len(piece)
        if 0 not in there:
            return bytes(self._parts.pop(slot)[0])
        if len(self._parts) > KEPT:
            del self._parts[min(self._parts)]
        return None
