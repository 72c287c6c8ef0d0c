"""All calls of this node, from both sides: taken, placed, listed, ended, drained. What `server.py` joins to the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sipserver.capacity import Capacity, Limits
from sipserver.guard import Registered, nothing_registered
from sipserver.inbound import Inbound, Manners
from sipserver.legs import Endpoint, Leg
from sipserver.live import LiveCalls
from sipserver.outbound import Outbound
from sipserver.outcome import Outcome
from sipserver.party import Services
from sipserver.protocols import (
    AgentDirectory,
    CallDirection,
    CallStatus,
    CheckFailure,
    CheckStep,
    DialOrder,
    EndedReason,
    KeysSent,
    SpeechOrder,
    TransferOrder,
    TrialCall,
    Trunk,
)
from sipserver.trial_call import place_trial_call
from sipserver.trunk_room import TrunkRoom


@dataclass(frozen=True, slots=True)
class CallView:
    """A live call in a list. `answered_at` in µs since the epoch, None before the answer."""

    call_id: str
    direction: CallDirection
    status: CallStatus
    agent_id: str
    customer_number: str
    agent_number: str
    answered_at: int | None


class Calls:
    """Takes and places calls (`protocols.Dialler`), and knows those that are live."""

    def __init__(
        self,
        endpoint: Endpoint,
        services: Services,
        directory: AgentDirectory,
        new_id: Callable[[], str],
        limits: Limits,
        manners: Manners,
        registered: Registered = nothing_registered,
        shown: Registered = nothing_registered,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._live = LiveCalls()
        self._capacity = Capacity(limits, self._live, services.log.accepting, services.media.free)
        self._room = TrunkRoom(self._live, clock)
        services = replace(services, room=self._room)
        self._services = services
        self._inbound = Inbound(
            services, directory, self._live, self._capacity, self._room, new_id, manners, registered, shown
        )
        self._outbound = Outbound(endpoint, services, self._live, self._capacity)

    async def start(self) -> None:
        """Bind, and take calls from now on. Raises OSError."""
        await self._endpoint.start(self.on_invite, self._capacity.is_full)

    async def on_invite(self, leg: Leg) -> None:
        """An inbound leg: refuse it, or see the call through to its end."""
        await self._inbound.take(leg)

    async def dial(self, order: DialOrder) -> None:
        """Place a call and see it through to its end; how it ended is in the call log."""
        await self._outbound.dial(order)

    async def hang_up(self, call_id: str) -> bool:
        """End a call: `agent_ended`, or `canceled` before its answer. False if it is not live here."""
        call = self._live.get(call_id)
        return call is not None and call.hang_up()

    async def transfer(self, call_id: str, order: TransferOrder) -> bool:
        """Have a live call handed over. False if it is not here, not answered, or not with an agent that can do it now."""
        call = self._live.get(call_id)
        return call is not None and call.agents.hand_over(order)

    async def record(self, call_id: str, *, on: bool) -> bool:
        """Put an answered call off the record, or on it again. False if it is not here, not answered, or over."""
        call = self._live.get(call_id)
        return call is not None and await call.record(on=on)

    async def press(self, call_id: str, keys: str) -> KeysSent:
        """Press keys on an answered call; `w` is half a second's pause. Returns when the last has been sent."""
        call = self._live.get(call_id)
        return KeysSent.NOT_LIVE if call is None else await call.press(keys)

    def look_at_rtp(self, call_id: str, *, on: bool) -> bool:
        """Keep the headers of a live call's RTP packets for its trace, or no more. False if it is not here, or has no media."""
        call = self._live.get(call_id)
        return call is not None and call.look_at_rtp(on=on)

    async def speak(self, call_id: str, order: SpeechOrder) -> bool:
        """Have the agent of a live call say something. False if it is not here, not answered, or nobody can say it now."""
        call = self._live.get(call_id)
        return call is not None and not call.is_over and call.agents.speak(order)

    def capacity(self) -> int:
        """How many more calls this node would take now."""
        return self._capacity.left()

    async def try_out(self, trunk: Trunk, call: TrialCall) -> Sequence[CheckStep]:
        """Place a call of a few seconds over this trunk, and tell what became of it step by step. It takes a channel of the trunk."""
        full = self._capacity.refusal() or (
            "All channels of the trunk are taken." if self._room.is_full(trunk) else None
        )
        if full is not None:
            return [CheckStep("dial", False, 0.0, full, CheckFailure.AT_CAPACITY)]
        with self._room.held(trunk):
            return await place_trial_call(self._endpoint, self._services, trunk, call)

    def trunk_wait(self, trunk: Trunk, starting: int) -> float:
        """Seconds until this trunk takes another call of ours."""
        return self._room.wait(trunk, starting)

    def live(self) -> list[CallView]:
        """The calls that are here now, oldest first."""
        return [
            CallView(
                call_id=call.id,
                direction=call.party.direction,
                status=call.status,
                agent_id=call.agents.agent.id,
                customer_number=call.party.customer_number,
                agent_number=call.party.agent_number,
                answered_at=call.answered_at,
            )
            for call in self._live
        ]

    @property
    def draining(self) -> bool:
        """Whether `drain` was called."""
        return self._capacity.draining

    def drain(self) -> None:
        """No new calls, in or out; those that are here go on."""
        self._capacity.drain()
        self._endpoint.drain()

    async def idle(self) -> None:
        """Until no call is here: each has its final row."""
        await self._live.empty()

    async def stop(self) -> None:
        """End every call as `node_lost` (BYE, CANCEL or 503) and wait for the rows. Stop the endpoint after this."""
        self.drain()
        for call in self._live:
            call.end(Outcome(EndedReason.NODE_LOST))
        await self.idle()
