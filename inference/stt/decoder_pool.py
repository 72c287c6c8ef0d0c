"""Which decoders are free. They are taken for an utterance, not for a call: most of a call nobody speaks into it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass

from inference.stt.base import SttUnavailable
from inference.workers import Worker


@dataclass(slots=True, eq=False)
class Slot:
    """A pair of decoders of a worker; `grammar` is the one it compiled last."""

    worker: Worker
    index: int
    grammar: str | None = None


class DecoderPool:
    """Slots of all workers. Who waits is served in order; who waited too long is counted and sent away."""

    def __init__(self) -> None:
        self.taken = 0
        self.refused = 0
        self._free: list[Slot] = []
        self._waiting: deque[asyncio.Future[Slot]] = deque()

    def add(self, worker: Worker, slots: int) -> None:
        """A worker came up."""
        for index in range(slots):
            self.give(Slot(worker, index))

    def remove(self, worker: Worker) -> None:
        """A worker is gone, and its slots with it."""
        self._free = [slot for slot in self._free if slot.worker is not worker]

    async def take(self, grammar: str, timeout: float) -> Slot:
        """A slot, best one that has this grammar ready. Raises SttUnavailable after `timeout` seconds."""
        slot = self._choose(grammar) if self._free else await self._wait(timeout)
        slot.grammar = grammar
        self.taken += 1
        return slot

    def give(self, slot: Slot) -> None:
        """Back from an utterance. One of a dead worker is forgotten."""
        if not slot.worker.alive:
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(slot)
                return
        self._free.append(slot)

    def _choose(self, grammar: str) -> Slot:
        """The grammar first, then the worker with most to spare."""
        spare = Counter(id(slot.worker) for slot in self._free)
        best = max(self._free, key=lambda slot: (slot.grammar == grammar, spare[id(slot.worker)]))
        self._free.remove(best)
        return best

    async def _wait(self, timeout: float) -> Slot:
        waiter: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                return await waiter
        except TimeoutError:
            self._return(waiter)
            self.refused += 1
            raise SttUnavailable(f"no decoder was free within {timeout:g} s") from None
        except asyncio.CancelledError:
            self._return(waiter)
            raise

    def _return(self, waiter: asyncio.Future[Slot]) -> None:
        """The one who waited gave up in the moment in which it was served."""
        if waiter.done() and not waiter.cancelled():
            self.give(waiter.result())
