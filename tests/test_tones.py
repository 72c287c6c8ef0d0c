"""The ear of the tests hears what is there, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from media.codecs.g711 import decode, encode
from media.frames import Codec
from tests.tones import AMPLITUDE, heard_at, hears, strength, tone


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
@pytest.mark.parametrize("frequency", [350, 697, 1000, 2345])
def test_a_tone_is_heard_through_g711_and_its_neighbours_are_not(codec: Codec, frequency: int) -> None:
    line = decode(encode(tone(frequency, 1.0), codec), codec)
    assert hears(line, frequency)
    assert strength(line, frequency) == pytest.approx(AMPLITUDE, rel=0.03)
    assert not any(hears(line, other) for other in (frequency - 200, frequency + 200, 3100))


def test_two_tones_are_told_apart_and_noise_is_none() -> None:
    both = tone(440, 1.0) + tone(1600, 1.0)
    assert hears(both, 440)
    assert hears(both, 1600)
    assert not hears(both, 1000)
    noise = np.random.default_rng(1).normal(0, 300, 8000).astype(np.int16)
    assert not hears(noise, 1000)
    assert not hears(np.zeros(8000, np.int16), 1000)
    assert not hears(np.zeros(0, np.int16), 1000)


def test_when_a_tone_begins_and_ends_is_seen_and_half_of_the_time_is_not_enough() -> None:
    line = np.concatenate((np.zeros(4000, np.int16), tone(700, 0.3), np.zeros(1600, np.int16)))
    assert heard_at(line, 700) == [False] * 10 + [True] * 6 + [False] * 4
    assert not hears(line, 700)
    assert hears(line[4000:], 700)


def test_sixteen_kilohertz_too() -> None:
    assert hears(tone(3800, 0.5, rate=16000), 3800, rate=16000)
