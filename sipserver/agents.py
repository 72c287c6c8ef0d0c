"""The agents of one call, one after the other: the one that answered, and those to whom the caller was handed over.

A conversation that breaks (our engines, a defect) is gone on with by the number's fallback agent, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from media.frames import CallMedia
from sipserver.legs import ReferProgress
from sipserver.outcome import Outcome
from sipserver.protocols import (
    Agent,
    Colleague,
    Conversation,
    ConversationEnd,
    EndedReason,
    LiveCall,
    SpeechOrder,
    TransferOrder,
    Variables,
)
from sipserver.transfer.caller import Caller
from sipserver.transfer.transfers import Transfers

logger = structlog.get_logger()

POLITE_SECONDS = 5.0
"""How long after `max_call_seconds` a call is cut: its conversation says goodbye first."""


class Agents:
    """Speaks with the caller until the call is to end. `agent` is who has the caller now, or had them last."""

    def __init__(self, caller: Caller, end: Callable[[Outcome], bool]) -> None:
        party, services = caller.party, caller.services
        self.agent: Agent = party.agent
        self._not_ready = party.not_ready
        self._caller = caller
        self._end = end
        self._conversation: Conversation | None = None
        self._ends: list[ConversationEnd] = []
        self._stand_in = party.stand_in
        self._transfers: Transfers | None = None
        if services.transfer is not None and party.trunk is not None:
            self._transfers = Transfers(caller, services.transfer, party.trunk)

    @property
    def talked(self) -> bool:
        """Whether a conversation has begun."""
        return self._conversation is not None or bool(self._ends)

    @property
    def have_caller(self) -> bool:
        """Whether the caller is an agent's, who is not handing them over."""
        return self._transfers is None or not (self._transfers.away.is_set() or self._transfers.gone)

    @property
    def parted(self) -> EndedReason:
        """Why the call ends when the caller hangs up now."""
        gone = self._transfers is not None and self._transfers.gone
        return EndedReason.TRANSFERRED if gone else EndedReason.CUSTOMER_ENDED

    @property
    def second_legs(self) -> int:
        """How many legs there are of people who take the caller over."""
        return 0 if self._transfers is None else self._transfers.second_legs

    def hand_over(self, order: TransferOrder) -> bool:
        """Have the agent hand the caller over. False when there is no conversation that can do it now."""
        return self._conversation is not None and self._conversation.hand_over(order)

    def speak(self, order: SpeechOrder) -> bool:
        """Have the agent say something. False when there is no conversation that can do it now."""
        return self._conversation is not None and self._conversation.speak(order)

    def refer_progress(self, progress: ReferProgress) -> None:
        """What has become of our REFER."""
        if self._transfers is not None:
            self._transfers.refer_progress(progress)

    async def run(self, media: CallMedia) -> Outcome:
        """Converse, hand over, converse. Returns why the call ends."""
        while True:
            end = await self._converse(media)
            await self._caller.session().off_record.resume("script")
            transfers = self._transfers
            if end.reason is EndedReason.ERROR and self._stand_in is not None:
                self._goes_on(self._stand_in)
                self._stand_in = None
                continue
            if transfers is None or end.reason is not EndedReason.TRANSFERRED:
                return Outcome(end.reason or EndedReason.ERROR)
            if transfers.colleague is None or transfers.gone:
                return await transfers.until_over(self.agent)
            self._goes_on(transfers.colleague)
            transfers.colleague = None

    def result(self) -> ConversationEnd | None:
        """What all of them came to together; None when nobody has spoken."""
        under_way = [self._conversation.result()] if self._conversation is not None else []
        return _joined([*self._ends, *under_way]) if self.talked else None

    async def _converse(self, media: CallMedia) -> ConversationEnd:
        live = self._live_call(media)
        media.set_background(self.agent.background_sound_id, self.agent.background_sound_volume)
        self._conversation = self._caller.services.conversations.create(live)
        limit = self._caller.spawn(self._limit_duration())
        try:
            self._ends.append(await self._conversation.run(live))
        except Exception:
            if self._stand_in is None:
                raise
            # The caller is still there, and so is somebody who can speak with them: a defect costs the agent, not the call.
            logger.exception("conversation broken by a defect", call_id=live.id)
            self._ends.append(replace(self._conversation.result(), reason=EndedReason.ERROR))
        finally:
            limit.cancel()
        self._conversation = None
        return self._ends[-1]

    def _goes_on(self, colleague: Colleague) -> None:
        self.agent, self._not_ready = colleague.agent, colleague.not_ready

    def _live_call(self, media: CallMedia) -> LiveCall:
        party = self._caller.party
        return LiveCall(
            id=party.call_id,
            direction=party.direction,
            agent=self.agent,
            customer_number=party.customer_number,
            agent_number=party.agent_number,
            variables=self._variables(),
            media=media,
            off_record=self._caller.session().off_record,
            not_ready=self._not_ready,
            may_fail=self._stand_in is not None,
            transfer=None if self._transfers is None else partial(self._transfers.take, self.agent),
        )

    def _variables(self) -> Variables:
        """What the agents before have learnt is told to the next one."""
        learnt = _joined(self._ends).captured if self._ends else {}
        return {**self._caller.party.variables, **learnt}

    async def _limit_duration(self) -> None:
        """The agent's time; that in which the caller is being handed over does not count."""
        left = self.agent.max_call_seconds + POLITE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            try:
                async with asyncio.timeout(left):
                    await self._away()
            except TimeoutError:
                self._end(Outcome(EndedReason.MAX_DURATION))
                return
            left -= loop.time() - since
            await self._here()

    async def _away(self) -> None:
        await (asyncio.Event() if self._transfers is None else self._transfers.away).wait()

    async def _here(self) -> None:
        if self._transfers is not None:
            await self._transfers.here.wait()


def _joined(ends: list[ConversationEnd]) -> ConversationEnd:
    """The last one's reason, and what all have learnt and done."""
    first, *rest = ends
    for end in rest:
        first = replace(
            end,
            captured={**first.captured, **end.captured},
            turn_count=first.turn_count + end.turn_count,
            turn_latencies_ms=(*first.turn_latencies_ms, *end.turn_latencies_ms),
            opt_out=first.opt_out or end.opt_out,
        )
    return first
