"""What the tick knows of every call, one row each, beside what the stages keep for themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.frames import LINE_SAMPLES, Codec, Direction, RtpFormat
from media.sockets.face import Address

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]
Rows = NDArray[np.intp]

NEVER = -1
FAR = 1 << 62
"""A position that no call reaches."""
_HIGHEST_PORT = 65535
_HEARING = (Direction.SENDRECV, Direction.RECVONLY)
_STATIC = {0: Codec.PCMU, 8: Codec.PCMA, 9: Codec.G722}
"""What these numbers mean whatever was agreed (RFC 3551 section 6), unless that was something else."""
_FAST = (Codec.PCMU, Codec.PCMA, Codec.G722)
"""Codecs with an octet for each tick of their clock: those of the jitter buffer and of the fast path."""
_SENDING = (Direction.SENDRECV, Direction.SENDONLY)


class CallRows:
    """Arrays of shape (rows,), and a list where the thing is no number.

    A row is *open* from OPEN to CLOSE and *connected* from its first CONNECT; it is *hearing* and *sending* as the
    direction says (RFC 3264 section 5.1). `origin` is the tick of position 0.
    """

    def __init__(self, rows: int, aim: Callable[[int, Address | None], None]) -> None:
        """aim: is told of each row where its packets go."""
        self._aim = aim
        self.open = np.zeros(rows, np.bool_)
        self.connected = np.zeros(rows, np.bool_)
        self.hearing = np.zeros(rows, np.bool_)
        self.sending = np.zeros(rows, np.bool_)
        self.generation = np.zeros(rows, np.int64)
        self.origin = np.full(rows, NEVER, np.int64)
        self.payload_type = np.zeros(rows, np.int64)
        """Of packets that may take the fast path; NEVER where there are none."""
        self.telephone_event = np.full(rows, NEVER, np.int64)
        self.taped = np.zeros(rows, np.bool_)
        """The call has a recording."""
        self.recording = np.zeros(rows, np.bool_)
        """The recording takes what is heard and said; off, it gets silence."""
        self.heard_from = np.zeros(rows, np.int64)
        """The position from which on it takes what is heard: what was said while it was off may come when it is on again."""
        self.last_heard = np.zeros(rows, np.int64)
        """The tick at which the last packet came, or from which on packets are to come."""
        self.timed_out = np.zeros(rows, np.bool_)
        self.reachable = np.zeros(rows, np.bool_)
        """`remote` is known."""
        self.extended = np.zeros(rows, np.bool_)
        """The peer asks for extended reports."""
        self.remote: list[Address | None] = [None] * rows
        self.remote_control: list[Address | None] = [None] * rows
        self.codecs: list[dict[int, Codec]] = [{} for _ in range(rows)]
        """What the payload types mean that the peer may send."""
        self.format: list[RtpFormat | None] = [None] * rows

    def open_row(self, row: int, generation: int, taped: bool) -> None:
        """OPEN: the row is a call's, which neither sends nor hears yet."""
        self.generation[row] = generation
        self.taped[row] = taped
        self.record(row, 0, on=taped)
        self.origin[row] = NEVER
        self.timed_out[row] = False
        self.open[row] = True

    def record(self, row: int, at: int, *, on: bool) -> None:
        """RECORDING, at this position; a call that has no recording gets none."""
        self.recording[row] = on = on and bool(self.taped[row])
        self.heard_from[row] = at if on else FAR

    def connect(self, row: int, tick: int, fmt: RtpFormat, direction: Direction) -> None:
        """CONNECT: the first one starts the time line, a later one changes format and direction."""
        if not self.connected[row]:
            self.connected[row] = True
            self.origin[row] = tick
        if direction is Direction.SENDRECV and not (self.hearing[row] and self.sending[row]):
            self.last_heard[row] = tick
        self.hearing[row] = direction in _HEARING
        self.sending[row] = direction in _SENDING
        self.format[row] = fmt
        self.codecs[row] = _STATIC | dict(fmt.others) | {fmt.payload_type: fmt.codec}
        self.hear_as(row, fmt.payload_type)
        self.telephone_event[row] = NEVER if fmt.telephone_event is None else fmt.telephone_event

    def hear_as(self, row: int, payload_type: int) -> Codec:
        """The peer's packets have this payload type from now on, one of `codecs`. Returns its codec."""
        codec = self.codecs[row][payload_type]
        self.payload_type[row] = payload_type if codec in _FAST else NEVER
        return codec

    def set_remote(self, row: int, remote: Address | None, control: Address | None) -> None:
        """Where RTP and RTCP go; None while that is not known, or where it has no such port."""
        self.remote[row], self.remote_control[row] = _with_port(remote), _with_port(control)
        self.reachable[row] = self.remote[row] is not None
        self._aim(row, self.remote[row])

    def close_row(self, row: int) -> None:
        """CLOSE: nobody's row."""
        self.set_remote(row, None, None)
        self.open[row] = self.taped[row] = self.recording[row] = False
        self.connected[row] = self.hearing[row] = self.sending[row] = False
        self.format[row] = None
        self.codecs[row] = {}

    def is_open(self, row: int, generation: int) -> bool:
        """Whether the row is still the call's that it was given to as `generation`."""
        return bool(self.open[row] and self.generation[row] == generation)

    def position(self, row: int, tick: int) -> int:
        """The row's position at a tick; 0 before it is connected."""
        return (tick - int(self.origin[row])) * LINE_SAMPLES if self.connected[row] else 0


def _with_port(address: Address | None) -> Address | None:
    """The address, if one can send there. The port after 65535, where RTCP would be, does not exist."""
    return address if address is not None and 0 < address[1] <= _HIGHEST_PORT else None
