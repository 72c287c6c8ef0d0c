"""What the user agent tells its driver: names to be looked up, and what happened on the legs. Sans-I/O."""

from __future__ import annotations

from dataclasses import dataclass

from sipserver.legs import LegEvent
from sipserver.useragent.finder import Question
from sipserver.useragent.leg import AgentLeg
from sipserver.useragent.server_leg import ServerLeg


@dataclass(frozen=True, slots=True)
class Invited:
    """A new inbound leg; it gets a 100 unless its owner answers it soon."""

    leg: ServerLeg


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a leg."""

    leg: AgentLeg
    event: LegEvent


@dataclass(frozen=True, slots=True)
class Over:
    """A leg will have no more events."""

    leg: AgentLeg


Event = Question | Invited | Happened | Over
