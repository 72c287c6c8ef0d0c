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
from typing import Any

from inference.caller import Caller
from inference.courtesy import courtesies
from inference.dialogue import Answer, Heard, Said
from inference.engines import Engines
from inference.floor import Floor
from inference.happenings import Happening, Inbox, MediaOver, Tasks
from inference.keypad import Keypad
from inference.ledger import Ledger, Part
from inference.listener import Deaf, Listener, Partial, Recognised
from inference.llm.base import LlmUnavailable
from inference.message import MessageTaker
from inference.minds import dialogue_of
from inference.prompt import Texts, call_variables
from inference.reply import Reply, Terms, Written
from inference.script import ScriptError
from inference.silence import Silence
from inference.speaker import Mouth
from inference.speculation import Speculation
from inference.stt.base import SttEvent, SttUnavailable
from inference.turns import Dropped, EmbeddedJudge, Interrupted, Speculate, SpeculationVoid, TurnBegan, TurnOver, Turns
from media.frames import (
    LINE_RATE,
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
from sipserver.protocols import CallLog, ConversationEnd, EndedReason, LiveCall, Utterance

_MS = LINE_RATE // 1000
NOISE = 250 * _MS
"""Speech shorter than this that was not understood is a cough, not a question to be answered."""
LONG = 600 * _MS
"""Speech over the agent that was not understood makes it stop and ask when it was as long as this."""
FAREWELL = 6 * LINE_RATE
"""How long before the limit of the call the agent begins to say that time is up."""
NOT_UNDERSTOOD = "[not understood]"
"""What the transcript says of a turn whose words the recogniser rejected: never its guess."""


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
        self._agent = call.agent
        self._media = call.media
        self._engines = engines
        self._clock = clock
        self._polite = courtesies(call.agent.language)
        self._ledger = Ledger(log, call.id, clock)
        self._inbox = Inbox(call.media)
        self._turn_count = 0
        self._latencies: list[int] = []
        self._captured: dict[str, Any] = {}
        self._reason: EndedReason | None = None
        self._over = False

    async def run(self, call: LiveCall) -> ConversationEnd:
        """Talk until there is no more to say. When cancelled, put down what was heard so far. `call` is `create`'s."""
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._ledger.run())
            self._tasks = Tasks(group)
            self._tasks.start(self._inbox.listen())
            self._furnish(call)
            try:
                await self._talk()
            finally:
                self._tasks.cancel()
                await self._put_down()
                await self._ledger.finish()
                await asyncio.wait([writer])
        return self.result()

    def result(self) -> ConversationEnd:
        """What it has come to so far."""
        return ConversationEnd(
            reason=self._reason,
            captured=dict(self._captured),
            turn_count=self._turn_count,
            turn_latencies_ms=tuple(self._latencies),
            opt_out=self._captured.get("opt_out") is True,
        )

    def _furnish(self, call: LiveCall) -> None:
        """Everything that a conversation is made of."""
        agent = call.agent
        self._texts = Texts(call_variables(call, self._clock()))
        self._greeting = self._texts.render(agent.greeting or "") if agent.greeting_enabled else ""
        self._keypad = Keypad()
        self._silence = Silence(agent.silence)
        self._mouth = Mouth(self._media, self._engines.tts, agent.voice_id, agent.voice_speed)
        self._floor = Floor(self._media, self._mouth, self._ledger, agent.turn, self._tasks, self._inbox.put)
        self._speculation = Speculation(self._floor)
        self._listener = Listener(self._engines.stt, self._media, self._tasks.start, self._inbox.put)
        self._turns = Turns(agent.turn, EmbeddedJudge())
        self._caller = Caller(self._turns, self._listener, self._media, self._ledger)
        self._opened = False
        self._first_at: int | None = None
        self._deaf_before = False
        self._trouble: tuple[Part, str] | None = None
        self._parting = False
        self._last_tone = False

    async def _talk(self) -> None:
        """The call, from the first word to the last."""
        try:
            leader = dialogue_of(self._call, self._engines, self._texts, self._clock)
        except ScriptError as error:
            leader = None
            await self._ledger.problem("llm", f"The script cannot be used: {error}")
        if leader is None:
            taker = MessageTaker(self._media, self._mouth, self._ledger, self._inbox, self._polite)
            self._end(await taker.run(self._greeting, recorded=self._agent.recording.enabled))
            return
        self._leader = leader
        try:
            await self._begin()
            await self._loop()
        finally:
            await self._listener.aclose()

    async def _loop(self) -> None:
        while not self._over:
            happening = await self._inbox.next(self._due())
            await self._handle(happening)
            await self._decide(self._media.position())

    async def _handle(self, happening: Happening) -> None:
        """Something happened."""
        match happening:
            case SpeechStarted(at):
                self._caller_speaks(at)
            case SpeechStopped(at):
                await self._caller_falls_silent(at)
            case Partial(utterance, text):
                self._guessed(utterance, text)
            case Recognised(utterance, event):
                await self._recognised(event, self._caller.recognised(utterance))
            case Deaf(utterance, reason):
                await self._deaf(utterance, reason)
            case DigitHeard(at, digit):
                await self._key(digit, at)
            case Paused():
                self._floor.paused(happening)
            case Resumed():
                self._floor.resumed()
            case MarkPlayed():
                self._sounds(happening)
            case PlayoutIdle(at):
                await self._finished(at)
            case Written(reply):
                await self._written(reply)
            case MediaTimeout():
                self._end(EndedReason.MEDIA_TIMEOUT)
            case MediaFailed(_, reason):
                await self._ledger.problem("media", reason)
                self._end(EndedReason.ERROR)
            case MediaOver():
                self._end(None)

    async def _decide(self, now: int) -> None:
        """Time has passed: what follows from that, and from what turn taking makes of everything so far."""
        self._turns.handle_timer(now)
        while (event := self._turns.next_event()) is not None:
            match event:
                case TurnBegan(at):
                    self._caller.listen(at, self._leader.hints())
                case Speculate():
                    self._speculate()
                case SpeculationVoid():
                    self._speculation.forget()
                case Interrupted():
                    await self._interrupted()
                case TurnOver():
                    await self._turn_over(event)
                case Dropped():
                    self._caller.forget_turn()
                    await self._let_agent_go_on()
        if (keys := self._keypad.handle_timer(now)) is not None:
            await self._keyed(keys, now, collected=True)
        await self._keep_time(now)
        for name in self._texts.untold():
            await self._ledger.problem("llm", f"The variable {{{{{name}}}}} has no value.")

    def _due(self) -> int:
        """The position at which `_decide` has something to decide, if nothing happens before."""
        limit = self._agent.max_call_seconds * LINE_RATE
        due = [self._turns.next_timer(), self._keypad.next_timer(), self._silence.next_timer()]
        due.append(limit if self._parting else limit - FAREWELL)
        due.append(self._first_at if self._caller.quiet() else None)
        return min(at for at in due if at is not None)

    # -- who begins, and when nobody speaks -----------------------------------------------------------------------------

    async def _begin(self) -> None:
        recording = self._agent.recording
        if recording.enabled and recording.after_disclosure and self._agent.disclosure:
            await self._media.set_recording(False)
        self._floor.protect()
        try:
            await self._listener.open()
        except SttUnavailable as error:
            await self._fail("stt", str(error))
            return
        if self._agent.disclosure:
            terms = Terms(interruptible=False, then=self._disclosed)
            self._say(Said(self._texts.render(self._agent.disclosure)), terms)
        else:
            self._disclosed()

    def _disclosed(self) -> None:
        """The agent may begin, or waits for the caller (CONTRACT, "who begins")."""
        if self._agent.recording.enabled and self._agent.recording.after_disclosure and self._agent.disclosure:
            self._tasks.start(self._media.set_recording(True))
        now = self._media.position()
        if self._agent.first_speaker == "user":
            self._silence.begin(now)
        else:
            self._first_at = max(now, self._agent.first_message_delay_ms * _MS)

    def _open(self, heard: Heard | None = None, terms: Terms | None = None) -> None:
        """The agent's first words: by itself, or its greeting as the answer to a turn that came first."""
        self._first_at, self._opened = None, True
        answer = self._leader.greet(self._greeting, heard) if self._greeting else self._leader.open()
        protected = self._agent.first_speaker == "agent" and self._agent.first_message_uninterruptible
        self._say(answer, terms or Terms(interruptible=not protected))

    async def _keep_time(self, now: int) -> None:
        limit = self._agent.max_call_seconds * LINE_RATE
        if now >= limit:
            self._end(EndedReason.MAX_DURATION)
        elif now >= limit - FAREWELL and not self._parting:
            await self._part(self._polite.time_is_up, EndedReason.MAX_DURATION)
        elif self._first_at is not None and now >= self._first_at and self._caller.quiet():
            self._open()
        elif (due := self._silence.next_timer()) is not None and now >= due:
            await self._nobody_speaks()

    async def _nobody_speaks(self) -> None:
        self._silence.broken()
        prompt = self._silence.prompt(self._polite.still_there)
        if prompt is None:
            await self._part(self._polite.nobody_there, EndedReason.SILENCE_TIMEOUT)
        elif not self._opened:
            self._open()
        else:
            self._say(Said(self._texts.render(prompt)))

    # -- the caller -----------------------------------------------------------------------------------------------------

    def _caller_speaks(self, at: int) -> None:
        self._caller.shown(at, on=True)
        if self._parting:
            return
        self._silence.broken()
        self._floor.hold()
        self._turns.speech_started(at, over_agent=self._floor.reply is not None)

    async def _caller_falls_silent(self, at: int) -> None:
        """Speech whose turn was answered already (a key, a line that never was silent) may have paused the agent."""
        self._caller.shown(at, on=False)
        self._turns.speech_stopped(at)
        if not self._turns.open():
            await self._floor.carry_on()

    def _guessed(self, utterance: int, text: str) -> None:
        if self._caller.is_heard_now(utterance):
            self._caller.guessed(self._leader.hypothesis(text))

    async def _interrupted(self) -> None:
        if self._floor.reply is None or self._floor.reply.may_be_interrupted():
            await self._give_up_floor()

    async def _give_up_floor(self) -> None:
        if self._floor.reply is None:
            return
        self._trouble = None
        self._ledger.show("barge_in", {"atMs": self._media.position() // _MS})
        if heard := await self._floor.give_up():
            self._leader.agent_said(heard)

    async def _recognised(self, event: SttEvent, turn: TurnOver | None) -> None:
        """The caller's turn has words now, or none."""
        self._deaf_before = False
        if turn is None or self._last_tone:
            return
        hypothesis = self._leader.hypothesis(event.text)
        understood = event.kind == "final" and bool(event.text)
        reply = self._floor.reply
        if reply is not None:
            speaks = hypothesis.content if understood else turn.speech >= LONG
            if not (speaks and reply.may_be_interrupted()):
                await self._let_agent_go_on()
                return
            await self._give_up_floor()
        elif not understood and turn.speech < NOISE:
            await self._let_agent_go_on()
            return
        await self._turn(Heard(event.text if understood else "", understood, event.confirm), turn)

    async def _let_agent_go_on(self) -> None:
        self._speculation.forget()
        await self._floor.carry_on()
        if self._floor.reply is None and self._caller.quiet():
            self._silence.begin(self._media.position())

    async def _turn_over(self, turn: TurnOver) -> None:
        if not self._caller.finish(turn):
            await self._unheard()

    async def _deaf(self, utterance: int, reason: str) -> None:
        """The recogniser failed this utterance. While the caller still speaks, the end of the turn is waited for."""
        await self._ledger.problem("stt", reason)
        if self._caller.recognised(utterance) is not None:
            await self._unheard()

    async def _unheard(self) -> None:
        """A turn is over of which nothing could be heard: ask once to say it again, then give up."""
        if self._deaf_before and not self._parting:
            await self._part(self._polite.trouble, EndedReason.ERROR)
            return
        self._deaf_before = True
        if self._floor.reply is None:
            self._say(Said(self._polite.say_again))
        await self._let_agent_go_on()

    async def _turn(self, heard: Heard, turn: TurnOver) -> None:
        """A turn of the caller's is certain: answer it first, then write it down."""
        terms = Terms(answers_turn=True, turn_ended=turn.ended)
        self._answer(heard, terms)
        text = heard.text if heard.understood else NOT_UNDERSTOOD
        await self._ledger.utterance(Utterance("user", text, turn.began // _MS, max(turn.began, turn.ended) // _MS))
        await self._learn()

    def _answer(self, heard: Heard, terms: Terms) -> None:
        self._silence.answered()
        greeted, self._opened, self._first_at = self._opened or not self._greeting, True, None
        prepared = self._speculation.take(heard)
        if not greeted:
            self._open(heard, terms)
        elif prepared is not None:
            self._floor.say(prepared, terms, held=self._turns.speaking())
        else:
            self._say(self._leader.answer(heard), terms)
        if heard.text:
            self._leader.caller_said(heard.text)

    async def _key(self, digit: str, at: int) -> None:
        """A key interrupts like words do, when it means anything."""
        self._ledger.show("digit", {"digit": digit, "atMs": at // _MS})
        reply = self._floor.reply
        if self._parting or (reply is not None and not reply.may_be_interrupted()):
            return
        self._silence.broken()
        wanted = self._leader.keys()
        keys = self._keypad.press(digit, at, wanted)
        if keys is not None or self._keypad.collecting():
            await self._give_up_floor()
            self._turns.floor_taken()
        if keys is not None:
            await self._keyed(keys, at, collected=wanted.collect)
        elif self._floor.reply is None and self._caller.quiet():
            self._silence.begin(at)

    async def _keyed(self, keys: str, at: int, *, collected: bool) -> None:
        """Keys answer the turn. What was said meanwhile does not count; collected keys are not written down."""
        self._caller.drop()
        self._answer(Heard(keys, keyed=True), Terms(answers_turn=True))
        text = f"[keys {'*' * len(keys)}]" if collected else f"[key {keys}]"
        await self._ledger.utterance(Utterance("user", text, at // _MS, at // _MS))
        await self._learn()

    async def _learn(self) -> None:
        """Keep what the dialogue has captured, so that it survives a crash."""
        if dict(self._leader.captured) != self._captured:
            self._captured = dict(self._leader.captured)
            await self._ledger.captured(self._captured)

    def _speculate(self) -> None:
        if self._opened or not self._greeting:
            self._speculation.begin(self._leader, self._caller.partial)

    # -- the agent ------------------------------------------------------------------------------------------------------

    def _say(self, answer: Answer, terms: Terms | None = None) -> None:
        self._silence.broken()
        self._floor.say(self._floor.prepare(answer), terms or Terms(), held=self._turns.speaking())

    def _sounds(self, event: MarkPlayed) -> None:
        """The first sound of a reply has left: that is when the caller's turn was answered."""
        reply = self._floor.marked(event)
        if reply is None or not reply.terms.answers_turn:
            return
        self._turn_count += 1
        if reply.terms.turn_ended is not None:
            latency = (event.at - reply.terms.turn_ended) // _MS
            self._latencies.append(latency)
            self._ledger.show("turn", {"latencyMs": latency, "atMs": event.at // _MS})

    async def _written(self, reply: Reply) -> None:
        """All of a reply is queued. It may turn out now that the call ends with it, or that something failed."""
        if reply is not self._floor.reply:
            return
        self._floor.protect()
        failure = reply.speech.failure
        if failure is not None:
            self._trouble = ("llm" if isinstance(failure, LlmUnavailable) else "tts", str(failure))
        await self._finished(self._media.position())

    async def _finished(self, at: int) -> None:
        """If all of the reply has been heard: go on with what follows it."""
        if self._last_tone and self._mouth.all_played():
            self._end(EndedReason.ERROR)
        reply = await self._floor.finished(at)
        if reply is None:
            return
        if heard := reply.speech.heard(self._media.played()):
            self._leader.agent_said(heard)
        if self._trouble is not None:
            await self._fail(*self._trouble)
        elif (ending := reply.ending()) is not None:
            self._end(ending)
        elif reply.terms.then is not None:
            reply.terms.then()
        elif self._caller.quiet():
            self._silence.begin(at)

    # -- the end ----------------------------------------------------------------------------------------------------------

    def _end(self, reason: EndedReason | None) -> None:
        self._over, self._reason = True, reason

    async def _part(self, text: str, ending: EndedReason) -> None:
        """Say the last words, and end the call when they were heard."""
        self._parting = True
        self._caller.drop()
        self._speculation.forget()
        self._first_at = None
        await self._give_up_floor()
        self._say(Said(text), Terms(interruptible=False, ending=ending))

    async def _fail(self, part: Part, message: str) -> None:
        """An engine has failed: apologise and end. Without a voice a tone says it."""
        self._trouble = None
        await self._ledger.problem(part, message)
        if part != "tts":
            await self._part(self._polite.trouble, EndedReason.ERROR)
            return
        self._parting = self._last_tone = True
        self._caller.drop()
        await self._floor.last_tone()

    async def _put_down(self) -> None:
        """The call is over: what was heard until now, of both sides."""
        await self._floor.break_off()
        if (unfinished := self._caller.unfinished()) is not None:
            await self._ledger.utterance(unfinished)
