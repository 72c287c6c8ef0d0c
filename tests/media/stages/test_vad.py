"""The VAD in the tick: what is judged when, that rows do not disturb each other, and what the gate saves."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from media.silero import CONTEXT, FRAME, Silero, SileroWeights, find_model, load_weights
from media.vad import HANGOVER, PHASES, Vad


@pytest.fixture(scope="module")
def weights() -> SileroWeights:
    return load_weights(find_model())


def noise(rows: int, ticks: int, level: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, (ticks, rows, 320)).astype(np.int16)


def test_every_tick_judges_an_even_share(weights: SileroWeights) -> None:
    vad = Vad(16, weights)
    shares = [int(vad.step(frame).judged.sum()) for frame in noise(16, 24, 1000)]
    assert set(shares) == {16 * 5 // PHASES}


def test_where_a_judged_frame_ends(weights: SileroWeights) -> None:
    vad = Vad(1, weights)
    ends = []
    for tick, frame in enumerate(noise(1, 16, 1000)):
        heard = vad.step(frame)
        if heard.judged[0]:
            ends.append((tick + 1) * 160 - int(heard.end[0]))
    # One every 32 ms: 256 samples at 8 kHz.
    assert np.diff(ends).tolist() == [256] * (len(ends) - 1)
    assert ends[0] == 256


def test_loud_rows_are_what_the_model_says(weights: SileroWeights) -> None:
    sound = np.concatenate(noise(1, 40, 6000)[:, 0])
    vad, model = Vad(1, weights), Silero(weights, 1)
    padded = np.concatenate([np.zeros(CONTEXT, np.int16), sound])
    # The gate gives the model the frame of silence before the first.
    model.forward(np.array([0]), np.zeros((1, CONTEXT + FRAME), np.int16))
    starts = range(0, len(sound) - FRAME + 1, FRAME)
    expected = [float(model.forward(np.array([0]), padded[None, at : at + CONTEXT + FRAME])[0]) for at in starts]
    said = []
    for start in range(0, len(sound), 320):
        heard = vad.step(sound[None, start : start + 320])
        said += [float(heard.probability[0])] if heard.judged[0] else []
    np.testing.assert_allclose(said, expected[: len(said)], atol=1e-5)


def test_rows_that_hear_nothing_do_not_move_on(weights: SileroWeights) -> None:
    sound = noise(1, 20, 6000)
    alone, among = Vad(1, weights), Vad(9, weights)
    for frame in sound:
        steady = alone.step(frame)
        every = np.full((9, 320), 5000, np.int16)
        every[8] = frame[0]
        only = np.arange(9) == 8
        assert not among.step(every, heard=~only).judged[8]
        heard = among.step(every[[8]], rows=np.array([8]))
        assert heard.judged.tolist() == [False] * 8 + [bool(steady.judged[0])]
        assert heard.probability[8] == pytest.approx(float(steady.probability[0]), abs=1e-6)


def test_a_quiet_line_costs_nothing(weights: SileroWeights) -> None:
    vad = Vad(4, weights)
    for frame in noise(4, 200, 30):
        heard = vad.step(frame)
    assert vad.judged == 4 * 200 * 5 // PHASES
    assert vad.computed < 0.02 * vad.judged
    assert not heard.probability.any()


def test_the_gate_stays_open_for_a_while_after_sound(weights: SileroWeights) -> None:
    vad = Vad(1, weights)
    for frame in noise(1, 80, 30):
        vad.step(frame)
    before = vad.computed
    for frame in np.concatenate([noise(1, 8, 3000), noise(1, 80, 30)]):
        vad.step(frame)
    # 8 ticks are 5 frames, one more that they begin or end in, and the one before.
    assert HANGOVER + 4 <= vad.computed - before <= HANGOVER + 7


def test_a_reset_row_has_no_past(weights: SileroWeights) -> None:
    vad, fresh = Vad(1, weights), Vad(1, weights)
    for frame in noise(1, 30, 8000, seed=3):
        vad.step(frame)
    vad.reset(0)
    for frame in noise(1, 30, 5000, seed=4):
        assert vad.step(frame).probability[0] == fresh.step(frame).probability[0]


def test_recorded_speech_is_heard_and_its_silence_is_not(weights: SileroWeights) -> None:
    folder = os.environ.get("ANTIPHON_TEST_DATA")
    if not folder:
        pytest.skip("ANTIPHON_TEST_DATA is not set")
    with wave.open(str(Path(folder, "speech", "002.wav"))) as file:
        speech = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    quiet = np.random.default_rng(1).normal(0, 20, 16000).astype(np.int16)
    sound = np.concatenate([quiet, speech, quiet])
    vad = Vad(1, weights)
    ticks = sound[: len(sound) // 320 * 320].reshape(-1, 1, 320)
    heard = np.array([float(vad.step(tick).probability[0]) for tick in ticks])
    within = heard[50 : 50 + len(speech) // 320]
    assert heard[:48].max() < 0.3
    assert heard[-25:].max() < 0.3
    assert within.max() > 0.95
    assert (within > 0.5).mean() > 0.3


def test_rows_of_the_telephone_and_wide_ones_are_judged_beside_each_other(weights: SileroWeights) -> None:
    sound = noise(4, 24, 6000)
    mixed, wide = Vad(4, weights), Vad(4, weights)
    for row in (1, 3):
        mixed.set_narrow(row, True)
    narrow = Vad(4, weights)
    for row in range(4):
        narrow.set_narrow(row, True)
    for frames in sound:
        found = mixed.step(frames).probability
        np.testing.assert_allclose(found[[0, 2]], wide.step(frames).probability[[0, 2]], atol=1e-5)
        np.testing.assert_allclose(found[[1, 3]], narrow.step(frames).probability[[1, 3]], atol=1e-5)
    # White noise has half its power above 4 kHz, which a line of 8 kHz does not carry: the two are not the same.
    assert np.abs(wide.probability - narrow.probability).max() > 1e-4
