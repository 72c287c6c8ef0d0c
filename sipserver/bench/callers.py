"""The callers of `antiphon bench calls`, a process of their own: `python -m sipserver.bench.callers`.

It reads what it is to do as a line of JSON (`Order`), rings, and prints a line when all calls are answered. Each caller hears the agent out
and says the next thing; some interrupt every other answer. After the seconds that count it prints what was seen, by the kernel's
times of arrival, and hangs up when its input ends.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from media.bench.capture import summary
from media.bench.spread import USUAL, spread
from media.frames import Pcm
from media.scheduling import be_punctual
from sipserver.bench.captured import CapturedLine, longest_gap_ms
from sipserver.demo.line import SilentLine, Spoken
from sipserver.demo.phone import CallRefused, Phone, PhoneCall
from sipserver.demo.scenario import CALLER_NUMBER, stopped_after, turns

PATIENCE = 20.0
ANSWER_SECONDS = 30.0
INTO_THE_SENTENCE = 1.5
"""Seconds for which the agent has been speaking when it is interrupted."""


@dataclass(frozen=True, slots=True)
class Order:
    """Whom to ring, how often, `rate` calls a second; each fourth caller interrupts. speech: a file of numpy, arrays of int16, 8 kHz."""

    host: str
    port: int
    number: str
    calls: int
    rate: float
    warm_up: float
    seconds: float
    speech: str


@dataclass(slots=True)
class Caller:
    """One of them. `cuts` are the utterances that interrupted; `unanswered` counts those that nobody answered."""

    number: int
    call: PhoneCall
    line: CapturedLine
    cuts: list[Spoken] = field(default_factory=list)
    unanswered: int = 0

    async def talk(self, speech: Sequence[Pcm]) -> None:
        """Until somebody ends it."""
        interrupts = self.number % 4 == 3
        for turn in itertools.count():
            said = speech[(self.number + turn) % len(speech)]
            try:
                await self._turn(said, interrupt=interrupts and turn % 2 == 0)
            except SilentLine:
                self.unanswered += 1

    async def _turn(self, said: Pcm, *, interrupt: bool) -> None:
        line = self.line
        if not line.spoken:
            await line.agent_ends(PATIENCE)
        spoken = await line.say(said)
        began = await line.agent_begins_after(spoken.end, PATIENCE)
        if interrupt:
            await asyncio.sleep(max(0.0, began + INTO_THE_SENTENCE - asyncio.get_running_loop().time()))
            cut = await line.say(said)
            self.cuts.append(cut)
            await line.agent_begins_after(cut.end, PATIENCE)
        await line.agent_ends(PATIENCE)


def main() -> None:
    """Carry out the order."""
    text = sys.stdin.readline()
    if not text:
        sys.exit("Who wanted to measure is gone.")
    be_punctual(cpu=-1, realtime=False)
    asyncio.run(_carry_out(Order(**json.loads(text))))


async def _carry_out(order: Order) -> None:
    loop = asyncio.get_running_loop()
    with np.load(Path(order.speech)) as file:
        speech = [np.asarray(file[name], np.int16) for name in file.files]
    async with AsyncExitStack() as stack:
        phone = await stack.enter_async_context(Phone(line=CapturedLine))
        callers, refused = await _ring(phone, order, stack)
        print(flush=True)
        talking = [asyncio.create_task(caller.talk(speech)) for caller in callers]
        await asyncio.sleep(order.warm_up)
        for caller in callers:
            caller.line.capture.forget()
        print(flush=True)
        await asyncio.sleep(order.seconds)
        print(json.dumps(seen(callers) | {"refused": refused}), flush=True)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        await loop.run_in_executor(None, sys.stdin.readline)


async def _ring(phone: Phone, order: Order, stack: AsyncExitStack) -> tuple[list[Caller], list[str]]:
    """All of them, not more than `rate` a second; the calls, and why others are none."""
    tasks = []
    for _ in range(order.calls):
        tasks.append(
            asyncio.create_task(phone.ring((order.host, order.port), order.number, CALLER_NUMBER, ANSWER_SECONDS))
        )
        await asyncio.sleep(1 / order.rate)
    callers, refused = [], []
    for number, answer in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
        if isinstance(answer, CallRefused):
            refused.append(str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            stack.push_async_callback(answer.close)
            assert isinstance(answer.line, CapturedLine)
            callers.append(Caller(number, answer, answer.line))
    return callers, refused


def seen(callers: Sequence[Caller]) -> dict[str, Any]:
    """The figures of all callers together. Times in milliseconds."""
    took = [1000 * turn for caller in callers for turn in turns(caller.line)]
    stops = [stopped_after(caller.line, cut) for caller in callers for cut in caller.cuts]
    captures = [caller.line.capture for caller in callers]
    return {
        "answer_ms": spread([1000 * caller.call.answer_seconds for caller in callers], USUAL, 1),
        "turns": len(took),
        "unanswered": sum(caller.unanswered for caller in callers),
        "turn_ms": spread(took, USUAL, 0),
        "interrupted": len(stops),
        "stopped": sum(stop is not None for stop in stops),
        "stop_ms": spread([1000 * stop for stop in stops if stop is not None], USUAL, 0),
        **summary(captures),
        "longest_gap_ms": spread([longest_gap_ms(capture) for capture in captures], USUAL, 1),
        "lost_calls": sum(caller.call.ended.is_set() for caller in callers),
    }


if __name__ == "__main__":
    main()
