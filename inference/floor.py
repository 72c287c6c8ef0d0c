"""The agent's side of the floor: what it says now, how it is stopped, and what of it was heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from inference.dialogue import Answer
from inference.happenings import Tasks
from inference.ledger import Ledger
from inference.reply import Reply, Terms, Written
from inference.speaker import Mouth
from media.frames import LINE_RATE, BargeIn, CallMedia, MarkPlayed, Paused
from sipserver.protocols import TurnSettings, Utterance

_MS = LINE_RATE // 1000


class Floor:
    """The replies of one call, one at a time. `reply` is the one that is being said, or about to be."""

    def __init__(
        self,
        media: CallMedia,
        mouth: Mouth,
        ledger: Ledger,
        settings: TurnSettings,
        tasks: Tasks,
        report: Callable[[Written], Awaitable[None]],
    ) -> None:
        self.reply: Reply | None = None
        self.away = False
        """The caller is being handed over: what they say pauses nothing."""
        self._media = media
        self._mouth = mouth
        self._ledger = ledger
        self._settings = settings
        self._tasks = tasks
        self._report = report
        self._paused: Paused | None = None
        self._pausable: bool | None = None

    def prepare(self, answer: Answer) -> Reply:
        """Begin to write and synthesise an answer; nothing of it is heard before `say`."""
        reply = Reply(answer, self._mouth.speech())
        reply.task = self._tasks.start(self._speak(reply))
        return reply

    def say(self, reply: Reply, terms: Terms, *, held: bool = False) -> None:
        """It is said for certain. `held`: not before `carry_on`, for the caller is speaking."""
        reply.terms = terms
        reply.answer.commit()
        self.reply = reply
        self.protect()
        if not held or not reply.may_be_interrupted():
            reply.speech.may_play.set()

    def protect(self) -> None:
        """Let the tick pause the agent only where the agent may be interrupted, and not for ever for nothing."""
        pausable = not self.away and (self.reply is None or self.reply.may_be_paused())
        if pausable != self._pausable:
            self._pausable = pausable
            settings = self._settings
            self._media.set_barge_in(BargeIn(pausable, settings.activation_threshold, settings.post_speech_cooldown_ms))

    def hold(self) -> None:
        """The caller speaks: what has not begun to sound waits."""
        reply = self.reply
        if reply is not None and reply.may_be_interrupted() and not reply.speech.queued():
            reply.speech.may_play.clear()

    def paused(self, event: Paused) -> None:
        """The tick has paused the agent."""
        self._paused = event

    def resumed(self) -> None:
        """The tick lets the agent go on by itself."""
        self._for_nothing()

    async def carry_on(self) -> None:
        """What was heard was nothing: go on, at the start of the word in which the agent was paused."""
        if self.reply is None:
            return
        if self._paused is not None:
            played = self._paused.played
            self._for_nothing()
            await self._media.resume(self.reply.speech.word_start(played))
        self.reply.speech.may_play.set()

    def _for_nothing(self) -> None:
        """The agent was paused, and nobody wanted the floor."""
        if self._paused is not None and self.reply is not None:
            self.reply.pauses += 1
            self.protect()
        self._paused = None

    async def last_tone(self) -> None:
        """The last sign of an agent that has lost its voice."""
        self._media.set_barge_in(BargeIn(enabled=False))
        await self._mouth.tone()

    async def give_up(self) -> str:
        """The caller has the floor: drop what was not heard. Returns what was."""
        reply = self.reply
        if reply is None:
            return ""
        self._ledger.show("barge_in", {"atMs": self._media.position() // _MS})
        cancel(reply)
        played = await self._mouth.stop()
        self.reply = None
        ended = self._paused.at if self._paused is not None else self._media.position()
        self._paused = None
        self.protect()
        return await self._put_down(reply, reply.speech.heard(played), ended, interrupted=True)

    async def break_off(self) -> str:
        """The call is over: keep what was heard. Nothing is sent to the media plane any more."""
        reply, self.reply = self.reply, None
        if reply is None:
            return ""
        cancel(reply)
        whole = reply.written and self._mouth.all_played()
        heard = reply.speech.heard(self._media.played())
        return await self._put_down(reply, heard, self._media.position(), interrupted=not whole)

    def may_be_taken(self) -> bool:
        """Whether somebody else may speak: nothing is being said, or it may be interrupted."""
        return self.reply is None or self.reply.may_be_interrupted()

    def leave(self) -> None:
        """The caller goes to somebody else: nobody's voice pauses what is said until then, and after."""
        self.away = True
        self.protect()

    async def come_back(self) -> None:
        """The caller is the agent's again. What was still being played is over; the next words may be interrupted."""
        await self._mouth.stop()
        self.away = False

    def marked(self, event: MarkPlayed) -> Reply | None:
        """A sentence begins to sound. Returns the reply if this is its first."""
        reply = self.reply
        if reply is None or reply.began is not None or not reply.speech.has_mark(event.mark):
            return None
        reply.began = event.at
        self._ledger.show("speech", {"who": "agent", "on": True, "atMs": event.at // _MS})
        return reply

    async def finished(self, at: int) -> Reply | None:
        """The reply, if all of it has been heard by now; the floor is free then."""
        reply = self.reply
        if reply is None or not reply.written or not self._mouth.all_played():
            return None
        self.reply = None
        self.protect()
        await self._put_down(reply, reply.speech.heard(self._media.played()), at, interrupted=False)
        if reply.answer.press:
            self._tasks.start(self._press(reply.answer.press))
        return reply

    async def _put_down(self, reply: Reply, heard: str, at: int, *, interrupted: bool) -> str:
        if reply.began is not None:
            self._ledger.show("speech", {"who": "agent", "on": False, "atMs": at // _MS})
        if heard:
            began = reply.began if reply.began is not None else at
            item = Utterance("assistant", heard, began // _MS, max(began, at) // _MS, interrupted)
            await self._ledger.utterance(item)
        return heard

    async def _press(self, keys: str) -> None:
        if not await self._media.send_digits(keys):
            await self._ledger.problem("media", "The keys of the script were not sent: the other side takes none.")

    async def _speak(self, reply: Reply) -> None:
        await reply.speech.speak(reply.answer.pieces())
        reply.written = True
        await self._report(Written(reply))


def cancel(reply: Reply) -> None:
    """Stop writing and synthesising."""
    if reply.task is not None:
        reply.task.cancel()
