"""What the agent does about what happens: who begins, when the caller is answered, how speech is given up, how a call ends.

`Talk` decides; `conversation.py` is the loop that calls it. Its parts know their own trade: `caller` and `floor` are the two
sides of the call, `turns` says whose turn it is, `leader` what to answer.
"""

from __future__ import annotations

from dataclasses import replace

from inference.caller import Caller
from inference.courtesy import courtesies
from inference.dialogue import Answer, Dialogue, Heard, Said
from inference.engines import Engines
from inference.floor import Floor
from inference.handover import HandingOver
from inference.happenings import Inbox, Tasks
from inference.keypad import Keypad
from inference.learning import Learning
from inference.ledger import Ledger, Part
from inference.listener import Listener
from inference.llm.base import LlmUnavailable
from inference.outcome import Outcome
from inference.prompt import Texts
from inference.reply import Reply, Terms
from inference.silence import Silence
from inference.speaker import Mouth
from inference.speculation import Speculation
from inference.speech_orders import SpeechOrders
from inference.stt.base import SttEvent, SttUnavailable
from inference.turns import EmbeddedJudge, TurnOver, Turns
from media.frames import LINE_RATE, MarkPlayed
from sipserver.protocols import EndedReason, LiveCall, SpeechOrder, TransferOrder, TransferOutcome, Utterance

_MS = LINE_RATE // 1000
NOISE = 250 * _MS
"""Speech shorter than this that was not understood is a cough, not a question to be answered."""
LONG = 600 * _MS
"""Speech over the agent that was not understood makes it stop and ask when it was as long as this."""
FAREWELL = 6 * LINE_RATE
"""How long before the limit of the call the agent begins to say that time is up."""
NOT_UNDERSTOOD = "[not understood]"
"""What the transcript says of a turn whose words the recogniser rejected: never its guess."""


class Talk:
    """The agent's behaviour on one call. Positions (`at`, `now`) are samples of the recording's time line."""

    def __init__(
        self,
        call: LiveCall,
        engines: Engines,
        leader: Dialogue,
        texts: Texts,
        mouth: Mouth,
        ledger: Ledger,
        inbox: Inbox,
        tasks: Tasks,
        outcome: Outcome,
    ) -> None:
        agent = call.agent
        self.leader = leader
        self.outcome = outcome
        self.listener = Listener(engines.stt, call.media, tasks.start, inbox.put)
        self.turns = Turns(agent.turn, EmbeddedJudge())
        self.caller = Caller(self.turns, self.listener, call.media, ledger)
        self.floor = Floor(call.media, mouth, ledger, agent.turn, tasks, inbox.put)
        self.speculation = Speculation(self.floor)
        self.keypad = Keypad()
        self.silence = Silence(agent.silence)
        self.handing = HandingOver(call, engines, ledger, inbox, tasks)
        self._limit = call.media.position() + agent.max_call_seconds * LINE_RATE
        self._agent = agent
        self._media = call.media
        self._may_fail = call.may_fail
        self._texts = texts
        self._mouth = mouth
        self._ledger = ledger
        self._tasks = tasks
        self._polite = courtesies(agent.language)
        self._greeting = texts.greeting(agent)
        self._opened = False
        self._first_at: int | None = None
        self._deaf_before = False
        self._trouble: tuple[Part, str] | None = None
        self._parting = False
        self._last_tone = False
        self._learning = Learning(self.outcome.captured)
        self._off_record = call.off_record
        self._discreet = False
        self._orders = SpeechOrders()

    def due(self) -> int:
        """The position at which the loop has something to decide, if nothing happens before."""
        if self.handing.away:
            return self._media.position() + LINE_RATE
        due = [self.turns.next_timer(), self.keypad.next_timer(), self.silence.next_timer()]
        due.append(self._limit if self._parting else self._limit - FAREWELL)
        due.append(self._first_at if self.caller.quiet() else None)
        return min(at for at in due if at is not None)

    # -- who begins, and when nobody speaks -----------------------------------------------------------------------------

    async def begin(self) -> None:
        """Open the ears, say the disclosure, and begin or wait for the caller."""
        recording = self._agent.recording
        if recording.enabled and recording.after_disclosure and self._agent.disclosure:
            await self._media.set_recording(False)
        self.floor.protect()
        try:
            await self.listener.open()
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
            self.silence.begin(now)
        else:
            self._first_at = max(now, self._agent.first_message_delay_ms * _MS)

    def _open(self, heard: Heard | None = None, terms: Terms | None = None) -> None:
        """The agent's first words: by itself, or its greeting as the answer to a turn that came first."""
        self._first_at, self._opened = None, True
        answer = self.leader.greet(self._greeting, heard) if self._greeting else self.leader.open()
        protected = self._agent.first_speaker == "agent" and self._agent.first_message_uninterruptible
        self._say(answer, replace(terms or Terms(), interruptible=not protected))

    async def keep_time(self, now: int) -> None:
        """What follows from the time alone: the limit of the call, the first message, silence."""
        if self.handing.away:
            return
        if now >= self._limit:
            self.end(EndedReason.MAX_DURATION)
        elif now >= self._limit - FAREWELL and not self._parting:
            await self._part(self._polite.time_is_up, EndedReason.MAX_DURATION)
        elif order := self._orders.due(
            free=self._first_at is None and self.floor.reply is None and self.caller.quiet()
        ):
            self._say_ordered(order)
        elif self._first_at is not None and now >= self._first_at and self.caller.quiet():
            self._open()
        elif (due := self.silence.next_timer()) is not None and now >= due:
            await self._nobody_speaks()

    async def _nobody_speaks(self) -> None:
        self.silence.broken()
        prompt = self.silence.prompt(self._polite.still_there)
        if prompt is None:
            await self._part(self._polite.nobody_there, EndedReason.SILENCE_TIMEOUT)
        elif not self._opened:
            self._open()
        else:
            self._say(Said(self._texts.render(prompt)))

    # -- the caller -----------------------------------------------------------------------------------------------------

    def caller_speaks(self, at: int) -> None:
        """The caller begins to speak, or goes on. What the agent has not begun to say waits."""
        self.caller.shown(at, on=True)
        if self._parting or self.handing.away:
            return
        self.silence.broken()
        self.floor.hold()
        self.turns.speech_started(at, over_agent=self.floor.reply is not None)

    async def caller_falls_silent(self, at: int) -> None:
        """Speech whose turn was answered already (a key, a line that never was silent) may have paused the agent."""
        self.caller.shown(at, on=False)
        self.turns.speech_stopped(at)
        if not self.turns.open():
            await self.floor.carry_on()

    def guessed(self, utterance: int, text: str) -> None:
        """The recogniser has words for an utterance that is not over."""
        if self.caller.is_heard_now(utterance):
            self.caller.guessed(self.leader.hypothesis(text))

    async def interrupted(self) -> None:
        """Turn taking says that the caller takes the floor."""
        if self.floor.reply is None or self.floor.reply.may_be_interrupted():
            await self._give_up_floor()

    async def _give_up_floor(self) -> None:
        if self.floor.reply is None:
            return
        self._trouble = None
        self._ledger.show("barge_in", {"atMs": self._media.position() // _MS})
        if heard := await self.floor.give_up():
            self.leader.agent_said(heard)

    async def recognised(self, event: SttEvent, turn: TurnOver | None) -> None:
        """The caller's turn has words now, or none."""
        self._deaf_before = False
        if turn is None or self._last_tone:
            return
        understood = event.kind == "final" and bool(event.text)
        if not self._counts(event.text if understood else "", turn):
            await self.let_agent_go_on()
            return
        await self._give_up_floor()
        await self._turn(Heard(event.text if understood else "", understood, event.confirm), turn)

    def _counts(self, text: str, turn: TurnOver) -> bool:
        """Whether it is a turn, and no cough; over the agent, whether it takes the floor."""
        reply = self.floor.reply
        if reply is None:
            return bool(text) or turn.speech >= NOISE
        if not reply.may_be_interrupted():
            return False
        least = self._agent.turn.min_interruption_ms * _MS if reply.began is not None else 0
        speaks = self.leader.hypothesis(text).content if text else turn.speech >= LONG
        return speaks and turn.speech >= least

    async def let_agent_go_on(self) -> None:
        """What was heard is nothing: the agent goes on, or the silence does."""
        self.speculation.forget()
        await self.floor.carry_on()
        if self.floor.reply is None and self.caller.quiet():
            self.silence.begin(self._media.position())

    async def turn_over(self, turn: TurnOver) -> None:
        """The caller has finished: get the words."""
        if not self.caller.finish(turn):
            await self._unheard()

    async def deaf(self, utterance: int, reason: str) -> None:
        """The recogniser failed this utterance. While the caller still speaks, the end of the turn is waited for."""
        await self._ledger.problem("stt", reason)
        if self.caller.recognised(utterance) is not None:
            await self._unheard()

    async def _unheard(self) -> None:
        """A turn is over of which nothing could be heard: ask once to say it again, then give up."""
        if self._deaf_before and not self._parting:
            await self._give_up()
            return
        self._deaf_before = True
        if self.floor.reply is None:
            self._say(Said(self._polite.say_again))
        await self.let_agent_go_on()

    async def _turn(self, heard: Heard, turn: TurnOver) -> None:
        """A turn of the caller's is certain: answer it first, then write it down."""
        terms = Terms(answers_turn=True, turn_ended=turn.ended)
        off = self._ledger.is_off(turn.began, turn.ended)
        self._answer(heard, terms)
        text = heard.text if heard.understood else NOT_UNDERSTOOD
        await self._ledger.utterance(Utterance("user", text, turn.began // _MS, max(turn.began, turn.ended) // _MS))
        await self._learn(off=off)

    def _answer(self, heard: Heard, terms: Terms) -> None:
        self.silence.answered()
        greeted, self._opened, self._first_at = self._opened or not self._greeting, True, None
        prepared = self.speculation.take(heard)
        if not greeted:
            self._open(heard, terms)
        elif prepared is not None:
            self.floor.say(prepared, terms, held=self.turns.speaking())
        else:
            self._say(self.leader.answer(heard), terms)
        if heard.text:
            self.leader.caller_said(heard.text)

    async def key(self, digit: str, at: int) -> None:
        """A key interrupts like words do, when it means anything."""
        shown = "*" if self._ledger.is_off(at, at) else digit
        self._ledger.show("digit", {"digit": shown, "atMs": at // _MS})
        reply = self.floor.reply
        if self._parting or self.handing.away or (reply is not None and not reply.may_be_interrupted()):
            return
        self.silence.broken()
        wanted = self.leader.keys()
        keys = self.keypad.press(digit, at, wanted)
        if keys is not None or self.keypad.collecting():
            await self._give_up_floor()
            self.turns.floor_taken()
        if keys is not None:
            await self.keyed(keys, at, collected=wanted.collect)
        elif self.floor.reply is None and self.caller.quiet():
            self.silence.begin(at)

    async def keyed(self, keys: str, at: int, *, collected: bool) -> None:
        """Keys answer the turn. What was said meanwhile does not count; collected keys are not written down."""
        self.caller.drop()
        began = self.keypad.began if collected else at
        off = self._ledger.is_off(began, at)
        self._answer(Heard(keys, keyed=True), Terms(answers_turn=True))
        text = f"[keys {'*' * len(keys)}]" if collected else f"[key {keys}]"
        await self._ledger.utterance(Utterance("user", text, began // _MS, at // _MS))
        await self._learn(off=off)

    async def _learn(self, *, off: bool = False) -> None:
        """Keep what the dialogue has captured, so that it survives a crash; not what was told off the record."""
        if self._learning.learn(self.leader.captured, off=off):
            await self._ledger.captured(self.outcome.captured)

    def _be_discreet(self) -> None:
        """The dialogue wants to be off the record, or on it again. Whoever is asked looks at the time before anything else happens."""
        if self._discreet != self.leader.off_record:
            self._discreet = self.leader.off_record
            switch = self._off_record.pause if self._discreet else self._off_record.resume
            self._tasks.start(switch("script"))

    def speculate(self) -> None:
        """The caller may have finished: prepare an answer. The greeting needs no preparation."""
        if self._opened or not self._greeting:
            self.speculation.begin(self.leader, self.caller.partial)

    # -- the agent ------------------------------------------------------------------------------------------------------

    def _say(self, answer: Answer, terms: Terms | None = None) -> None:
        self.silence.broken()
        self._be_discreet()
        self.floor.say(self.floor.prepare(answer), terms or Terms(), held=self.turns.speaking())

    def sounds(self, event: MarkPlayed) -> None:
        """The first sound of a reply has left: that is when the caller's turn was answered."""
        reply = self.floor.marked(event)
        if reply is None or not reply.terms.answers_turn:
            return
        self.outcome.turn_count += 1
        if reply.terms.turn_ended is not None:
            latency = (event.at - reply.terms.turn_ended) // _MS
            self.outcome.latencies.append(latency)
            self._ledger.show("turn", {"latencyMs": latency, "atMs": event.at // _MS})

    async def written(self, reply: Reply) -> None:
        """All of a reply is queued. It may turn out now that the call ends with it, or that something failed."""
        if reply is not self.floor.reply:
            return
        self.floor.protect()
        failure = reply.speech.failure
        if failure is not None:
            self._trouble = ("llm" if isinstance(failure, LlmUnavailable) else "tts", str(failure))
        await self.finished(self._media.position())

    async def finished(self, at: int) -> None:
        """If all of the reply has been heard: go on with what follows it."""
        if self._last_tone and self._mouth.all_played():
            self.end(EndedReason.ERROR)
        reply = await self.floor.finished(at)
        if reply is None:
            return
        if heard := reply.speech.heard(self._media.played()):
            self.leader.agent_said(heard)
        if self._trouble is not None:
            await self._fail(*self._trouble)
        elif (ending := reply.ending()) is not None:
            self.end(ending)
        elif (wish := reply.answer.transfer) is not None:
            self._hand_over(self.handing.order(wish.label, wish.briefing))
        elif reply.terms.then is not None:
            reply.terms.then()
        elif self.caller.quiet():
            self.silence.begin(at)

    # -- what somebody orders to be said -------------------------------------------------------------------------------

    def may_be_told(self) -> bool:
        """Whether an order to say something would be carried out."""
        return not (self._parting or self.handing.away or self._orders.full())

    async def told(self, order: SpeechOrder) -> None:
        """Somebody ordered something to be said: as soon as nobody speaks, or now, in place of what the agent says."""
        if not self.may_be_told():
            return
        reply = self.floor.reply
        if order.interrupt and self.caller.quiet() and (reply is None or reply.may_be_interrupted()):
            await self._give_up_floor()
            self._first_at, self._opened = None, True
            self._say_ordered(order)
        else:
            self._orders.add(order)

    def _say_ordered(self, order: SpeechOrder) -> None:
        self.speculation.forget()
        self._say(Said(self._texts.render(order.text), ends=order.ends))

    # -- handing the caller over ------------------------------------------------------------------------------------------

    def may_hand_over(self) -> bool:
        """Whether an order to transfer the caller would be carried out."""
        return self.handing.possible() and not self._parting

    async def ordered(self, order: TransferOrder) -> None:
        """Somebody ordered it: whatever is being said, the agent lets go."""
        if self.may_hand_over():
            await self._give_up_floor()
            self._hand_over(order)

    def _hand_over(self, order: TransferOrder | None) -> None:
        self.caller.drop()
        self.speculation.forget()
        self.silence.broken()
        self.floor.away, self._first_at, self._opened = True, None, True
        self.floor.protect()
        if message := self.handing.begin(order, self.outcome.captured):
            self._say(Said(self._texts.render(message)), Terms(interruptible=False, then=self.handing.quiet))

    async def transfer_over(self, outcome: TransferOutcome) -> None:
        """Somebody else has the caller; or nobody has, and the agent goes on."""
        self._limit += self.handing.back()
        if outcome.failure is None:
            self.end(EndedReason.TRANSFERRED)
            return
        await self._mouth.stop()
        self.floor.away = False
        self._say(self.leader.returned(outcome))
        await self._learn()

    # -- the end ----------------------------------------------------------------------------------------------------------

    def end(self, reason: EndedReason | None) -> None:
        """There is no more to say."""
        self.outcome.end(reason)

    async def _part(self, text: str, ending: EndedReason) -> None:
        """Say the last words, and end the call when they were heard."""
        self._parting = True
        self.caller.drop()
        self.speculation.forget()
        self._first_at = None
        await self._give_up_floor()
        self._say(Said(text), Terms(interruptible=False, ending=ending))

    async def _fail(self, part: Part, message: str) -> None:
        """An engine has failed: apologise and end. Without a voice a tone says it."""
        self._trouble = None
        await self._ledger.problem(part, message)
        if part != "tts" or self._may_fail:
            await self._give_up()
            return
        self._parting = self._last_tone = True
        self.caller.drop()
        await self.floor.last_tone()

    async def _give_up(self) -> None:
        """The agent cannot go on. Where another one can, the caller is told nothing of it."""
        if self._may_fail:
            self.end(EndedReason.ERROR)
        else:
            await self._part(self._polite.trouble, EndedReason.ERROR)

    async def put_down(self) -> None:
        """The call is over: what was heard until now, of both sides."""
        await self.floor.break_off()
        if (unfinished := self.caller.unfinished()) is not None:
            await self._ledger.utterance(unfinished)
