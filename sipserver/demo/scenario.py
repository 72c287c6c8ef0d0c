"""The two calls of the demo: what the synthetic caller says and does, line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inference.tts.espeak import EspeakEngine, say_pcm
from media.frames import Pcm
from sipserver.demo.line import Line, SilentLine, Spoken
from sipserver.demo.phone import Phone, PhoneCall

CALLER_NUMBER = "+12025550123"
OWN_NUMBER = "+12025550100"
VOICE = "en-us+klatt4"
"""The espeak variant that the embedded recogniser understands best over a telephone line (measured: 18 of 22 phrases)."""
PATIENCE = 20.0
HANG_UP_SECONDS = 15.0

Say = Callable[[str], Awaitable[Pcm]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was measured at the telephone's end of a call. Seconds, except where the name says otherwise.

    `answer`: from the INVITE to its 200; for a call that the server placed, from `POST /v1/calls` to the INVITE.
    """

    answer: float
    turns: tuple[float, ...]
    interruption: float | None
    packets: int
    gaps: int
    jumps: int
    ended_by: str

    @property
    def audio_seconds(self) -> float:
        """How long the agent's side sent."""
        return self.packets * 0.02


class Voice:
    """The caller's voice: an espeak engine of its own. Use as an asynchronous context manager."""

    def __init__(self) -> None:
        self._engine = EspeakEngine(1)

    async def __aenter__(self) -> Say:
        await self._engine.start()
        voice = next(voice.id for voice in self._engine.voices() if voice.name == VOICE)

        async def say(text: str) -> Pcm:
            return await say_pcm(self._engine, text, voice)

        return say

    async def __aexit__(self, *_: object) -> None:
        await self._engine.aclose()


async def inbound(phone: Phone, server: tuple[str, int], say: Say, on_line: Callable[[PhoneCall], None]) -> Heard:
    """Ring the front desk: move an appointment, interrupt the long answer, press a key, say goodbye. Raises SilentLine, CallRefused."""
    lines = [await say(text) for text in INBOUND]
    call = await phone.ring(server, OWN_NUMBER, CALLER_NUMBER)
    on_line(call)
    move, day, enough, goodbye = lines
    line = call.line
    try:
        await line.agent_ends(PATIENCE)
        await line.say(move)
        await line.agent_ends(PATIENCE)
        await line.say(day)
        await _speaks_for(line, INTO_THE_SENTENCE)
        cut = await line.say(enough)
        await line.agent_begins_after(cut.end, PATIENCE)
        await line.agent_ends(PATIENCE)
        await line.press("1")
        await line.agent_ends(PATIENCE)
        await line.say(goodbye)
        ended_by = await call.until_ended(HANG_UP_SECONDS)
        return _heard(call, call.answer_seconds, ended_by, cut)
    finally:
        await call.close()


async def outbound(phone: Phone, yes: Pcm, ordered: float, on_line: Callable[[PhoneCall], None]) -> Heard:
    """Take the reminder's call and say yes. `ordered`: the loop's time at which it was asked for. Raises SilentLine."""
    try:
        leg = await phone.incoming(PATIENCE)
    except TimeoutError:
        raise SilentLine(f"the telephone did not ring within {PATIENCE:g} s") from None
    rang = asyncio.get_running_loop().time()
    call = phone.answer(leg)
    on_line(call)
    try:
        await call.line.agent_ends(PATIENCE)
        await call.line.say(yes)
        return _heard(call, rang - ordered, await call.until_ended(HANG_UP_SECONDS), None)
    finally:
        await call.close()


INTO_THE_SENTENCE = 5.0
"""Seconds into the agent's long answer at which the caller interrupts: in the middle of its second sentence."""
INBOUND = (
    "I would like to move my appointment.",
    "I can come on Friday.",
    "Thank you I know that already.",
    "No thank you that is all.",
)
OUTBOUND = "Yes I can make it."


async def _speaks_for(line: Line, seconds: float) -> None:
    """Until the agent has been speaking for a while: it is in the middle of a sentence."""
    began = await line.agent_begins(PATIENCE)
    await asyncio.sleep(max(0.0, began + seconds - asyncio.get_running_loop().time()))


def _heard(call: PhoneCall, answer: float, ended_by: str, cut: Spoken | None) -> Heard:
    line = call.line
    return Heard(
        answer=answer,
        turns=tuple(turns(line)),
        interruption=stopped_after(line, cut) if cut else None,
        packets=line.received.packets,
        gaps=line.received.sequence_gaps,
        jumps=line.received.timestamp_jumps,
        ended_by=ended_by,
    )


def turns(line: Line) -> list[float]:
    """Seconds from the last sample of each thing the caller said to the first of the agent's answer."""
    latencies = []
    for spoken in line.spoken:
        answers = [start for start in line.agent_began if start >= spoken.end]
        if answers:
            latencies.append(min(answers) - spoken.end)
    return latencies


def stopped_after(line: Line, cut: Spoken) -> float | None:
    """Seconds from the caller's first sample to the agent's last before it fell silent."""
    for spoken in line.agent_spoke:
        if spoken.start < cut.start < spoken.end:
            return spoken.end - cut.start
    return None
