"""No key is in the recording, whoever pressed it and in whatever form: it may be a digit of a card's number."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from media.frames import DigitHeard, Pcm, RtpFormat
from tests.keypad import HIGH, LOW, dialled
from tests.media.process.test_wideband import G722, OPUS, PCMU, WideLine
from tests.media.process.test_wideband import on as on_wide
from tests.tones import heard_at, hears, tone

BARE = [
    (PCMU, 0),
    (PCMU, 65),
    (replace(G722, telephone_event=None), 130),
    (replace(OPUS, telephone_event=None), 270),
]
"""And how many samples late the first key begins."""


def keyed(late: int) -> Pcm:
    """A voice, the keys 4, 9 and # of 100 ms, `late` samples into a frame, and the voice again: int16, (n,), 16 kHz."""
    pause = np.zeros(960, np.int16)
    keys = [
        tone(LOW[row], 0.1, 3000, 16000) + tone(HIGH[column], 0.1, 3000, 16000)
        for row, column in ((1, 0), (2, 2), (3, 2))
    ]
    said = tone(400, 0.6, rate=16000)
    whole = np.concatenate(
        (said, pause, np.zeros(late, np.int16), *(part for key in keys for part in (key, pause)), said)
    )
    return np.concatenate((whole, np.zeros(-len(whole) % 960, np.int16)))


@pytest.mark.parametrize(("fmt", "late"), BARE)
def test_keys_that_a_caller_presses_as_tones_are_silence_in_the_recording(
    tmp_path: Path, fmt: RtpFormat, late: int
) -> None:
    path, pcm = tmp_path / "call.wav", keyed(late)

    async def test(line: WideLine) -> None:
        await line.speak(line.packets(pcm, fmt))
        await line.tick(70)
        assert [key.digit for key in line.of(DigitHeard)] == ["4", "9", "#"]

    on_wide(fmt, test, recording=path)
    with wave.open(str(path), "rb") as file:
        caller = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)[:, 0]
    assert dialled(pcm, 16000) == ["4", "9", "#"], "the test's own keys are none"
    assert dialled(caller) == []
    voice = heard_at(caller, 400)
    first, last = voice.index(True), len(voice) - voice[::-1].index(True)
    assert sum(voice[first:last]) >= 2 * 11, "the voice before and after is whole"
    between = caller[8 * 625 + first * 400 : 8 * 625 + first * 400 + 8 * 480]
    assert not any(hears(between, pitch, above=40) for pitch in (*LOW, *HIGH))
    assert np.abs(between.astype(int)).max() < 400
