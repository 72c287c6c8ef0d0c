"""A tick in which nobody has anything: every stage takes no lines at all."""

from __future__ import annotations

import numpy as np

from media.codecs.g711 import G711
from media.conceal import Concealer
from media.jitter import EarJitter
from media.reception import Reception
from media.resample import Up8to16
from media.rtp import Sender, parse_rows
from media.silero import find_model, load_weights
from media.vad import Vad

NONE = np.zeros(0, np.intp)


def none(dtype: type, *columns: int) -> np.ndarray:
    return np.zeros((0, *columns), dtype)


def test_stages_take_no_lines() -> None:
    assert parse_rows(none(np.uint8, 256), none(np.int32)).fast.shape == (0,)
    jitter = EarJitter(2)
    jitter.insert(NONE, none(np.uint16), none(np.uint32), none(np.uint8, 160), 0, none(np.uint32))
    assert not jitter.take().have.any()
    more = jitter.take_more()
    assert more.payload.shape == (0, 160)
    Reception(2).update(NONE, none(np.uint16), none(np.uint32), none(np.uint32), none(np.int64))
    assert G711(2).decode(none(np.uint8, 160), NONE).shape == (0, 160)
    assert Concealer(2).follow(none(np.int16, 160), NONE).shape == (0, 160)
    assert Up8to16(2).step(none(np.int16, 160), rows=NONE).shape == (0, 320)
    Sender(2).headers(NONE, none(np.uint8, 172), 0)


def test_nobody_heard_nobody_judged() -> None:
    vad = Vad(2, load_weights(find_model()))
    for _ in range(8):
        assert not vad.step(np.ones((2, 320), np.int16), heard=np.zeros(2, bool)).judged.any()
        assert not vad.step(none(np.int16, 320), rows=NONE).judged.any()
