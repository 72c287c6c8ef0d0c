"""The VoIP metrics of RTCP's extended reports (RFC 3611 section 4.7): how a receiver heard a stream, read and written.

Shares are in 1/256, delays and lengths in milliseconds, mean opinion scores in tenths; 127 stands for what is not known.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

VOIP_METRICS = 7
WORDS = 8
"""Of the block, after its first one."""
UNKNOWN = 127
PLC_ENHANCED = 2 << 6
"""The receiver configuration of one that guesses what is lost from what came before."""

_BLOCK = struct.Struct("!BBHI4B4H2b6B2B3H")


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """What is told of the stream `ssrc`. The jitter buffer: its delay now, the most that it bears now, and ever."""

    ssrc: int
    loss: int
    discarded: int
    burst_density: int
    gap_density: int
    burst_ms: int
    gap_ms: int
    round_trip_ms: int
    end_system_ms: int
    signal: int = UNKNOWN
    noise: int = UNKNOWN
    echo_return_loss: int = UNKNOWN
    g_min: int = 16
    rating: int = UNKNOWN
    rating_beyond: int = UNKNOWN
    mos_listening: int = UNKNOWN
    mos_conversational: int = UNKNOWN
    configuration: int = 0
    buffer_ms: int = 0
    buffer_most_ms: int = 0
    buffer_ever_ms: int = 0

    @property
    def mos(self) -> float | None:
        """The mean opinion score, 1–5, of a conversation, or else of listening; None where neither is told or can be."""
        told = (self.mos_conversational, self.mos_listening)
        return next((tenths / 10 for tenths in told if 10 <= tenths <= 50), None)

    @classmethod
    def parse(cls, data: bytes) -> VoipMetrics | None:
        """Read a block, its first word included; None for one of another length."""
        if len(data) != _BLOCK.size:
            return None
        fields = _BLOCK.unpack(data)
        # Without the block's first word, and the octet that is kept for later.
        return cls(*fields[3:21], *fields[22:])

    def __bytes__(self) -> bytes:
        return _BLOCK.pack(
            VOIP_METRICS, 0, WORDS, self.ssrc,
            self.loss, self.discarded, self.burst_density, self.gap_density,
            self.burst_ms, self.gap_ms, self.round_trip_ms, self.end_system_ms,
            self.signal, self.noise, self.echo_return_loss, self.g_min,
            self.rating, self.rating_beyond, self.mos_listening, self.mos_conversational,
            self.configuration, 0, self.buffer_ms, self.buffer_most_ms, self.buffer_ever_ms,
        )  # fmt: skip


def share(part: float) -> int:
    """A share of 0–1 in 1/256, as far as an octet goes."""
    return min(255, max(0, int(part * 256)))


def span(milliseconds: float) -> int:
    """Milliseconds, as far as two octets go."""
    return min(0xFFFF, max(0, round(milliseconds)))
