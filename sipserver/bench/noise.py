"""What noise suppression brings and costs: recorded speech in noise, through G.711, with and without it.

Each recording is heard at several ratios of speech to noise. Measured are the sound itself, what Silero finds of the speech and where
it finds some in a pause, and what the embedded recogniser understands by each grammar beside the recordings; what it
understands without noise is taken for right.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.stt.base import SttHints
from inference.stt.pocketsphinx import PocketsphinxEngine
from media import resample
from media.frames import EAR_SAMPLES, LINE_RATE, LINE_SAMPLES, Pcm
from media.quiet import Quiet
from media.resample import Up8to16
from media.silero import SileroWeights, find_model, load_weights
from media.suppress import DELAY_MS
from media.vad import Vad
from sipserver.bench.recordings import (
    LEVEL,
    NOISES,
    Recording,
    Sound,
    noise,
    over_the_line,
    recordings,
    segmental,
    spoken,
)

RATIOS = (20, 15, 10, 5)
"""dB of speech above noise."""
_BEFORE = 4 * LINE_RATE
"""Four seconds of noise alone: a caller listens before speaking."""
_AFTER = LINE_RATE // 2
_LEAD = LINE_RATE // 2
"""What the recogniser gets of the noise before the speech."""
_SETTLED = 100
"""Frames after which what is found in the pause counts."""
_SPEECH = 0.5
_UP = int(resample.DELAY_MS * LINE_RATE / 1000)
"""Samples by which what came is later at 16 kHz."""
_WORKERS = 2


@dataclass(slots=True)
class _Heard:
    """One way of hearing a noisy line: int16, (n, 320), 16 kHz."""

    wide: Pcm
    found: float
    false: float
    ratio: float


def bench_noise(
    folder: Path, rounds: int = 1, recogniser: bool = True, ratios: tuple[int, ...] = RATIOS
) -> dict[str, Any]:
    """Hear every recording of `folder` in noise at each of `ratios`, with and without suppression, `rounds` times with other noise.

    Returned: for each noise and ratio `snr_db` (segmental, off and on), `pause_db` (how much lower the noise is in pauses), `vad_found`
    and `vad_false` (shares of frames with speech that are found, and of frames without that are taken for it) and, of the
    utterances that are understood without noise, how many are understood the same, as something else, or asked again; of those
    that are not, how many are taken for a sentence. `cost_us` is the processor time a call and tick, by the number of calls.

    Raises NoRecordings.
    """
    voices = recordings(folder)
    grammars = sorted(folder.glob("*.gram")) if recogniser else []
    return asyncio.run(_Bench(voices, [path.read_text() for path in grammars], rounds, ratios).run())


class _Bench:
    def __init__(self, voices: list[Recording], grammars: list[str], rounds: int, ratios: tuple[int, ...]) -> None:
        self._voices = voices
        self._grammars = grammars
        self._rounds = rounds
        self._ratios = ratios
        self._weights = load_weights(find_model())
        self._right: dict[tuple[str, str], str] = {}

    async def run(self) -> dict[str, Any]:
        stt = PocketsphinxEngine(workers=_WORKERS, decoders_per_worker=1, checkout_timeout=60)
        if self._grammars:
            await stt.start()
        try:
            for voice in self._voices:
                heard = _upsampled(over_the_line(_padded(voice.sound)))
                for grammar, text in zip(self._grammars, await self._understood(stt, heard), strict=True):
                    self._right[voice.name, grammar] = text
            figures = {
                f"{kind}_{ratio}_db": await self._at(stt, kind, ratio) for kind in NOISES for ratio in self._ratios
            }
        finally:
            if self._grammars:
                await stt.aclose()
        return figures | {"cost_us": {str(calls): cost(calls) for calls in (1, 50, 500)}}

    async def _at(self, stt: PocketsphinxEngine, kind: str, ratio: int) -> dict[str, Any]:
        off: list[_Heard] = []
        on: list[_Heard] = []
        words = {"off": Counter[str](), "on": Counter[str]()}
        pauses = []
        for turn in range(self._rounds):
            chance = np.random.default_rng(turn)
            for voice in self._voices:
                others = [other for other in self._voices if other is not voice] or self._voices
                clean = _padded(voice.sound)
                came = over_the_line(clean + noise(kind, len(clean), chance, others) * LEVEL * 10 ** (-ratio / 20))
                both = _upsampled(came), _quietened(came)
                off.append(self._judge(clean, both[0], late=0))
                on.append(self._judge(clean, both[1], late=DELAY_MS * LINE_RATE // 1000))
                pauses.append(_level(both[1]) - _level(both[0]))
                for name, wide in zip(words, both, strict=True):
                    said = await self._understood(stt, wide)
                    words[name].update(map(self._verdict, [voice.name] * len(said), self._grammars, said))
        return {
            "snr_db": [_mean(one.ratio for one in way) for way in (off, on)],
            "pause_db": _mean(pauses),
            "vad_found": [_mean(one.found for one in way) for way in (off, on)],
            "vad_false": [_mean(one.false for one in way) for way in (off, on)],
            "words": {name: dict(sorted(count.items())) for name, count in words.items()},
        }

    def _judge(self, clean: Sound, wide: Pcm, late: int) -> _Heard:
        narrow = np.asarray(wide[:, 1::2], np.float64).reshape(-1)
        active = spoken(clean)[: len(wide)]
        said = _voice_activity(wide, self._weights)
        pause = said[_SETTLED : _BEFORE // LINE_SAMPLES - 2]
        found, false = float((said[active] > _SPEECH).mean()), float((pause > _SPEECH).mean())
        return _Heard(wide, found, false, segmental(np.concatenate([np.zeros(late + _UP), clean]), narrow))

    async def _understood(self, stt: PocketsphinxEngine, wide: Pcm) -> list[str]:
        """By each grammar what was said, empty where the caller would be asked again."""
        utterance = wide[(_BEFORE - _LEAD) // LINE_SAMPLES :]
        return await asyncio.gather(*(_recognised(stt, utterance, grammar) for grammar in self._grammars))

    def _verdict(self, name: str, grammar: str, text: str) -> str:
        right = self._right[name, grammar]
        if not right:
            return "taken_for_a_sentence" if text else "rightly_rejected"
        if text == right:
            return "understood"
        return "misunderstood" if text else "asked_again"


async def _recognised(stt: PocketsphinxEngine, wide: Pcm, grammar: str) -> str:
    session = await stt.open()
    await session.begin(SttHints(grammar))
    for frame in wide:
        session.push(frame)
    result = await session.finalize(60)
    await session.aclose()
    return result.text if result.kind == "final" and not result.confirm else ""


def cost(calls: int, ticks: int = 10) -> float:
    """Microseconds of processor time for each of so many calls and tick."""
    quiet, rows = Quiet(calls), np.arange(calls)
    pcm = np.random.default_rng(1).normal(0, LEVEL / 4, (calls, LINE_SAMPLES)).astype(np.int16)
    wide, best = np.zeros((calls, EAR_SAMPLES), np.int16), float("inf")
    for _ in range(5):
        begun = time.thread_time()
        for _ in range(ticks):
            quiet.step(pcm, wide, rows)
        best = min(best, time.thread_time() - begun)
    return round(best / ticks / calls * 1e6, 1)


def _padded(sound: Sound) -> Sound:
    return np.concatenate([np.zeros(_BEFORE), sound, np.zeros(_AFTER)])


def _upsampled(came: Pcm) -> Pcm:
    up = Up8to16(1)
    return np.concatenate([up.step(frame[None]).copy() for frame in came])


def _quietened(came: Pcm) -> Pcm:
    quiet, row = Quiet(1), np.zeros(1, np.intp)
    wide = np.zeros((1, EAR_SAMPLES), np.int16)
    return np.concatenate([quiet.step(frame[None], wide, row).copy() for frame in came])


def _voice_activity(wide: Pcm, weights: SileroWeights) -> np.ndarray[Any, np.dtype[np.float32]]:
    vad = Vad(1, weights)
    vad.set_narrow(0, True)
    return np.array([float(vad.step(frame[None]).probability[0]) for frame in wide], np.float32)


def _level(wide: Pcm) -> float:
    """Of the noise before the speech, once it is known."""
    pause = wide[_SETTLED : _BEFORE // LINE_SAMPLES - 2].astype(np.float64)
    return float(10 * np.log10((pause**2).mean() + 1e-9))


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 2)
