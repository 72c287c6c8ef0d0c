"""Packets whose octets are no samples (Opus, L16), in a jitter buffer that counts samples: one call's.

The jitter buffer keeps slots of 160 octets, one octet a sample at 8 kHz. So a packet of Opus is kept here, and what goes into the buffer
is as many octets as it lasts samples at 8 kHz, a *tag*: pairs of the packet's handle and of the piece of 2.5 ms of it that the
pair stands for. What comes out, slot by slot and in order, tells which packet is to be decoded, and what of it lies in the slot;
packets of 10 to 120 ms, late, lost and twice there are what they are for G.711.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

PIECE = 20
"""Octets of a tag, thus samples at 8 kHz, that each piece has."""
SLOT = 160
_HANDLES = 256


@dataclass(frozen=True, slots=True)
class Part:
    """So many samples at 8 kHz of a slot, which begin at piece `piece` of packet `handle`."""

    handle: int
    piece: int
    samples: int


class Packets:
    """The packets of one stream that wait to be decoded, and its time at 8 kHz. clock: of its RTP timestamps, in Hz."""

    def __init__(self, clock: int) -> None:
        self._clock = clock
        self._waiting: dict[int, bytes] = {}
        self._next = 0
        self._ssrc: int | None = None
        self._last = 0
        self._time = 0

    def keep(self, packet: bytes, samples: int) -> bytes:
        """Keep a packet that lasts so many samples at 8 kHz. Returns its tag."""
        handle, self._next = self._next, (self._next + 1) % _HANDLES
        self._waiting[handle] = packet
        return _tag(handle, samples)

    def timestamp(self, timestamp: int, ssrc: int) -> int:
        """An RTP timestamp of the stream at 8 kHz, 32 bits; even, for a tag is of pairs."""
        if ssrc != self._ssrc:
            self._ssrc, self._time = ssrc, timestamp
        else:
            self._time += (timestamp - self._last + 0x80000000) % 0x100000000 - 0x80000000
        self._last = timestamp
        return self._time * 8000 // self._clock & 0xFFFFFFFE

    def look(self, handle: int) -> bytes | None:
        """A packet that waits."""
        return self._waiting.get(handle)

    def take(self, handle: int) -> bytes | None:
        """The packet, for the last time; None where there is none."""
        return self._waiting.pop(handle, None)


@lru_cache(maxsize=4 * _HANDLES)
def _tag(handle: int, samples: int) -> bytes:
    return b"".join(bytes((handle, at // PIECE)) for at in range(0, samples, 2))[:samples]


def parts(slot: bytes) -> Iterator[Part]:
    """What a slot holds, in order."""
    start = 0
    if slot[0] == slot[SLOT - 2]:
        yield Part(slot[0], slot[1], SLOT)
        return
    for at in range(2, SLOT + 2, 2):
        if at >= SLOT or slot[at] != slot[start]:
            yield Part(slot[start], slot[start + 1], min(at, SLOT) - start)
            start = at
