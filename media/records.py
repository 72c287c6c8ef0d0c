"""The records that pass between the main process and a media process: commands one way, events the other.

Both are fixed in size and travel in rings of shared memory (`media.rings`); a NamedTuple here has the fields of its numpy
dtype in the same order, so that a record is written by assigning the tuple and read by `Command._make(record.item())`.
Every command that carries a `token` other than 0 is answered by one ACK event with that token.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from media.frames import Codec, CryptoSuite, Direction

CODECS = tuple(Codec)
DIRECTIONS = tuple(Direction)
SUITES = (None, *CryptoSuite)
NO_KEY = bytes(30)
MOST_OTHERS = 4
NO_OTHERS = b"\xff" * (2 * MOST_OTHERS)


class CommandKind(IntEnum):
    """What the main process asks of the tick."""

    OPEN = 1
    CONNECT = 2
    BARGE_IN = 3
    FLUSH = 4
    RESUME = 5
    DIGIT = 6
    RECORDING = 7
    CLOSE = 8
    BRIDGE = 9
    UNBRIDGE = 10
    BACKGROUND = 11
    LOOK = 12


class Command(NamedTuple):
    """One request for one row; fields that a kind does not use stay 0.

    `frame` is the queue index up to which FLUSH drops, or the frame that RESUME goes on from. `codec` and `direction`
    are indexes into CODECS and DIRECTIONS, `suite` into SUITES; `telephone_event` is -1 when the peer has none. `others` are pairs of
    payload type and codec, 255 where there is none; `bitrate` is 0 for no limit. The keys are
    those of `frames.SrtpKeys`, filled up with zeros; the ring forgets them when they are read. `on` is BARGE_IN's `enabled`,
    RECORDING's switch, for CONNECT whether the peer asks for extended reports, for DIGIT whether it is the last of its string (only
    that one is acknowledged), for BRIDGE whether keys are sent on, and LOOK's switch. `other` and `other_generation` are BRIDGE's
    second row; `sound` and `volume` are BACKGROUND's, -1 and 0 for none.
    """

    kind: int
    row: int
    generation: int
    token: int = 0
    frame: int = 0
    port: int = 0
    rtcp_port: int = 0
    ptime: int = 0
    cooldown_ms: int = 0
    codec: int = 0
    payload_type: int = 0
    telephone_event: int = -1
    direction: int = 0
    digit: int = 0
    on: int = 0
    other: int = 0
    other_generation: int = 0
    threshold: float = 0.0
    host: bytes = b""
    suite: int = 0
    local_key: bytes = NO_KEY
    remote_key: bytes = NO_KEY
    event_rate: int = 8000
    fec: int = 0
    bitrate: int = 0
    others: bytes = NO_OTHERS
    sound: int = -1
    volume: float = 0.0

    def __repr__(self) -> str:
        """Keys are secrets: what is shown of a command is what it is and whose."""
        return f"Command({self.kind}, row={self.row}, generation={self.generation}, token={self.token})"


COMMAND = np.dtype(
    [
        ("kind", "i4"),
        ("row", "i4"),
        ("generation", "i8"),
        ("token", "i8"),
        ("frame", "i8"),
        ("port", "i4"),
        ("rtcp_port", "i4"),
        ("ptime", "i4"),
        ("cooldown_ms", "i4"),
        ("codec", "i2"),
        ("payload_type", "i2"),
        ("telephone_event", "i2"),
        ("direction", "i2"),
        ("digit", "i2"),
        ("on", "i2"),
        ("other", "i4"),
        ("other_generation", "i8"),
        ("threshold", "f4"),
        ("host", "S48"),
        ("suite", "i2"),
        # Not S30, which would lose the zeros at the end of a key.
        ("local_key", "V30"),
        ("remote_key", "V30"),
        ("event_rate", "i4"),
        ("fec", "i2"),
        ("bitrate", "i4"),
        ("others", "V8"),
        ("sound", "i2"),
        ("volume", "f4"),
    ],
    align=True,
)


def pack_others(others: tuple[tuple[int, Codec], ...]) -> bytes:
    """The further payload types of a format as CONNECT carries them; of more than four the rest is left out."""
    pairs = [bytes((number, CODECS.index(codec))) for number, codec in others[:MOST_OTHERS]]
    return b"".join(pairs).ljust(len(NO_OTHERS), b"\xff")


def unpack_others(packed: bytes) -> tuple[tuple[int, Codec], ...]:
    """What `pack_others` made."""
    pairs = zip(packed[::2], packed[1::2], strict=True)
    return tuple((number, CODECS[codec]) for number, codec in pairs if codec < len(CODECS))


class EventKind(IntEnum):
    """What the tick tells the main process."""

    ACK = 1
    SPEECH_STARTED = 2
    SPEECH_STOPPED = 3
    DUCKED = 4
    PAUSED = 5
    RESUMED = 6
    MARK_PLAYED = 7
    PLAYOUT_IDLE = 8
    DIGIT_HEARD = 9
    MEDIA_TIMEOUT = 10
    UNBRIDGED = 11


class Event(NamedTuple):
    """One happening on one row, at position `at` of its recording.

    `a` and `b` by kind: ACK (token, result), PAUSED (played, 0), RESUMED (frame, 0), MARK_PLAYED (mark, 0),
    DIGIT_HEARD (RFC 4733 event code, milliseconds); 0 otherwise. The result of an ACK is the RTP port for OPEN, `played`
    for FLUSH, 0 for the rest, and REFUSED where the command could not be done.
    """

    kind: int
    row: int
    generation: int
    at: int
    a: int = 0
    b: int = 0


EVENT = np.dtype([("kind", "i4"), ("row", "i4"), ("generation", "i8"), ("at", "i8"), ("a", "i8"), ("b", "i8")])

REFUSED = -1
