"""The rows whose packets are secure. Rows that are not cost one look at an array in each tick, and nothing while there are no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.frames import SrtpKeys
from media.rings import ProcessCounters
from media.sockets.face import Received
from media.srtp.context import Incoming, Outgoing
from media.srtp.error import SrtpError


@dataclass(frozen=True, slots=True)
class _Secured:
    keys: SrtpKeys
    outgoing: Outgoing
    incoming: Incoming


class SecureRows:
    """Secures what leaves and opens what comes, for the rows that have keys. What is not authentic is counted, and gone."""

    def __init__(self, rows: int, counters: ProcessCounters) -> None:
        self._on = np.zeros(rows, np.bool_)
        self._secured: dict[int, _Secured] = {}
        self._counters = counters
        self.refused = np.zeros(rows, np.int64)
        """Packets of each row that were not authentic."""

    def open_row(self, row: int) -> None:
        """A new call."""
        self.refused[row] = 0

    def set_row(self, row: int, keys: SrtpKeys | None) -> None:
        """From now on these keys, None: plain RTP. The key that stays keeps its streams, whatever becomes of the other one.

        A key that was dropped for plain RTP must not come again: its indexes would begin anew.
        """
        if keys is None:
            self.close_row(row)
            return
        now = self._secured.get(row)
        if now is None:
            made = _Secured(keys, Outgoing(keys.suite, keys.local), Incoming(keys.suite, keys.remote))
        else:
            made = _Secured(keys, _outgoing(now, keys), _incoming(now, keys))
        self._secured[row] = made
        self._on[row] = True

    def close_row(self, row: int) -> None:
        """The row is plain; its keys are forgotten."""
        self._secured.pop(row, None)
        self._on[row] = False

    @property
    def any(self) -> bool:
        """Whether any row has keys."""
        return bool(self._secured)

    def open(self, received: Received, locked: NDArray[np.int64]) -> Received:
        """What came, with the packets of secure rows opened where they lie, and without those that are not authentic.

        locked: int64, (rows,), the `source_key` to which a row is locked, negative while it is to none. What comes to a
        locked row from elsewhere is left as it is: it will not be heard, and must not be able to use up an index.
        """
        if not self._secured or not (lines := np.flatnonzero(self._on[received.rows])).size:
            return received
        kept = np.ones(len(received.rows), np.bool_)
        for line in lines.tolist():
            lock = locked[received.rows[line]]
            if lock < 0 or lock == received.sources[line]:
                kept[line] = self._open_line(received, line)
        return received if kept.all() else _only(received, kept)

    def _open_line(self, received: Received, line: int) -> bool:
        packet = received.data[line, : received.lengths[line]].tobytes()
        try:
            opened = self._secured[int(received.rows[line])].incoming.unprotect(packet)
        except SrtpError:
            self._counters.packets_unauthentic[0] += 1
            self.refused[received.rows[line]] += 1
            return False
        received.data[line, : len(opened)] = np.frombuffer(opened, np.uint8)
        received.lengths[line] = len(opened)
        return True

    def open_control(self, row: int, packet: bytes) -> bytes | None:
        """The RTCP packet of a row; None where it is not authentic."""
        secured = self._secured.get(row)
        if secured is None:
            return packet
        try:
            return secured.incoming.unprotect_control(packet)
        except SrtpError:
            self._counters.packets_unauthentic[0] += 1
            return None

    def seal(self, rows: Sequence[int], packets: list[memoryview]) -> None:
        """Put the secure form in the place of each packet of a secure row. rows: those of the packets."""
        if not self._secured:
            return
        for place in np.flatnonzero(self._on[list(rows)]).tolist():
            packets[place] = memoryview(self._secured[rows[place]].outgoing.protect(bytes(packets[place])))

    def seal_control(self, row: int, packet: bytes) -> bytes:
        """The RTCP packet as it leaves."""
        secured = self._secured.get(row)
        return packet if secured is None else secured.outgoing.protect_control(packet)


def _outgoing(now: _Secured, keys: SrtpKeys) -> Outgoing:
    if (keys.suite, keys.local) == (now.keys.suite, now.keys.local):
        return now.outgoing
    return Outgoing(keys.suite, keys.local)


def _incoming(now: _Secured, keys: SrtpKeys) -> Incoming:
    if (keys.suite, keys.remote) == (now.keys.suite, now.keys.remote):
        return now.incoming
    return Incoming(keys.suite, keys.remote, now.incoming)


def _only(received: Received, kept: NDArray[np.bool_]) -> Received:
    return Received(
        data=received.data[kept],
        lengths=received.lengths[kept],
        rows=received.rows[kept],
        sources=received.sources[kept],
        addresses=[address for address, keep in zip(received.addresses, kept.tolist(), strict=True) if keep],
        arrivals=received.arrivals[kept],
        control=received.control,
    )
