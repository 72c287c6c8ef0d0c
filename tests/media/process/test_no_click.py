"""No step of the agent's voice clicks on the wire: its pause, resumption, flush and next word come in by ramps."""

from __future__ import annotations

import numpy as np

from media.codecs.g711 import decode
from media.frames import BargeIn, Codec, Paused, Resumed
from media.playout import RAMP_SAMPLES
from tests.media.process.line import Line, on_a_line

AMPLITUDE = 10000
CALLER = 9000
# Of a tone of 200 Hz from one sample to the next, of the ramp over it, and of two steps of G.711 at this level.
STEEPEST = AMPLITUDE * 2 * np.pi * 200 / 8000 + AMPLITUDE / RAMP_SAMPLES + 2 * 512


def test_pause_resume_flush_and_a_new_word_have_no_edge() -> None:
    async def test(line: Line) -> None:
        tone = np.rint(AMPLITUDE * np.cos(2 * np.pi * 200 * np.arange(100 * 160) / 8000)).astype(np.int16)
        line.call.play(tone.reshape(-1, 160))
        await line.say(0, 10)
        await line.say(CALLER, 5)
        [paused] = line.of(Paused)
        await line.say(0, 5)
        await line.plane.during(line.call.resume(paused.played))
        line.collect()
        await line.say(0, 10)
        assert line.of(Resumed)
        await line.plane.during(line.call.flush())
        line.collect()
        await line.say(0, 5)
        line.call.play(tone.reshape(-1, 160))
        await line.say(0, 10)
        wire = np.concatenate([decode(np.frombuffer(sent.payload, np.uint8), Codec.PCMU) for sent in line.sent])
        assert np.abs(wire).max() > 0.9 * AMPLITUDE
        assert np.abs(np.diff(wire.astype(int))).max() < STEEPEST

    on_a_line(test, barge_in=BargeIn(threshold=0.35, cooldown_ms=0))
