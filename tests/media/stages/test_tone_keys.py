"""Keys as tones: what ITU-T Q.24 asks of a receiver, through G.711; and speech, which is none."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from media.codecs.g711 import decode, encode
from media.dtmf import DIGITS
from media.frames import Codec, Pcm
from media.resample import Up8to16
from media.silero import find_model, load_weights
from media.tone_keys import ToneKeys
from media.vad import Vad
from tests.media.voices import voice

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
PAD = ("123A", "456B", "789C", "*0#D")
WHERE = {digit: (low, high) for low, row in zip(LOW, PAD, strict=True) for high, digit in zip(HIGH, row, strict=True)}
FRAME = 160
rng = np.random.default_rng(24)


def key(
    digit: str, ms: int = 70, *, low: float = 3000, high: float = 3000, off: float = 1.0, late: int = 0, pause: int = 40
) -> Pcm:
    """A key and a pause behind it, in milliseconds, `late` samples later; amplitudes of its tones, and how far off they are."""
    at = np.arange(ms * 8) / 8000
    tones = [
        amplitude * np.sin(2 * np.pi * off * frequency * at + rng.uniform(0, 6))
        for amplitude, frequency in zip((low, high), WHERE[digit], strict=True)
    ]
    return np.concatenate((np.zeros(late), sum(tones), np.zeros(pause * 8))).astype(np.int16)


def keys(pcm: Pcm, codec: Codec = Codec.PCMU) -> list[tuple[str, int]]:
    """What is heard of it over a line, and for how long."""
    whole = np.concatenate((pcm, np.zeros(-len(pcm) % FRAME + 2 * FRAME, np.int16)))
    listener = ToneKeys(3)
    listener.set_row(1, listens=True)
    for frame in decode(encode(whole, codec), codec).reshape(-1, FRAME):
        # The row before hears the same and is not listened to.
        listener.hear(np.array([0, 1]), np.stack((frame, frame)))
    assert {heard.row for heard in listener.heard} <= {1}
    return [(DIGITS[heard.code], heard.ms) for heard in listener.heard]


def digits(pcm: Pcm) -> str:
    return "".join(digit for digit, _ in keys(pcm))


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_every_key_is_heard_once_and_for_as_long_as_it_lasts(codec: Codec) -> None:
    pressed = DIGITS + DIGITS[::-1]
    heard = keys(np.concatenate([key(digit, 100, late=30) for digit in pressed]), codec)
    assert "".join(digit for digit, _ in heard) == pressed
    assert all(abs(ms - 100) <= 20 for _, ms in heard)


@pytest.mark.parametrize("off", [0.985, 1.0, 1.015])
def test_forty_milliseconds_are_enough_wherever_they_begin_and_a_little_off(off: float) -> None:
    for late in range(0, FRAME, 16):
        assert digits(np.concatenate([key(digit, 40, off=off, late=late) for digit in "159D"])) == "159D", late


@pytest.mark.parametrize("off", [0.965, 1.035])
def test_what_is_further_off_is_no_key(off: float) -> None:
    assert keys(np.concatenate([key(digit, 200, off=off) for digit in DIGITS])) == []


def test_what_is_shorter_than_a_key_is_none() -> None:
    assert keys(np.concatenate([key(digit, 20, late=late) for late in range(0, 160, 20) for digit in "5#"])) == []


@pytest.mark.parametrize(("amplitude", "heard"), [(400, ""), (1300, "5"), (15000, "5")])
def test_from_25_below_to_full_scale(amplitude: float, heard: str) -> None:
    assert digits(key("5", low=amplitude, high=amplitude)) == heard


@pytest.mark.parametrize(
    ("decibels", "heard"), [(-12, ""), (-5, "5"), (5, "5"), (7.5, "5"), (13, "")], ids=lambda value: str(value)
)
def test_one_tone_may_be_louder_than_the_other(decibels: float, heard: str) -> None:
    """As lines make it; beyond that it is no key."""
    assert digits(key("5", low=2000 * 10 ** (decibels / 20), high=2000)) == heard


def test_a_gap_of_ten_milliseconds_does_not_make_two_of_it() -> None:
    held = key("7", 200, pause=0)
    held[800:880] = 0
    assert [digit for digit, _ in keys(held)] == ["7"]


def test_the_same_key_twice_is_two() -> None:
    assert digits(np.concatenate([key("2", 50, pause=45)] * 5)) == "22222"


def test_noise_15_db_below_hides_nothing() -> None:
    line = np.concatenate([key(digit, 60, late=late) for late, digit in enumerate(DIGITS * 3)])
    noise = rng.normal(0, 3000 / 10 ** (15 / 20), len(line))
    assert digits((line + noise).clip(-32768, 32767).astype(np.int16)) == DIGITS * 3


def test_one_tone_a_dial_tone_and_ringing_are_no_keys() -> None:
    at = np.arange(8000) / 8000
    for frequencies in ((941,), (1477,), (350, 440), (440, 480), (480, 620), (697, 770), (1336, 1477), (425,)):
        sound = sum(4000 * np.sin(2 * np.pi * frequency * at) for frequency in frequencies)
        assert keys(np.asarray(sound, np.int16)) == [], frequencies


def test_a_synthetic_voice_presses_no_key() -> None:
    assert keys(resample_poly(voice(20.0).astype(float), 1, 2).astype(np.int16)) == []


@pytest.mark.skipif("ANTIPHON_TEST_DATA" not in os.environ, reason="ANTIPHON_TEST_DATA is not set")
@pytest.mark.parametrize("gain", [0.3, 1, 4])
def test_people_press_no_key(gain: float) -> None:
    for path in sorted((Path(os.environ["ANTIPHON_TEST_DATA"]) / "speech").glob("**/*.wav")):
        with wave.open(str(path), "rb") as file:
            assert file.getframerate() in (8000, 16000)
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
            narrow = pcm if file.getframerate() == 8000 else resample_poly(pcm, 1, 2)
        pcm = (narrow * gain).clip(-32768, 32767).astype(np.int16)
        assert keys(pcm) == [], path.name
        listener = ToneKeys(1)
        listener.set_row(0, listens=True)
        frames = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, 1, FRAME)
        assert not any(listener.hear(np.array([0]), frame).size for frame in frames), path.name


def test_while_a_key_is_held_each_frame_is_said_to_be_one() -> None:
    """So that nobody takes it for speech. Not so on a row that is not listened to."""
    for late in range(0, FRAME, 16):
        pressed = np.concatenate((key("5", 100, late=late, pause=200), np.zeros(FRAME, np.int16)))
        listener, held = ToneKeys(3), []
        listener.set_row(1, listens=True)
        for frame in pressed[: len(pressed) // FRAME * FRAME].reshape(-1, FRAME):
            lines = listener.hear(np.array([0, 1]), np.stack((frame, frame)))
            assert set(lines.tolist()) <= {1}
            held.append(lines.size == 1)
        # It sounds in the first five or six, and is thought to go on for another 30 ms, as it may behind a gap.
        assert held[1:5] == [True] * 4, late
        assert not any(held[8:]), late


def test_keys_are_not_judged_to_be_speech() -> None:
    """Silero found 14 to 28 frames of speech in these lines; a few milliseconds before a key is one are left of it."""
    lines = [
        np.concatenate([key(digit, 100, late=late, pause=100) for digit in "1234#5"]) for late in range(0, FRAME, 8)
    ]
    rows = np.arange(len(lines))
    pcm = np.stack([np.resize(line, 60 * FRAME) for line in lines])
    pcm = decode(encode(pcm.ravel(), Codec.PCMU), Codec.PCMU).reshape(len(lines), -1, FRAME)
    listener, vad, up = ToneKeys(len(lines)), Vad(len(lines), load_weights(find_model())), Up8to16(len(lines))
    for row in rows:
        listener.set_row(row, listens=True)
        vad.set_narrow(row, narrow=True)
    speech = 0
    for frame in pcm.transpose(1, 0, 2):
        wide = up.step(frame, np.ones(len(lines), np.bool_))
        wide[listener.hear(rows, frame)] = 0
        heard = vad.step(wide)
        speech += int((heard.probability[heard.judged] > 0.5).sum())
    assert speech <= 3


def test_a_row_that_is_closed_and_taken_again_has_heard_nothing_yet() -> None:
    listener, pressed = ToneKeys(1), key("5", 100, pause=0)
    rows = np.array([0])
    listener.set_row(0, listens=True)
    for frame in pressed.reshape(-1, FRAME):
        listener.hear(rows, frame[None])
    listener.set_row(0, listens=False)
    assert not listener.any
    listener.set_row(0, listens=True)
    for _ in range(5):
        listener.hear(rows, np.zeros((1, FRAME), np.int16))
    assert listener.heard == []
