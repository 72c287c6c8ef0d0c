"""What speech becomes on its way through a telephone: 8 kHz, µ-law, and 16 kHz again for the recogniser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import numpy as np

from inference.stt.base import SttEvent, SttHints, SttSession
from inference.tts.resample import StreamResampler
from media.frames import EAR_RATE, EAR_SAMPLES, LINE_RATE, Pcm

GRAMMAR = """#JSGF V1.0;
grammar desk;
<want> = i (want | would like) to;
<day> = monday | tuesday | wednesday | thursday | friday;
<part> = morning | afternoon;
public <said> = cancel my order | <want> book an appointment | <want> speak to a human | what are your opening hours
  | where is my package | on <day> <part> please | yes that is correct | change my delivery address;
"""
LOOSE = """#JSGF V1.0;
grammar loose;
<filler> = um | uh | please | i | the | a | my | to | want | need | could | can | you | that | it | is | for | on | with | and;
<key> = cancel | order | appointment | book | human | opening hours | package | where | address | change;
public <loose> = (<filler> | <key>)+;
"""


def resampled(pcm: Pcm, source: int, target: int) -> Pcm:
    """pcm: int16, (n,)."""
    resampler = StreamResampler(source, target)
    samples = np.concatenate((resampler.push(pcm.astype(np.float64)), resampler.finish()))
    return np.clip(np.round(samples), -32768, 32767).astype(np.int16)


def mu_law(pcm: Pcm) -> Pcm:
    """There and back (ITU-T G.711): independent of the codec of the media plane."""
    x = np.clip(pcm.astype(np.int32), -32635, 32635)
    magnitude = np.abs(x) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    decoded = ((((magnitude >> (exponent + 3)) & 15) * 8 + 132) << exponent) - 132
    return np.where(x < 0, -decoded, decoded).astype(np.int16)


def over_the_line(pcm: Pcm) -> Pcm:
    """pcm: int16, (n,), 8 kHz, with 400 ms of silence before and 300 ms after it. Returns int16, (m,), 16 kHz."""
    padded = np.concatenate((np.zeros(3200, np.int16), pcm, np.zeros(2400, np.int16)))
    return resampled(mu_law(padded), LINE_RATE, EAR_RATE)


def frames(pcm: Pcm) -> Iterable[Pcm]:
    """20 ms each."""
    return (pcm[start : start + EAR_SAMPLES] for start in range(0, len(pcm), EAR_SAMPLES))


async def hear(session: SttSession, pcm: Pcm, hints: SttHints) -> tuple[SttEvent, list[SttEvent]]:
    """One utterance: its result, and its partials."""
    await session.begin(hints)
    partials = asyncio.create_task(_collect(session))
    await asyncio.sleep(0)
    for frame in frames(pcm):
        session.push(frame)
    result = await session.finalize(30)
    return result, await partials


async def _collect(session: SttSession) -> list[SttEvent]:
    return [event async for event in session.partials()]
