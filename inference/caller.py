"""The caller's side of the floor: turns, the words of the one that is under way, and those that are being recognised."""

from __future__ import annotations

from inference.ledger import Ledger
from inference.listener import Listener
from inference.stt.base import SttHints
from inference.turns import Hypothesis, TurnOver, Turns
from media.frames import LINE_RATE, CallMedia
from sipserver.protocols import Utterance

_MS = LINE_RATE // 1000


class Caller:
    """What the caller says on one call. `partial` is what the recogniser last made of it."""

    def __init__(self, turns: Turns, listener: Listener, media: CallMedia, ledger: Ledger) -> None:
        self.turns = turns
        self.partial = ""
        self._listener = listener
        self._media = media
        self._ledger = ledger
        self._utterance = 0
        self._began = 0
        self._recognising: dict[int, TurnOver] = {}

    def quiet(self) -> bool:
        """Nothing that the caller said is still being heard or recognised."""
        return not self.turns.open() and not self._recognising

    def shown(self, at: int, *, on: bool) -> None:
        """Tell whoever watches that the caller speaks, or not any more."""
        self._ledger.show("speech", {"who": "user", "on": on, "atMs": at // _MS})

    def listen(self, at: int, hints: SttHints) -> None:
        """A turn began: hear it."""
        self.partial, self._began = "", at
        self._utterance = self._listener.start(at, hints)

    def is_heard_now(self, utterance: int) -> bool:
        """Whether words of this utterance belong to the turn that is under way."""
        return self.turns.open() and utterance == self._utterance

    def guessed(self, hypothesis: Hypothesis) -> None:
        """The recogniser has words for the turn that is under way."""
        self.partial = hypothesis.text
        now = self._media.position()
        if not self._ledger.is_off(self._began, now):
            self._ledger.show("partial", {"text": hypothesis.text})
        self.turns.heard(hypothesis, now)

    def finish(self, turn: TurnOver) -> bool:
        """The turn is over: its words will be reported. False when the recogniser has failed already."""
        utterance = self._listener.finish()
        if utterance is not None:
            self._recognising[utterance] = turn
        return utterance is not None

    def recognised(self, utterance: int) -> TurnOver | None:
        """The turn whose result or failure this is; None when it does not count any more."""
        return self._recognising.pop(utterance, None)

    def forget_turn(self) -> None:
        """The turn that is under way was nothing."""
        self._listener.drop()

    def drop(self) -> None:
        """The turn was answered in another way: what is heard or recognised of it does not count."""
        self._recognising.clear()
        if self.turns.open():
            self.turns.drop()
            self._listener.drop()

    async def put_down(self) -> None:
        """The call is over: keep what the caller was saying."""
        if not self.quiet() and self.partial:
            began, now = self._began // _MS, self._media.position() // _MS
            await self._ledger.utterance(Utterance("user", self.partial, began, max(began, now)))
