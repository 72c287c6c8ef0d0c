"""The calls that are on this node now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from sipserver.call import Call
from sipserver.replaces import Replaces


class LiveCalls:
    """From the moment a call takes a place on the node until its row is final."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls.values()))

    def get(self, call_id: str) -> Call | None:
        """The call of this id, if it is here."""
        return self._calls.get(call_id)

    def named_by(self, replaces: Replaces) -> Call | None:
        """The call whose leg a Replaces header means, if it is here."""
        return next((call for call in self._calls.values() if call.named_by(replaces)), None)

    def of_agent(self, agent_id: str) -> int:
        """How many of them this agent has."""
        return sum(call.agents.agent.id == agent_id for call in self._calls.values())

    def of_trunk(self, trunk_id: str) -> int:
        """How many channels of this trunk they take."""
        calls = self._calls.values()
        return sum(call.channels for call in calls if call.party.trunk is not None and call.party.trunk.id == trunk_id)

    @contextmanager
    def place(self, call: Call) -> Iterator[None]:
        """The call's place, held from the decision to take it."""
        self._calls[call.id] = call
        self._empty.clear()
        try:
            yield
        finally:
            del self._calls[call.id]
            if not self._calls:
                self._empty.set()

    async def empty(self) -> None:
        """Until there is none."""
        await self._empty.wait()
