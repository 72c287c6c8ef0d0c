"""Keys that calls are sending (RFC 4733): a short queue for each row that has any."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from media.dtmf import DIGITS, RATE, EventPacket, EventSender
from media.frames import LINE_SAMPLES

PAUSE_TICKS = 3
"""60 ms between two keys, end packets aside: receivers want 40 at least."""


@dataclass(slots=True)
class _Sending:
    """One row's keys: those that wait, with the tokens of their acknowledgements, and the one under way."""

    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    packets: Iterator[EventPacket] | None = None
    began: int = 0
    token: int = 0
    pause: int = 0


class Keys:
    """The keys of all rows. `busy`: bool, (rows,), the row's packet of this tick is a key's, so it carries no audio.

    `sent`: rows and tokens whose last key has left, to be acknowledged and cleared by whoever reads it.
    """

    def __init__(self, rows: int) -> None:
        self.busy = np.zeros(rows, np.bool_)
        self.sent: list[tuple[int, int]] = []
        self._sending: dict[int, _Sending] = {}
        self._rate = [RATE] * rows

    def waiting(self, row: int) -> int:
        """How many keys of a row have yet to be begun."""
        sending = self._sending.get(row)
        return len(sending.waiting) if sending is not None else 0

    def set_rate(self, row: int, rate: int) -> None:
        """The clock rate of the row's telephone-events."""
        self._rate[row] = rate

    def add(self, row: int, code: int, token: int) -> None:
        """Send one more key on a row. A token other than 0 is told in `sent` when this key has left."""
        self._sending.setdefault(row, _Sending()).waiting.append((code, token))

    def close_row(self, row: int) -> None:
        """Forget what the row had yet to send."""
        self._sending.pop(row, None)
        self.busy[row] = False

    def due(self, tick: int) -> list[tuple[int, bytes, bool, int]]:
        """The packets of this tick: row, payload, marker, and the timestamp in samples at 8 kHz since tick 0."""
        self.busy[list(self._sending)] = False
        packets = []
        for row, sending in list(self._sending.items()):
            packet = self._next(row, sending, tick)
            if packet is not None:
                self.busy[row] = True
                at = sending.began * LINE_SAMPLES + packet.offset * RATE // self._rate[row]
                packets.append((row, packet.payload, packet.marker, at))
            elif not sending.waiting and not sending.pause:
                del self._sending[row]
        return packets

    def _next(self, row: int, sending: _Sending, tick: int) -> EventPacket | None:
        if sending.pause:
            sending.pause -= 1
            return None
        if sending.packets is None and sending.waiting:
            code, sending.token = sending.waiting.popleft()
            sending.packets, sending.began = iter(EventSender(DIGITS[code], rate=self._rate[row])), tick
        packet = next(sending.packets, None) if sending.packets is not None else None
        if sending.packets is not None and packet is None:
            sending.packets, sending.pause = None, PAUSE_TICKS - 1
            if sending.token:
                self.sent.append((row, sending.token))
        return packet
