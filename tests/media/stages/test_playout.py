"""Levels of the agent's voice: where they are, and that no way between them clicks."""

from __future__ import annotations

import numpy as np
import pytest

from media.playout import DUCKED, FULL, NOISE_RMS, RAMP_SAMPLES, SILENT, Playout

AMPLITUDE = 10000


class Voice:
    """A tone of 200 Hz on row 0 of two."""

    def __init__(self) -> None:
        self.playout = Playout(2, seed=5)
        self.now = 0

    def frame(self, gain: float, queued: bool = True) -> np.ndarray:
        at = np.arange(160) + self.now * 160
        pcm = np.zeros((2, 160), np.int16)
        pcm[0] = np.rint(AMPLITUDE * np.sin(2 * np.pi * 200 * at / 8000))
        out = self.playout.apply(pcm, np.array([queued, False]), np.array([gain, FULL], np.float32), self.now)
        self.now += 1
        return out[0].copy()

    def play(self, *gains: float) -> np.ndarray:
        return np.concatenate([self.frame(gain) for gain in gains])


def steepest(pcm: np.ndarray) -> int:
    return int(np.abs(np.diff(pcm.astype(int))).max())


TONE_STEP = int(AMPLITUDE * 2 * np.pi * 200 / 8000) + 2


def test_full_level_is_untouched() -> None:
    voice = Voice()
    voice.frame(FULL)
    at = np.arange(160) + 160
    assert voice.frame(FULL).tolist() == np.rint(AMPLITUDE * np.sin(2 * np.pi * 200 * at / 8000)).astype(int).tolist()


def test_ducked_is_12_db_down() -> None:
    voice = Voice()
    voice.play(FULL, DUCKED)
    level = np.abs(voice.play(DUCKED, DUCKED).astype(int)).max()
    assert 20 * np.log10(level / AMPLITUDE) == pytest.approx(-12, abs=0.05)


def test_a_pause_is_silent_within_its_frame() -> None:
    voice = Voice()
    voice.play(FULL, FULL)
    fading = voice.frame(SILENT)
    assert np.abs(fading[:20]).max() > 100
    assert np.abs(fading[RAMP_SAMPLES:].astype(int)).max() < 6 * NOISE_RMS


@pytest.mark.parametrize("gains", [(FULL, DUCKED, FULL), (FULL, SILENT), (SILENT, FULL), (DUCKED, SILENT, DUCKED)])
def test_no_change_clicks(gains: tuple[float, ...]) -> None:
    voice = Voice()
    voice.frame(SILENT)
    out = voice.play(*gains, *gains)
    assert steepest(out) < TONE_STEP + AMPLITUDE / RAMP_SAMPLES + 6 * NOISE_RMS


def test_a_voice_comes_in_by_a_ramp_after_nothing_was_queued() -> None:
    voice = Voice()
    voice.frame(FULL)
    voice.frame(FULL, queued=False)
    voice.now += 10
    voice.frame(FULL, queued=False)
    out = voice.frame(FULL)
    assert np.abs(out[:3].astype(int)).max() < AMPLITUDE / 8
    assert np.abs(out[RAMP_SAMPLES:].astype(int)).max() > 0.99 * AMPLITUDE


def test_the_noise_is_quiet_never_still_and_always_the_same() -> None:
    voice, again = Voice(), Voice()
    noise = np.concatenate([voice.frame(FULL, queued=False) for _ in range(600)]).astype(float)
    assert np.sqrt((noise**2).mean()) == pytest.approx(NOISE_RMS, rel=0.05)
    assert np.array_equal(noise, np.concatenate([again.frame(FULL, queued=False) for _ in range(600)]))
    assert all(frame.any() for frame in noise.reshape(-1, 160))
    assert len({frame.tobytes() for frame in noise.reshape(-1, 160)}) > 500


def test_rows_do_not_hiss_in_unison() -> None:
    out = Playout(2, seed=1).apply(np.zeros((2, 160), np.int16), np.zeros(2, bool), np.ones(2, np.float32), 0)
    assert not np.array_equal(out[0], out[1])


def test_a_new_call_comes_in_by_a_ramp() -> None:
    voice = Voice()
    voice.play(FULL, FULL)
    voice.playout.reset(0)
    assert np.abs(voice.frame(FULL)[:3].astype(int)).max() < AMPLITUDE / 8
