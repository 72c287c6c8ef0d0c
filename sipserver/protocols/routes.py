"""Where an inbound call goes: number, agent, opening hours, fallback; and who knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sipserver.protocols.agents import Agent
from sipserver.protocols.trunks import Trunk

FallbackReason = Literal["inactive", "not_ready", "limit", "closed", "error"]
"""Why a number's agent does not take a call: it is inactive or missing, cannot serve, has all its calls, is out of hours, or we failed."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Where a call goes that the number's agent does not take, for the reasons `when`. One of the three is set.

    `number` is in E.164, `sip_uri` a whole `sip:` or `sips:` URI; `not_ready` belongs to `agent`, as in a `Route`.
    """

    when: frozenset[FallbackReason]
    number: str | None = None
    sip_uri: str | None = None
    agent: Agent | None = None
    not_ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When a number is answered by its agent. `timezone` is an IANA name.

    `days`: for each weekday, Monday first, the times that it is open, in minutes since midnight of the wall clock, from the first
    up to but without the second (1440: midnight at the end). At other times `closed_agent` answers, where there is one.
    """

    timezone: str
    days: tuple[tuple[tuple[int, int], ...], ...]
    closed_agent: Agent | None = None
    closed_not_ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Where an inbound call goes: the number that was called and its agent (None: the number has none).

    `not_ready` holds the problems that keep the agent from serving; it then only takes a message. `phone_number_id` is None for a
    number that is none of ours, which the trunk's catch-all agent answers. `opening` None: always open. `blocked` are callers
    that are refused: E.164 numbers, beginnings of such with a star, `anonymous`. `sipserver.reception` decides by these.
    """

    phone_number_id: str | None
    number: str
    organization_id: str
    trunk: Trunk
    agent: Agent | None
    not_ready: tuple[str, ...] = ()
    record_to: str | None = None
    opening: OpeningHours | None = None
    fallback: Fallback | None = None
    blocked: tuple[str, ...] = ()


class AgentDirectory(Protocol):
    """Which trunks are known and which agent answers which number. Answers from memory: it is asked for every INVITE."""

    def trunks_of(self, host: str) -> Sequence[Trunk]:
        """The trunks that calls from this source address may belong to; empty for an unknown source."""

    async def route(self, called: str, trunks: Sequence[Trunk]) -> Route | None:
        """The number that was called, on one of these trunks; None when there is no such number."""

    async def catch_all(self, called: Sequence[str], trunks: Sequence[Trunk]) -> Route | None:
        """For a call to no number of ours: the agent that answers all calls of one of these trunks; None where none does."""
