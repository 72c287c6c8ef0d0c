"""Queued calls are placed, each at most once, or expire.

The transaction that begins a dialling is committed before the first byte of the INVITE, and finishes the job: whatever happens
afterwards, nobody dials the call again (ADR 6). A call that waits for a free channel longer than its `maxQueueSeconds` expires.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.calllog import StoredCallLog
from control_api.directory import Directory
from control_api.store import calls, jobs
from control_api.store.calls import CallRow
from control_api.store.engine import Store
from control_api.store.jobs import Claim
from sipserver.protocols import CallEnd, CallStatus, Dialler, DialOrder, EndedReason, Trunk


class DialJob:
    """Handles jobs of kinds `dial` and `expire`: payload `{"callId"}`."""

    def __init__(
        self,
        store: Store,
        log: StoredCallLog,
        dialler: Dialler,
        directory: Directory,
        node: str,
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._log = log
        self._dialler = dialler
        self._directory = directory
        self._node = node
        self._now = now
        self._starting = 0
        self._on_trunk: Counter[str] = Counter()

    def places(self, _under_way: int) -> int:
        """How many more calls the node takes; those that are about to be dialled have no place on it yet."""
        return self._dialler.capacity() - self._starting

    async def dial(self, job: Claim) -> None:
        """Begin, once, and see the call through. While its trunk has no room the call stays in the queue."""
        self._starting += 1
        try:
            order = await self._in_turn(job)
        finally:
            self._starting -= 1
        if order is not None:
            await self._dialler.dial(order)

    async def expire(self, job: Claim) -> None:
        """The call's time in the queue is over. One that is being dialled, or is over, is left alone."""
        call = await self._store.write(lambda connection: self._take(connection, job))
        if call is not None:
            await self._log.ended(call.id, CallEnd(CallStatus.FAILED, EndedReason.EXPIRED, self._now()))

    async def _in_turn(self, job: Claim) -> DialOrder | None:
        trunk = await self._trunk(job)
        if trunk is None:
            return await self._begin(job)
        seconds = self._dialler.trunk_wait(trunk, self._on_trunk[trunk.id])
        if seconds > 0:
            later = self._now() + round(seconds * 1_000_000)
            await self._store.write(lambda connection: jobs.postpone(connection, job, run_at=later))
            return None
        self._on_trunk[trunk.id] += 1
        try:
            return await self._begin(job)
        finally:
            self._on_trunk[trunk.id] -= 1

    async def _trunk(self, job: Claim) -> Trunk | None:
        """The call's trunk, where it has limits of its own."""
        if not self._directory.has_limits():
            return None
        call = await self._store.read(lambda connection: calls.get_any(connection, job.payload["callId"]))
        return None if call is None else self._directory.trunk_of_number(call.phone_number_id)

    async def _begin(self, job: Claim) -> DialOrder | None:
        call = await self._store.write(lambda connection: self._take(connection, job))
        if call is None:
            return None
        order = self._directory.order(call)
        if order is not None and order.agent.is_active:
            return order
        gone = EndedReason.TRUNK_UNAVAILABLE if order is None else EndedReason.CANCELED
        await self._log.ended(call.id, CallEnd(CallStatus.FAILED, gone, self._now()))
        return None

    async def _take(self, connection: AsyncConnection, job: Claim) -> CallRow | None:
        """The one right to do something about a queued call: to dial it, or to let it expire."""
        if not await jobs.finish(connection, job):
            return None
        return await calls.begin_dialling(connection, job.payload["callId"], self._node, self._now())
