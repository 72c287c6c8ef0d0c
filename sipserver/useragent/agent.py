"""The user agent as its legs see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sipserver.dialog import DialogId
from sipserver.legs import LegEvent, Source
from sipserver.message import Capabilities, Request
from sipserver.transaction import TimerQueue
from sipserver.useragent.addresses import Facing
from sipserver.useragent.exchange import Postman

if TYPE_CHECKING:
    from sipserver.useragent.leg import AgentLeg

Extra = Sequence[tuple[str, str]]
"""Headers that go with an answer."""


class Agent(Postman, Protocol):
    """What a leg needs of the user agent."""

    timers: TimerQueue

    def happened(self, leg: AgentLeg, event: LegEvent) -> None:
        """Something to tell the leg's owner."""

    def able(self, source: Source) -> Capabilities:
        """What we do for this peer."""

    def over(self, leg: AgentLeg) -> None:
        """There will be no more events; the leg may still have to see its last request through."""

    def enter(self, dialog: DialogId, leg: AgentLeg) -> None:
        """Requests in this dialog are the leg's from now on."""

    def leave(self, dialog: DialogId) -> None:
        """The dialog is no more."""

    def facing(self, request: Request, source: Source) -> Facing:
        """Whom the answers to a request are for."""

    def options_headers(self, request: Request, facing: Facing, able: Capabilities) -> Extra:
        """What a 200 to OPTIONS says of us."""
