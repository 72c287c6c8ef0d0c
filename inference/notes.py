"""What is written down of a call's turns: the words, the values that were learnt, and how long the caller waited for an answer."""

from __future__ import annotations

from inference.dialogue import Dialogue, Heard
from inference.happenings import Tasks
from inference.learning import Learning
from inference.ledger import Ledger
from inference.outcome import Outcome
from inference.turns import TurnOver
from media.frames import LINE_RATE
from sipserver.protocols import OffRecord, Utterance

_MS = LINE_RATE // 1000
NOT_UNDERSTOOD = "[not understood]"
"""What the transcript says of a turn whose words the recogniser rejected: never its guess."""


class Notes:
    """The notes of one conversation. Positions are samples of the recording's time line."""

    def __init__(self, leader: Dialogue, ledger: Ledger, outcome: Outcome, off_record: OffRecord, tasks: Tasks) -> None:
        self._leader = leader
        self._ledger = ledger
        self._outcome = outcome
        self._off_record = off_record
        self._tasks = tasks
        self._learning = Learning(outcome.captured)
        self._discreet = False

    async def turn(self, heard: Heard, turn: TurnOver, *, off: bool) -> None:
        """A spoken turn of the caller's that was answered; `off`: it was off the record."""
        text = heard.text if heard.understood else NOT_UNDERSTOOD
        await self._ledger.utterance(Utterance("user", text, turn.began // _MS, max(turn.began, turn.ended) // _MS))
        await self.learn(off=off)

    def pressed(self, digit: str, at: int) -> None:
        """Show a key that was pressed to whoever watches the call."""
        shown = "*" if self._ledger.is_off(at, at) else digit
        self._ledger.show("digit", {"digit": shown, "atMs": at // _MS})

    async def keys(self, keys: str, began: int, at: int, *, collected: bool, off: bool) -> None:
        """A turn that was keyed in; a number that was collected is not written down."""
        text = f"[keys {'*' * len(keys)}]" if collected else f"[key {keys}]"
        await self._ledger.utterance(Utterance("user", text, began // _MS, at // _MS))
        await self.learn(off=off)

    async def learn(self, *, off: bool = False) -> None:
        """Keep what the dialogue has captured, so that it survives a crash; not what was told off the record."""
        if self._learning.learn(self._leader.captured, off=off):
            await self._ledger.captured(self._outcome.captured)

    def be_discreet(self) -> None:
        """The dialogue wants to be off the record, or on it again. Whoever is asked looks at the time before anything else happens."""
        if self._discreet != self._leader.off_record:
            self._discreet = self._leader.off_record
            switch = self._off_record.pause if self._discreet else self._off_record.resume
            self._tasks.start(switch("script"))

    def answered(self, at: int, turn_ended: int | None) -> None:
        """A turn of the caller's that ended at `turn_ended` (None: it was keyed in) gets its first sound at `at`."""
        self._outcome.turn_count += 1
        if turn_ended is not None:
            latency = (at - turn_ended) // _MS
            self._outcome.latencies.append(latency)
            self._ledger.show("turn", {"latencyMs": latency, "atMs": at // _MS})
