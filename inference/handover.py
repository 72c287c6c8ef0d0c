"""The caller is handed over: what is said meanwhile on either side, and the time that it takes.

While a transfer is under way the caller hears the hold message, then music; nothing that they say or press counts. Whoever answers
is told the briefing, by the same voice. A transfer that comes to nothing gives the caller back (`TransferOver` in the inbox).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from inference.courtesy import courtesies
from inference.engines import Engines
from inference.happenings import Inbox, Tasks, TransferOver
from inference.hear import spoken
from inference.ledger import Ledger
from inference.prompt import as_text
from inference.speaker import Mouth
from media.frames import LINE_RATE, BargeIn, CallMedia
from sipserver.protocols import (
    Agent,
    Handover,
    LiveCall,
    TransferFailure,
    TransferMode,
    TransferOrder,
    TransferOutcome,
    Utterance,
)

_MS = LINE_RATE // 1000
_DETAILS = 5
"""So many captured values are told in a briefing that nobody wrote."""


class HandingOver:
    """The transfers of one conversation, one at a time. `away_since` is the position since when the caller is away, None while here."""

    def __init__(self, call: LiveCall, engines: Engines, ledger: Ledger, inbox: Inbox, tasks: Tasks) -> None:
        self.away_since: int | None = None
        self._call = call
        self._engines = engines
        self._ledger = ledger
        self._inbox = inbox
        self._tasks = tasks
        self._quiet = asyncio.Event()

    @property
    def away(self) -> bool:
        """Whether the caller is being handed over now."""
        return self.away_since is not None

    def possible(self) -> bool:
        """Whether this call can be handed over at all, and is not already."""
        return self._call.transfer is not None and not self.away

    def order(self, label: str, briefing: str | None) -> TransferOrder | None:
        """The order to transfer to one of the agent's targets; None when it has none of this label."""
        target = self._call.agent.transfer_target(label)
        return None if target is None else TransferOrder(target, briefing)

    def begin(self, order: TransferOrder | None, captured: Mapping[str, Any]) -> str:
        """The transfer begins. Returns what the caller is to be told first, "" for nothing; `quiet` is called when it was."""
        self.away_since = self._call.media.position()
        self._quiet = asyncio.Event()
        self._tasks.start(self._transfer(order, dict(captured)))
        message = self._call.agent.hold_message
        if order is not None and message and order.target.mode in (TransferMode.WARM, TransferMode.WARM_BRIEFING):
            return message
        self.quiet()
        return ""

    def quiet(self) -> None:
        """The agent has said what it had to say: the music may begin."""
        self._quiet.set()

    def back(self) -> int:
        """The caller is here again. Returns for how many samples they were away."""
        since, self.away_since = self.away_since, None
        return 0 if since is None else self._call.media.position() - since

    async def _transfer(self, order: TransferOrder | None, captured: Mapping[str, Any]) -> None:
        outcome = TransferOutcome(TransferFailure.UNAVAILABLE)
        if order is not None and self._call.transfer is not None:
            brief = self._briefing(order.briefing or default_briefing(self._call, captured))
            outcome = await self._call.transfer(Handover(order, self._until_quiet, brief))
        if outcome.failure is not None:
            await self._quiet.wait()
        await self._inbox.put(TransferOver(outcome))

    async def _until_quiet(self) -> None:
        await self._quiet.wait()

    def _briefing(self, text: str) -> Callable[[CallMedia], Any]:
        async def brief(media: CallMedia) -> Sequence[Utterance]:
            mouth = _mouth(media, self._engines, self._call.agent)
            speech, began = mouth.speech(), media.position()
            speech.may_play.set()
            media.set_barge_in(BargeIn(enabled=False))
            await speech.speak(_once(text))
            if speech.failure is not None:
                await self._ledger.problem("tts", f"The briefing was not spoken: {speech.failure}")
            await mouth.until_played()
            heard = speech.heard(media.played())
            return [Utterance("assistant", heard, began // _MS, media.position() // _MS)] if heard else []

        return brief


def default_briefing(call: LiveCall, captured: Mapping[str, Any]) -> str:
    """A briefing that nobody wrote: who is calling, and what the conversation has learnt."""
    digits = "".join(character for character in call.customer_number if character.isdigit())
    polite = courtesies(call.agent.language)
    who = polite.call_from.format(caller=spoken("digits", digits)) if digits else ""
    known = [(name, value) for name, value in captured.items() if name != "transfer_failed"][:_DETAILS]
    return " ".join([who, *(f"{name.replace('_', ' ')}: {as_text(value)}." for name, value in known)]).strip()


def _mouth(media: CallMedia, engines: Engines, agent: Agent) -> Mouth:
    return Mouth(media, engines.tts, agent.voice_id, agent.voice_speed)


async def _once(text: str) -> AsyncIterator[str]:
    if text:
        yield text
