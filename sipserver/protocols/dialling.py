"""Placing calls, and ending them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from sipserver.protocols.agents import Agent
from sipserver.protocols.calls import Variables
from sipserver.protocols.conversations import SpeechOrder
from sipserver.protocols.transfers import TransferOrder
from sipserver.protocols.trunks import Trunk


@dataclass(frozen=True, slots=True)
class DialOrder:
    """An outbound call whose row says `dialing` already (at most once: ADR on outbound dialling)."""

    call_id: str
    organization_id: str
    agent: Agent
    phone_number_id: str
    from_number: str
    to: str
    trunk: Trunk
    variables: Variables = field(default_factory=dict)
    ring_timeout_seconds: int = 60


class KeysSent(Enum):
    """What became of keys that were to be pressed: `NOT_LIVE` without an answered call, `NOT_TAKEN` by a peer that holds us, or that
    has too many to come yet."""

    SENT = "sent"
    NOT_LIVE = "not_live"
    NOT_TAKEN = "not_taken"


class Dialler(Protocol):
    """Places calls and ends them."""

    async def dial(self, order: DialOrder) -> None:
        """Place the call and see it through to its end; everything is told to the `CallLog`, nothing is raised for a call that failed."""

    async def hang_up(self, call_id: str) -> bool:
        """End a live call (BYE, or CANCEL while it rings) as `agent_ended` / `canceled`. False if it is not live here."""

    async def transfer(self, call_id: str, order: TransferOrder) -> bool:
        """Have a live call handed over. False if it is not here, not answered, or not with an agent that can do it now."""

    async def record(self, call_id: str, *, on: bool) -> bool:
        """Put an answered call off the record, or on it again. False if it is not here, not answered, or over."""

    async def press(self, call_id: str, keys: str) -> KeysSent:
        """Press keys on an answered call, one after the other; `w` is half a second's pause. Returns when the last has been sent."""

    def look_at_rtp(self, call_id: str, *, on: bool) -> bool:
        """Keep the headers of a live call's RTP packets for its trace, or no more. False if it is not here, or has no media."""

    async def speak(self, call_id: str, order: SpeechOrder) -> bool:
        """Have the agent of a live call say something. False if it is not here, not answered, or nobody can say it now."""

    def capacity(self) -> int:
        """How many more calls this node would take now; 0 when draining or full."""

    def trunk_wait(self, trunk: Trunk, starting: int) -> float:
        """Seconds until this trunk takes another call of ours, beside `starting` others; 0: now, and whoever asked has to place it."""
