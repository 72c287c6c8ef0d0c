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
from inference.ledger import Ledger, Part
from inference.listener import Listener
from inference.llm.base import LlmUnavailable
from inference.notes import Notes
from inference.opening import Opening
from inference.outcome import Outcome
from inference.prompt import Texts
from inference.reply import Reply, Terms
from inference.silence import Silence
from inference.speaker import Mouth
from inference.speculation import Speculation
from inference.speech_orders import SpeechOrders
from inference.stt.base import SttEvent, SttUnavailable
from inference.time_limit import TimeLimit
from inference.turns import EmbeddedJudge, TurnOver, Turns
from inference.weight import takes_floor
from media.frames import LINE_RATE, MarkPlayed
from sipserver.protocols import EndedReason, LiveCall, SpeechOrder, TransferOrder, TransferOutcome


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
        self._limit = TimeLimit(call.media.position(), agent.max_call_seconds)
        self._agent = agent
        self._media = call.media
        self._may_fail = call.may_fail
        self._texts = texts
        self._mouth = mouth
        self._ledger = ledger
        self._tasks = tasks
        self._polite = courtesies(agent.language)
        self._opening = Opening(agent, texts.greeting(agent))
        self._orders = SpeechOrders()
        self._deaf_before = False
        self._trouble: tuple[Part, str] | None = None
        self._parting = self._last_tone = False
        self._notes = Notes(leader, ledger, outcome, call.off_record, tasks)

    def due(self) -> int:
        """The position at which the loop has something to decide, if nothing happens before."""
        if self.handing.away:
            return self._media.position() + LINE_RATE
        due = [self.turns.next_timer(), self.keypad.next_timer(), self.silence.next_timer()]
        due.append(self._limit.next_timer(parting=self._parting))
        due.append(self._opening.at if self.caller.quiet() else None)
        return min(at for at in due if at is not None)

    # -- who begins, and when nobody speaks -----------------------------------------------------------------------------

    async def begin(self) -> None:
        """Open the ears, say the disclosure, and begin or wait for the caller."""
        if self._opening.unrecorded:
            await self._media.set_recording(False)
        self.floor.protect()
        try:
            await self.listener.open()
        except SttUnavailable as error:
            await self._fail("stt", str(error))
            return
        if self._agent.disclosure:
            said = Said(self._texts.render(self._agent.disclosure))
            self._say(said, Terms(interruptible=False, then=self._disclosed))
        else:
            self._disclosed()

    def _disclosed(self) -> None:
        """The agent may begin, or waits for the caller (CONTRACT, "who begins")."""
        if self._opening.unrecorded:
            self._tasks.start(self._media.set_recording(True))
        if not self._opening.wait(self._media.position()):
            self.silence.begin(self._media.position())

    def _open(self, heard: Heard | None = None, terms: Terms | None = None) -> None:
        """The agent's first words: by itself, or its greeting as the answer to a turn that came first."""
        self._opening.begun()
        greeting = self._opening.greeting
        answer = self.leader.greet(greeting, heard) if greeting else self.leader.open()
        self._say(answer, replace(terms or Terms(), interruptible=not self._opening.protected))

    async def keep_time(self, now: int) -> None:
        """What follows from the time alone: the limit of the call, the first message, silence."""
        if self.handing.away:
            return
        if self._limit.is_over(now):
            self.outcome.end(EndedReason.MAX_DURATION)
        elif self._limit.is_near(now) and not self._parting:
            await self._part(self._polite.time_is_up, EndedReason.MAX_DURATION)
        elif order := self._orders.due(free=self._opening.at is None and self._nobody_speaks()):
            self._say_ordered(order)
        elif self._opening.is_due(now) and self.caller.quiet():
            self._open()
        elif (due := self.silence.next_timer()) is not None and now >= due:
            await self._break_silence()

    def _nobody_speaks(self) -> bool:
        return self.floor.reply is None and self.caller.quiet()

    async def _break_silence(self) -> None:
        self.silence.broken()
        prompt = self.silence.prompt(self._polite.still_there)
        if prompt is None:
            await self._part(self._polite.nobody_there, EndedReason.SILENCE_TIMEOUT)
        elif not self._opening.done:
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
        if self.floor.may_be_taken():
            await self._give_up_floor()

    async def _give_up_floor(self) -> None:
        self._trouble = None
        if heard := await self.floor.give_up():
            self.leader.agent_said(heard)

    async def recognised(self, event: SttEvent, turn: TurnOver | None) -> None:
        """The caller's turn has words now, or none."""
        self._deaf_before = False
        if turn is None or self._last_tone:
            return
        understood = event.kind == "final" and bool(event.text)
        text = event.text if understood else ""
        content = understood and self.leader.hypothesis(text).content
        if takes_floor(turn, text, content, self.floor.reply, self._agent.turn):
            await self._give_up_floor()
            await self._turn(Heard(text, understood, event.confirm), turn)
        else:
            await self.let_agent_go_on()

    async def let_agent_go_on(self) -> None:
        """What was heard is nothing: the agent goes on, or the silence does."""
        self.speculation.forget()
        await self.floor.carry_on()
        if self._nobody_speaks():
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
        off = self._ledger.is_off(turn.began, turn.ended)
        self._answer(heard, Terms(answers_turn=True, turn_ended=turn.ended))
        await self._notes.turn(heard, turn, off=off)

    def _answer(self, heard: Heard, terms: Terms) -> None:
        self.silence.answered()
        greeted = self._opening.done or not self._opening.greeting
        self._opening.begun()
        if not greeted:
            self._open(heard, terms)
        elif (prepared := self.speculation.take(heard)) is not None:
            self.floor.say(prepared, terms, held=self.turns.speaking())
        else:
            self._say(self.leader.answer(heard), terms)
        if heard.text:
            self.leader.caller_said(heard.text)

    async def key(self, digit: str, at: int) -> None:
        """A key interrupts like words do, when it means anything."""
        self._notes.pressed(digit, at)
        if self._parting or self.handing.away or not self.floor.may_be_taken():
            return
        self.silence.broken()
        wanted = self.leader.keys()
        keys = self.keypad.press(digit, at, wanted)
        if keys is not None or self.keypad.collecting():
            await self._give_up_floor()
            self.turns.floor_taken()
        if keys is not None:
            await self.keyed(keys, at, collected=wanted.collect)
        elif self._nobody_speaks():
            self.silence.begin(at)

    async def keyed(self, keys: str, at: int, *, collected: bool) -> None:
        """Keys answer the turn. What was said meanwhile does not count; collected keys are not written down."""
        self.caller.drop()
        began = self.keypad.began if collected else at
        off = self._ledger.is_off(began, at)
        self._answer(Heard(keys, keyed=True), Terms(answers_turn=True))
        await self._notes.keys(keys, began, at, collected=collected, off=off)

    def speculate(self) -> None:
        """The caller may have finished: prepare an answer. The greeting needs no preparation."""
        if self._opening.done or not self._opening.greeting:
            self.speculation.begin(self.leader, self.caller.partial)

    # -- the agent ------------------------------------------------------------------------------------------------------

    def _say(self, answer: Answer, terms: Terms | None = None) -> None:
        self.silence.broken()
        self._notes.be_discreet()
        self.floor.say(self.floor.prepare(answer), terms or Terms(), held=self.turns.speaking())

    def sounds(self, event: MarkPlayed) -> None:
        """The first sound of a reply has left: that is when the caller's turn was answered."""
        reply = self.floor.marked(event)
        if reply is not None and reply.terms.answers_turn:
            self._notes.answered(event.at, reply.terms.turn_ended)

    async def written(self, reply: Reply) -> None:
        """All of a reply is queued. It may turn out now that the call ends with it, or that something failed."""
        if reply is not self.floor.reply:
            return
        self.floor.protect()
        if (failure := reply.speech.failure) is not None:
            self._trouble = ("llm" if isinstance(failure, LlmUnavailable) else "tts", str(failure))
        await self.finished(self._media.position())

    async def finished(self, at: int) -> None:
        """If all of the reply has been heard: go on with what follows it."""
        if self._last_tone and self._mouth.all_played():
            self.outcome.end(EndedReason.ERROR)
        reply = await self.floor.finished(at)
        if reply is None:
            return
        if heard := reply.speech.heard(self._media.played()):
            self.leader.agent_said(heard)
        if self._trouble is not None:
            await self._fail(*self._trouble)
        elif (ending := reply.ending()) is not None:
            self.outcome.end(ending)
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
        if order.interrupt and self.caller.quiet() and self.floor.may_be_taken():
            await self._give_up_floor()
            self._opening.begun()
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
        self.floor.leave()
        self._opening.begun()
        if message := self.handing.begin(order, self.outcome.captured):
            self._say(Said(self._texts.render(message)), Terms(interruptible=False, then=self.handing.quiet))

    async def transfer_over(self, outcome: TransferOutcome) -> None:
        """Somebody else has the caller; or nobody has, and the agent goes on."""
        self._limit.extend(self.handing.back())
        if outcome.failure is None:
            self.outcome.end(EndedReason.TRANSFERRED)
            return
        await self.floor.come_back()
        self._say(self.leader.returned(outcome))
        await self._notes.learn()

    # -- the end ----------------------------------------------------------------------------------------------------------

    async def _part(self, text: str, ending: EndedReason) -> None:
        """Say the last words, and end the call when they were heard."""
        self._parting = True
        self.caller.drop()
        self.speculation.forget()
        self._opening.at = None
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
            self.outcome.end(EndedReason.ERROR)
        else:
            await self._part(self._polite.trouble, EndedReason.ERROR)

    async def put_down(self) -> None:
        """The call is over: what was heard until now, of both sides."""
        await self.floor.break_off()
        await self.caller.put_down()
