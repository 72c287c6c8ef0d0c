"""Concealment: a lost frame goes on with the pitch, fades, and joins what follows without a click."""

from __future__ import annotations

import numpy as np
import pytest

from media.conceal import FADE, FADE_FRAMES, Concealer

YES, NO = np.array([True]), np.array([False])


def voiced(seconds: float, pitch: float = 120) -> np.ndarray:
    """Something like a vowel: harmonics of one pitch, falling off."""
    t = np.arange(int(8000 * seconds)) / 8000
    wave = sum(np.sin(2 * np.pi * pitch * h * t + h) / h for h in range(1, 12))
    return np.rint(6000 * wave).astype(np.int16)


def play(pcm: np.ndarray, lost: set[int]) -> np.ndarray:
    concealer, out = Concealer(1), []
    for number in range(len(pcm) // 160):
        frame = pcm[None, number * 160 : (number + 1) * 160].copy()
        if number in lost:
            frame[:] = 12345
        gone = np.array([number in lost])
        out.append(concealer.conceal(frame, ~gone, gone)[0])
    return np.concatenate(out)


def snr(clean: np.ndarray, made: np.ndarray) -> float:
    noise = (clean.astype(float) - made) ** 2
    return float(10 * np.log10((clean.astype(float) ** 2).mean() / noise.mean()))


@pytest.mark.parametrize("pitch", [70, 120, 180])
def test_a_vowel_goes_on_through_a_lost_frame(pitch: float) -> None:
    pcm = voiced(0.4, pitch)
    lost = slice(10 * 160, 11 * 160)
    assert snr(pcm[lost], play(pcm, {10})[lost]) > 8


def test_nothing_is_touched_without_loss() -> None:
    pcm = voiced(0.2)
    assert play(pcm, set()).tolist() == pcm.tolist()


def test_there_is_no_click_on_either_side() -> None:
    pcm = voiced(0.4)
    steepest = np.abs(np.diff(pcm.astype(int))).max()
    assert np.abs(np.diff(play(pcm, {9}).astype(int))).max() < 1.7 * steepest
    assert play(pcm, {9})[10 * 160 + 32 :].tolist() == pcm[10 * 160 + 32 :].tolist()


def test_a_long_loss_fades_to_silence() -> None:
    out = play(voiced(0.6), set(range(10, 25)))
    power = [int(np.abs(out[k * 160 : (k + 1) * 160]).max()) for k in range(10, 25)]
    assert power[: FADE_FRAMES + 1] == sorted(power[: FADE_FRAMES + 1], reverse=True)
    assert power[4] / power[1] == pytest.approx(FADE[4] / FADE[1], abs=0.1)
    assert not any(power[FADE_FRAMES:])


def test_a_long_loss_has_no_click_where_a_period_begins_again() -> None:
    # The pitch glides, so the end of a period is not its beginning.
    t = np.arange(3200) / 8000
    phase = 2 * np.pi * (110 * t + 100 * t**2)
    pcm = np.rint(6000 * sum(np.sin(h * phase + h) / h for h in range(1, 12))).astype(np.int16)
    steepest = np.abs(np.diff(pcm.astype(int))).max()
    assert np.abs(np.diff(play(pcm, {10, 11, 12, 13}).astype(int))).max() < 1.7 * steepest


def test_every_frame_of_a_loss_goes_on_where_the_one_before_ended() -> None:
    pcm = voiced(0.4, 100)
    out = play(pcm, {10, 11, 12}).astype(float)
    # 100 Hz are 80 samples, which is what is repeated: each sample is the one before it by a period, at its level.
    level = np.concatenate([np.linspace(FADE[k], FADE[k + 1], 161)[1:] for k in range(3)])
    expected = np.resize(pcm[1520:1600], 480) * level
    assert np.abs(out[1600:2080] - expected).max() < 0.02 * np.abs(pcm).max()


@pytest.mark.parametrize("samples", [160, 320])
def test_whatever_was_heard_what_is_made_up_is_no_louder(samples: int) -> None:
    chance = np.random.default_rng(5)
    concealer = Concealer(40, samples)
    for _ in range(30):
        frames = chance.integers(-32768, 32768, (40, samples)).astype(np.int16)
        lost = chance.random(40) < 0.3
        made = concealer.conceal(frames, ~lost, lost)
        assert made.dtype == np.int16
        assert np.abs(made.astype(int)).max() <= 32768


def test_a_loss_before_anything_was_heard_is_silence() -> None:
    assert not play(np.zeros(800, np.int16), {0, 1, 2}).any()


def test_rows_without_a_frame_do_not_move_on() -> None:
    pcm = voiced(0.4)
    steady = play(pcm, {10})
    concealer, out = Concealer(2), []
    for number in range(len(pcm) // 160):
        frame = pcm[number * 160 : (number + 1) * 160]
        concealer.conceal(np.full((2, 160), 777, np.int16), np.array([False, True]), np.array([False, False]))
        gone = number == 10
        out.append(concealer.conceal(np.stack([frame, frame]), np.array([not gone, False]), np.array([gone, False]))[0])
    assert np.concatenate(out).tolist() == steady.tolist()


def test_further_frames_of_a_tick_follow_on() -> None:
    pcm = voiced(0.4)
    steady = play(pcm, {10})
    concealer, out = Concealer(3), []
    rows = np.array([2])
    for number in range(len(pcm) // 160):
        frame = pcm[None, number * 160 : (number + 1) * 160].copy()
        if number == 10:
            flags = np.array([False, False, True])
            out.append(concealer.conceal(frame.repeat(3, axis=0), np.zeros(3, bool), flags)[2])
        else:
            out.append(concealer.follow(frame, rows)[0])
    assert np.concatenate(out).tolist() == steady.tolist()


def test_a_reset_row_has_no_past() -> None:
    concealer = Concealer(1)
    concealer.conceal(voiced(0.02)[None].copy(), YES, NO)
    concealer.reset(0)
    assert not concealer.conceal(np.ones((1, 160), np.int16), NO, YES).any()
