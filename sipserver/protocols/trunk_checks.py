"""Trying a trunk out, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from sipserver.protocols.trunks import Trunk

CheckName = Literal[
    "dns", "tls", "options", "codecs", "register",
    "dial", "ringing", "answer", "codec", "first_packet", "loss", "jitter", "tone",
]  # fmt: skip
"""What is tried of a trunk, in this order: the first four of each of its hosts; from `dial` on by a call."""


class CheckFailure(StrEnum):
    """Why a step of a trial call failed."""

    AT_CAPACITY = "at_capacity"
    TRUNK_UNAVAILABLE = "trunk_unavailable"
    INVALID_NUMBER = "invalid_number"
    BUSY = "busy"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    NO_ANSWER = "no_answer"
    NOT_ACCEPTABLE = "not_acceptable"
    NO_PACKETS = "no_packets"
    HUNG_UP = "hung_up"
    LOSS = "loss"
    JITTER = "jitter"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One thing that was tried of a trunk. `ms`: how long it took. `failure`: of the steps of a call.

    `host`: the one of the trunk's that was tried, where it has several.
    """

    name: CheckName
    ok: bool
    ms: float
    detail: str
    failure: CheckFailure | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class TrialCall:
    """Whom to call to try a trunk out, and from which of our numbers. The dialling policy has been asked."""

    to: str
    from_number: str


class TrunkTester(Protocol):
    """Tries a trunk out."""

    async def check(self, trunk: Trunk, call: TrialCall | None = None) -> Sequence[CheckStep]:
        """What was tried, in order; nothing that can be done after a step that failed is left out. Some seconds for each.

        With `call` a real call is placed as well, which rings for half a minute at most.
        """
