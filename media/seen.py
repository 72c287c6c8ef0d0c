"""A packet of RTP as a capture has it, without what is said in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class RtpSeen(NamedTuple):
    """The header of one RTP packet that came or was `sent` (1), of a row whose packets are looked at.

    `at_us` since the epoch, by the kernel's clock where it told; `length` in octets, of which `head` has the first twelve (RFC 3550 section
    5.1), in the clear with SRTP too; `host` and `port` are the other end's.
    """

    row: int
    generation: int
    at_us: int
    sent: int
    length: int
    port: int
    host: bytes
    head: bytes


Look = Callable[[RtpSeen], None]

RTP_SEEN = np.dtype(
    [
        ("row", "i4"),
        ("generation", "i8"),
        ("at_us", "i8"),
        ("sent", "i2"),
        ("length", "i4"),
        ("port", "i4"),
        ("host", "S48"),
        # Not S12, which would lose the zeros at its end.
        ("head", "V12"),
    ],
    align=True,
)
