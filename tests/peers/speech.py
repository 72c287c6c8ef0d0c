"""What peers play: recorded people and a synthetic voice, as SIPp (µ-law without a header) and baresip (WAV) want it."""

from __future__ import annotations

import os
import wave
from collections.abc import Sequence
from math import gcd
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from inference.tts.espeak import CALLER_VOICE, EspeakEngine, say_pcm
from media.codecs.g711 import encode
from media.frames import LINE_RATE, Codec, Pcm
from tests.keypad import HIGH, LOW, PAD
from tests.tones import tone

needs_recordings = pytest.mark.skipif("ANTIPHON_TEST_DATA" not in os.environ, reason="ANTIPHON_TEST_DATA is not set")
RECORDED_RATE = 16_000


def recorded(name: str) -> Pcm:
    """A recording of the test data: int16, (n,), 8 kHz."""
    path = Path(os.environ["ANTIPHON_TEST_DATA"]) / "speech" / name
    if path.suffix == ".raw":
        return at_line_rate(np.fromfile(path, "<i2"), RECORDED_RATE)
    with wave.open(str(path), "rb") as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return at_line_rate(pcm, file.getframerate())


async def spoken(*texts: str) -> list[Pcm]:
    """Sentences in the synthetic caller's voice: int16, (n,), 8 kHz."""
    engine = EspeakEngine(1)
    await engine.start()
    try:
        return [await say_pcm(engine, text, CALLER_VOICE) for text in texts]
    finally:
        await engine.aclose()


def pressed(digit: str, seconds: float = 0.1) -> Pcm:
    """A key as its two tones (ITU-T Q.23): int16, (n,), 8 kHz."""
    low, high = next((low, row.index(digit)) for low, row in zip(LOW, PAD, strict=True) if digit in row)
    return tone(low, seconds, 3000) + tone(HIGH[high], seconds, 3000)


def at_line_rate(pcm: Pcm, rate: int) -> Pcm:
    """pcm: int16, (n,), `rate` samples a second. Returns int16, (m,), 8 kHz."""
    common = gcd(rate, LINE_RATE)
    samples = resample_poly(pcm.astype(np.float64), LINE_RATE // common, rate // common)
    return np.clip(np.round(samples), -32768, 32767).astype(np.int16)


def timeline(parts: Sequence[Pcm | float]) -> Pcm:
    """Speech and pauses, in seconds, one after the other. Returns int16, (n,), 8 kHz."""
    pieces = [np.zeros(round(part * LINE_RATE), np.int16) if isinstance(part, float) else part for part in parts]
    return np.concatenate(pieces)


def write_mu_law(path: Path, pcm: Pcm) -> str:
    """For SIPp's `rtp_stream`, in whole packets. Returns the path as text."""
    whole = np.zeros(-(-len(pcm) // 160) * 160, np.int16)
    whole[: len(pcm)] = pcm
    path.write_bytes(encode(whole, Codec.PCMU).tobytes())
    return str(path)


def write_wav(path: Path, pcm: Pcm) -> str:
    """For baresip's `aufile`. Returns the path as text."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, LINE_RATE, 0, "NONE", ""))
        file.writeframes(pcm.astype("<i2").tobytes())
    return str(path)
