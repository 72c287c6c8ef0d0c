"""The loop of one call: what is heard, when it is answered, what is said, and what was heard of it.

Everything that happens on a call comes through one inbox, in order: events of the media plane, words of the recogniser, the
progress of the agent's own speech, and time. Each is handled in a moment; what takes longer (recognising, thinking, speaking,
writing records) runs beside it as a task of the call's group and reports back to the inbox.

    caller speaks   SpeechStarted → Turns → Listener → Partial … → Turns decides: TurnOver → Listener.finish → Recognised
    agent answers   Recognised → Dialogue.answer → Floor.say: text → sentences → speech → CallMedia.play → MarkPlayed … PlayoutIdle
    caller barges   SpeechStarted while a reply runs; the tick has paused it; Turns says Interrupted → what was not heard is
                    dropped; or the words were nothing, and the reply goes on at the start of a word
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from inference.courtesy import courtesies
from inference.engines import Engines
from inference.happenings import Happening, Inbox, MediaOver, SpeechOrdered, Tasks, TransferOrdered, TransferOver
from inference.ledger import Ledger
from inference.listener import Deaf, Partial, Recognised
from inference.message_taker import MessageTaker
from inference.minds import dialogue_of
from inference.outcome import Outcome
from inference.prompt import Texts, call_variables
from inference.reply import Written
from inference.script import ScriptError
from inference.speaker import Mouth
from inference.talk import Talk
from inference.turns import Dropped, Interrupted, Speculate, SpeculationVoid, TurnBegan, TurnOver
from media.frames import (
    DigitHeard,
    MarkPlayed,
    MediaFailed,
    MediaTimeout,
    Paused,
    PlayoutIdle,
    Resumed,
    SpeechStarted,
    SpeechStopped,
)
from sipserver.protocols import CallLog, ConversationEnd, EndedReason, LiveCall, SpeechOrder, TransferOrder


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


class Conversations:
    """Makes conversations (`sipserver.protocols.Conversations`)."""

    def __init__(self, engines: Engines, log: CallLog, clock: Callable[[], datetime] = utc_now) -> None:
        self._engines = engines
        self._log = log
        self._clock = clock

    def create(self, call: LiveCall) -> Conversation:
        """A conversation that has not begun."""
        return Conversation(call, self._engines, self._log, self._clock)


class Conversation:
    """Talks on one call (`sipserver.protocols.Conversation`)."""

    def __init__(self, call: LiveCall, engines: Engines, log: CallLog, clock: Callable[[], datetime]) -> None:
        self._call = call
        self._media = call.media
        self._engines = engines
        self._clock = clock
        self._ledger = Ledger(log, call.id, clock, call.off_record)
        self._inbox = Inbox(call.media)
        self._texts = Texts(call_variables(call, clock()))
        self._outcome = Outcome()
        self._talking: Talk | None = None

    async def run(self, call: LiveCall) -> ConversationEnd:
        """Talk until there is no more to say. When cancelled, put down what was heard so far. `call` is `create`'s."""
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._ledger.run())
            tasks = Tasks(group)
            try:
                tasks.start(self._inbox.listen())
                await self._talk(call, tasks)
            finally:
                tasks.cancel()
                await self._ledger.finish()
                await asyncio.wait([writer])
        return self.result()

    def hand_over(self, order: TransferOrder) -> bool:
        """Have the caller handed over; False when nobody talks, or the agent is parting or handing over already."""
        return (
            self._talking is not None
            and self._talking.may_hand_over()
            and not self._outcome.over
            and self._inbox.offer(TransferOrdered(order))
        )

    def speak(self, order: SpeechOrder) -> bool:
        """Have the agent say something; False when nobody talks, or the agent is parting, handing over, or has enough to say."""
        return (
            self._talking is not None
            and self._talking.may_be_told()
            and not self._outcome.over
            and self._inbox.offer(SpeechOrdered(order))
        )

    def result(self) -> ConversationEnd:
        """What it has come to so far."""
        return self._outcome.result()

    async def _talk(self, call: LiveCall, tasks: Tasks) -> None:
        """The call, from the first word to the last."""
        mouth = Mouth(call.media, self._engines.tts, call.agent.voice_id, call.agent.voice_speed)
        try:
            leader = dialogue_of(call, self._engines, self._texts, self._clock)
        except ScriptError as error:
            leader = None
            await self._ledger.problem("llm", f"The script cannot be used: {error}")
        if leader is None:
            await self._take_message(call, mouth)
            return
        talk = Talk(call, self._engines, leader, self._texts, mouth, self._ledger, self._inbox, tasks, self._outcome)
        try:
            await talk.begin()
            self._talking = talk
            await self._loop(talk)
        finally:
            await talk.put_down()
            await talk.listener.aclose()

    async def _take_message(self, call: LiveCall, mouth: Mouth) -> None:
        taker = MessageTaker(call.media, mouth, self._ledger, self._inbox, courtesies(call.agent.language))
        disclosure = self._texts.render(call.agent.disclosure or "")
        self._outcome.end(await taker.run(disclosure, self._texts.greeting(call.agent), call.agent.recording))

    async def _loop(self, talk: Talk) -> None:
        while not self._outcome.over:
            happening = await self._inbox.next(talk.due())
            await self._handle(talk, happening)
            await self._decide(talk, self._media.position())

    async def _handle(self, talk: Talk, happening: Happening) -> None:
        """Something happened."""
        match happening:
            case SpeechStarted(at):
                talk.caller_speaks(at)
            case SpeechStopped(at):
                await talk.caller_falls_silent(at)
            case Partial(utterance, text):
                talk.guessed(utterance, text)
            case Recognised(utterance, event):
                await talk.recognised(event, talk.caller.recognised(utterance))
            case Deaf(utterance, reason):
                await talk.deaf(utterance, reason)
            case DigitHeard(at, digit):
                await talk.key(digit, at)
            case Paused():
                talk.floor.paused(happening)
            case Resumed():
                talk.floor.resumed()
            case MarkPlayed():
                talk.sounds(happening)
            case PlayoutIdle(at):
                await talk.finished(at)
            case Written(reply):
                await talk.written(reply)
            case TransferOrdered(order):
                await talk.ordered(order)
            case SpeechOrdered(order):
                await talk.told(order)
            case TransferOver(outcome):
                await talk.transfer_over(outcome)
            case MediaTimeout():
                talk.outcome.end(EndedReason.MEDIA_TIMEOUT)
            case MediaFailed(_, reason):
                await self._ledger.problem("media", reason)
                talk.outcome.end(EndedReason.ERROR)
            case MediaOver():
                talk.outcome.end(None)

    async def _decide(self, talk: Talk, now: int) -> None:
        """Time has passed: what follows from that, and from what turn taking makes of everything so far."""
        talk.turns.handle_timer(now)
        while (event := talk.turns.next_event()) is not None:
            match event:
                case TurnBegan(at):
                    talk.caller.listen(at, talk.leader.hints())
                case Speculate():
                    talk.speculate()
                case SpeculationVoid():
                    talk.speculation.forget()
                case Interrupted():
                    await talk.interrupted()
                case TurnOver():
                    await talk.turn_over(event)
                case Dropped():
                    talk.caller.forget_turn()
                    await talk.let_agent_go_on()
        if (keys := talk.keypad.handle_timer(now)) is not None:
            await talk.keyed(keys, now, collected=True)
        await talk.keep_time(now)
        for name in self._texts.untold():
            await self._ledger.problem("llm", f"The variable {{{{{name}}}}} has no value.")
