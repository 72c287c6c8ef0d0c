"""A sound of one packet that nothing else in a bench resembles: what a probe says, and how it is known again."""

from __future__ import annotations

import numpy as np

from media.codecs.g711 import decode, encode
from media.frames import Codec, Pcm
from media.rtp import FRAME_SAMPLES

LOUD = 16_000
CLICK: Pcm = np.tile(np.array([28_000, 28_000, -28_000, -28_000], np.int16), FRAME_SAMPLES // 4)
"""int16, (160,), 8 kHz: a square wave of 2 kHz."""
CODES = encode(CLICK, Codec.PCMU)

_LOUD_CODES = bytes(code for code in range(256) if abs(int(decode(np.array([code], np.uint8), Codec.PCMU)[0])) > LOUD)
_MANY = FRAME_SAMPLES // 2


def is_click(payload: bytes) -> bool:
    """Whether most of the µ-law codes of a packet are as loud as a click's."""
    return len(payload) - len(payload.translate(None, _LOUD_CODES)) > _MANY


def is_click_heard(pcm: Pcm) -> bool:
    """The same of samples, int16, at any rate."""
    return 2 * int((np.abs(pcm.astype(np.int32)) > LOUD // 2).sum()) > len(pcm)
