"""The transfers of one call, one at a time: to whom, in which way, and what is done when nobody takes the caller over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from media.frames import MediaUnavailable
from media.music import HoldMusic
from sipserver.legs import ReferProgress
from sipserver.message import escape_user
from sipserver.outcome import Outcome
from sipserver.party import TransferParts
from sipserver.presentation import dialled
from sipserver.protocols import (
    Agent,
    Colleague,
    EndedReason,
    Handover,
    TransferFailure,
    TransferMode,
    TransferOutcome,
    TransferTarget,
    Trunk,
    Utterance,
)
from sipserver.transfer.blind import BlindTransfer, PeerUnable
from sipserver.transfer.caller import Caller
from sipserver.transfer.channel import has_channel, own_turn
from sipserver.transfer.failure import NotTransferred
from sipserver.transfer.record import Row
from sipserver.transfer.second_leg import SecondLeg
from sipserver.useragent.placing import trunk_uri

RING_SECONDS = 30.0
"""How long a target may ring while a caller waits, where the trunk does not say."""

logger = structlog.get_logger()


class Transfers:
    """`away` is set while a transfer is under way, `here` while none is."""

    def __init__(self, caller: Caller, parts: TransferParts, trunk: Trunk) -> None:
        self.away, self.here = asyncio.Event(), asyncio.Event()
        self.here.set()
        self.colleague: Colleague | None = None
        """The agent who has the caller now; None while it is the first one."""
        self._caller = caller
        self._parts = parts
        self._trunk = trunk
        self._blind: BlindTransfer | None = None
        self._second: SecondLeg | None = None
        self._placing = False
        self._placed: SecondLeg | None = None

    @property
    def gone(self) -> bool:
        """Whether the caller is with a person now: whoever hangs up, the call ends as transferred."""
        return self._second is not None or (self._blind is not None and self._blind.gone)

    @property
    def second_legs(self) -> int:
        """One while somebody is called to take the caller over, or has them over a leg of ours."""
        return int(self._placing or (self._placed is not None and not self._placed.over.is_set()))

    def refer_progress(self, progress: ReferProgress) -> None:
        """What has become of our REFER."""
        if self._blind is not None:
            self._blind.told(progress)

    async def take(self, agent: Agent, handover: Handover) -> TransferOutcome:
        """Hand this agent's caller over. Only a defect of ours raises."""
        if self.away.is_set() or self.gone or self._caller.being_referred():
            return TransferOutcome(TransferFailure.UNAVAILABLE)
        row = Row(self._caller, handover.order.target, self._parts.new_id())
        self.here.clear()
        self.away.set()
        try:
            await self._hand_over(agent, handover, row)
        except NotTransferred as failed:
            row.failed(failed)
            return TransferOutcome(failed.failure, failed.sip_code)
        finally:
            self.away.clear()
            self.here.set()
        return TransferOutcome()

    async def until_over(self, agent: Agent) -> Outcome:
        """The agent is not needed any more: until the person and the caller have hung up, or have talked for too long."""
        if self._second is None:
            return Outcome(EndedReason.TRANSFERRED)
        self._caller.spawn(self._read_events())
        try:
            async with asyncio.timeout(agent.transfer_max_seconds):
                await self._second.over.wait()
        except TimeoutError:
            return Outcome(EndedReason.MAX_DURATION)
        return Outcome(EndedReason.TRANSFERRED)

    async def _hand_over(self, agent: Agent, handover: Handover, row: Row) -> None:
        target = handover.order.target
        if target.mode is TransferMode.AGENT:
            await self._to_colleague(agent, target, row)
            return
        self._check(target)
        if target.mode is not TransferMode.COLD:
            await self._connect(agent, handover, row)
            return
        self._blind = BlindTransfer(row)
        try:
            await self._blind.refer(self._caller.leg(), self._uri(target))
        except PeerUnable:
            await self._connect(agent, handover, row)

    def _check(self, target: TransferTarget) -> None:
        """The dialling policy, at this moment. A SIP URI was written by whoever may set up the agent, and is the trunk's to route."""
        if target.number is None:
            return
        party = self._caller.party
        region = party.trunk.options.region if party.trunk else None
        why = self._parts.desk.refusal(target.number, party.agent_number, region)
        if why is not None:
            self._caller.problem(f"The transfer target must not be called: {why}")
            raise NotTransferred(TransferFailure.NOT_ALLOWED)

    def _uri(self, target: TransferTarget) -> str:
        """Whom a REFER names."""
        number = dialled(target.number or "", self._trunk.options)
        return target.sip_uri or str(trunk_uri(self._trunk, escape_user(number)))

    async def _to_colleague(self, agent: Agent, target: TransferTarget, row: Row) -> None:
        """The next conversation on this call is another agent's. One who could only take a message does not get it."""
        found = await self._parts.desk.colleague(target.agent_id or "", agent.organization_id)
        if found is None or found.not_ready:
            raise NotTransferred(TransferFailure.UNAVAILABLE)
        self.colleague = found
        row.completed()

    async def _connect(self, agent: Agent, handover: Handover, row: Row) -> None:
        """Call the target while the caller hears music, tell it the briefing, and bridge the two."""
        target = handover.order.target
        async with self._music(agent, handover):
            second = await self._place(target, row)
            self._caller.spawn(second.run())
            said: tuple[Utterance, ...] = ()
            try:
                await second.answered(self._trunk.options.ring_timeout_seconds or RING_SECONDS)
                row.answered()
                if target.mode is TransferMode.WARM_BRIEFING:
                    said = await self._brief(second, handover)
            except BaseException:
                second.leave()
                raise
        if second.over.is_set():
            raise NotTransferred(TransferFailure.REJECTED)
        try:
            await self._caller.session().media.bridge(second.media)
        except MediaUnavailable as error:
            second.leave()
            self._caller.problem(f"The caller and the transfer target could not be connected: {error}")
            raise NotTransferred(TransferFailure.UNAVAILABLE) from None
        self._second = second
        row.completed(transcript=said)

    async def _place(self, target: TransferTarget, row: Row) -> SecondLeg:
        """A second leg, where the trunk has a channel for it, in its turn. Raises NotTransferred."""
        if not has_channel(self._caller, self._trunk):
            raise NotTransferred(TransferFailure.AT_CAPACITY)
        self._placing = True
        try:
            await own_turn(self._caller, self._trunk)
            self._placed = await SecondLeg.place(self._caller, self._trunk, target, row.record.id, row.ringing)
        finally:
            self._placing = False
        return self._placed

    async def _brief(self, second: SecondLeg, handover: Handover) -> tuple[Utterance, ...]:
        """Whoever hangs up while being told does not want the caller. Raises NotTransferred."""
        briefing = asyncio.ensure_future(_all(handover, second))
        over = asyncio.ensure_future(second.over.wait())
        try:
            await asyncio.wait([briefing, over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            briefing.cancel()
            await asyncio.wait([briefing, over])
        if briefing.cancelled():
            raise NotTransferred(TransferFailure.REJECTED)
        return briefing.result()

    @asynccontextmanager
    async def _music(self, agent: Agent, handover: Handover) -> AsyncIterator[None]:
        """Inside of this the caller hears the agent's music, once the agent has said what it had to say, without the agent's room."""
        playing = asyncio.ensure_future(self._play(agent, handover))
        try:
            yield
        finally:
            playing.cancel()
            await asyncio.wait([playing])
            self._caller.session().media.set_background(agent.background_sound_id, agent.background_sound_volume)
            if not playing.cancelled() and (error := playing.exception()) is not None:
                logger.error("hold music failed", call_id=self._caller.party.call_id, error=repr(error))

    async def _play(self, agent: Agent, handover: Handover) -> None:
        await handover.quiet()
        media = self._caller.session().media
        music = HoldMusic(await self._parts.music.load(agent.hold_music_url))
        media.set_background(None, 0)
        await music.run(media)

    async def _read_events(self) -> None:
        """While two people talk nobody waits for the events of the caller's media; the call still observes them."""
        async for _ in self._caller.session().media.events():
            pass


async def _all(handover: Handover, second: SecondLeg) -> tuple[Utterance, ...]:
    return tuple(await handover.brief(second.media))
