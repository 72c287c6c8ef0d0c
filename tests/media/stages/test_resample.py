"""Resampling by tones: what goes in comes out, at its level, without images or seams."""

from __future__ import annotations

import numpy as np
import pytest

from media.resample import DELAY_MS, Up8to16, response


def tone(frequency: float, rate: int, seconds: float, amplitude: float = 8000) -> np.ndarray:
    return np.rint(amplitude * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def stepped(up: Up8to16, row: int, rows: int, pcm: np.ndarray) -> np.ndarray:
    out = []
    for start in range(0, len(pcm), 160):
        frame = np.zeros((rows, 160), np.int16)
        frame[row] = pcm[start : start + 160]
        out.append(up.step(frame)[row].copy())
    return np.concatenate(out)


@pytest.mark.parametrize("frequency", [100, 400, 1000, 2000, 3000, 3400])
def test_a_tone_comes_out_alone(frequency: float) -> None:
    out = stepped(Up8to16(3), 1, 3, tone(frequency, 8000, 1))[1600:].astype(float)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    peak = int(spectrum.argmax())
    assert abs(peak * 16000 / len(out) - frequency) < 2
    spectrum[max(0, peak - 8) : peak + 9] = 0
    # The filter's slope reaches from 3.4 kHz to the image at 4.6 kHz.
    limit = -35 if frequency > 3000 else -60
    assert 20 * np.log10(spectrum.max() / (8000 * len(out) / 4)) < limit


def test_the_samples_that_were_there_pass_unchanged() -> None:
    noise = np.random.default_rng(5).integers(-32768, 32768, 1600).astype(np.int16)
    out = stepped(Up8to16(1), 0, 1, noise)
    delay = round(DELAY_MS * 16)
    assert out[delay::2].tolist() == noise[: len(out[delay::2])].tolist()


def test_full_scale_does_not_wrap_around() -> None:
    square = np.where(np.arange(800) // 5 % 2, 32767, -32768).astype(np.int16)
    out = stepped(Up8to16(1), 0, 1, square).astype(int)
    assert np.abs(np.diff(out[200:])).max() <= 65535
    between = out[200:][(np.abs(out[200:]) < 20000)]
    assert len(between) < len(out) / 5


def test_rows_that_hear_nothing_do_not_move_on() -> None:
    pcm = tone(440, 8000, 0.2)
    steady = stepped(Up8to16(1), 0, 1, pcm)
    up, out = Up8to16(2), []
    for start in range(0, len(pcm), 160):
        frame = np.stack([pcm[start : start + 160], np.full(160, 9999, np.int16)])
        up.step(np.full((2, 160), 12345, np.int16), heard=np.array([False, True]))
        out.append(up.step(frame, heard=np.array([True, False]))[0].copy())
    assert np.concatenate(out).tolist() == steady.tolist()


def test_some_rows_alone_go_on_where_all_were() -> None:
    pcm = tone(440, 8000, 0.2)
    steady = stepped(Up8to16(1), 0, 1, pcm)
    up, out = Up8to16(4), []
    for k, start in enumerate(range(0, len(pcm), 160)):
        frame = pcm[start : start + 160][None]
        if k % 2:
            out.append(up.step(np.concatenate([frame, frame]), rows=np.array([3, 1]))[0].copy())
        else:
            out.append(up.step(frame.repeat(4, axis=0))[3].copy())
    assert np.concatenate(out).tolist() == steady.tolist()


def test_a_reset_row_has_no_past() -> None:
    up = Up8to16(1)
    up.step(np.full((1, 160), 30000, np.int16))
    up.reset(0)
    assert not up.step(np.zeros((1, 160), np.int16)).any()


def test_the_response_is_what_the_filter_does() -> None:
    """Tones below 3 kHz pass whole, their images are gone, and at 4 kHz half is left."""
    found = response(256)
    assert found.shape == (129,)
    np.testing.assert_allclose(found[:45], 1, atol=2e-3)
    np.testing.assert_allclose(found[64], 0.5, atol=1e-3)
    assert found[84:].max() < 2e-3
    up, time_line = Up8to16(1), np.arange(160 * 50) / 8000
    for k in (16, 58):
        tone = np.rint(8000 * np.sin(2 * np.pi * k * 62.5 * time_line)).astype(np.int16).reshape(-1, 1, 160)
        wide = np.concatenate([up.step(frame)[0].copy() for frame in tone])[800:][:8192]
        spectrum = np.abs(np.fft.rfft(wide * np.hanning(len(wide))))
        image = spectrum[round((128 - k) * 32)] / spectrum[k * 32]
        np.testing.assert_allclose(image, found[128 - k] / found[k], atol=2e-3)
