"""The embedded recogniser: pocketsphinx in worker processes, bound to the grammar of the agent's script.

It understands sentences of the grammar over a telephone line, and knows what is none (rejection.py). Open dictation it cannot:
over a telephone line more than half of the words would be wrong, so it is not offered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar

from inference.stt.base import SttCaps, SttEvent, SttHints, SttSession, SttUnavailable
from inference.stt.decoder_pool import DecoderPool, Slot
from inference.wire import Message
from inference.workers import Worker, WorkerGone, Workers, WorkerSpec
from media.frames import Pcm

BEGIN_TIMEOUT = 2.0
"""Seconds for a worker to compile a grammar and say so."""
PRONOUNCE_TIMEOUT = 10.0
PARTIALS_KEPT = 32

T = TypeVar("T")


class PocketsphinxEngine:
    """An SttEngine. `workers` processes of about 100 MB with `decoders_per_worker` pairs of decoders of about 12 MB each.

    A core decodes about six callers who speak at once; `checkout_timeout` is how long an utterance may wait for a decoder.
    """

    def __init__(
        self, workers: int = 1, decoders_per_worker: int = 4, checkout_timeout: float = 0.5,
        environment: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.caps = SttCaps("pocketsphinx", ("en",), False, True, workers * decoders_per_worker)
        self.pool = DecoderPool()
        self.dropped = 0
        self._checkout_timeout = checkout_timeout
        spec = WorkerSpec("stt", {"decoders": decoders_per_worker}, environment or {})
        self._workers = Workers(
            spec, workers, on_up=lambda worker: self.pool.add(worker, decoders_per_worker), on_down=self.pool.remove
        )

    async def start(self) -> None:
        """Start the workers. What fails is told by `health`, and tried again."""
        await self._workers.start()

    async def health(self) -> str | None:
        """None when a worker is there; else why not."""
        return None if self._workers.live else self._workers.problem or "no worker of the recogniser is running"

    async def open(self) -> SttSession:
        """A session for one call; decoders are taken at its `begin`."""
        return PocketsphinxSession(self, self._checkout_timeout)

    async def pronounce(self, words: frozenset[str]) -> frozenset[str]:
        """Which of these words are not in the dictionary and cannot be read aloud. Raises SttUnavailable without a worker."""
        try:
            worker = await self._workers.one(BEGIN_TIMEOUT)
            answer = await worker.ask("pronounce", {"words": sorted(words)}, PRONOUNCE_TIMEOUT)
        except WorkerGone as error:
            raise SttUnavailable(str(error)) from error
        return frozenset(answer.fields["missing"])

    async def aclose(self) -> None:
        """End the workers. Idempotent."""
        await self._workers.aclose()


@dataclass(slots=True, eq=False)
class _Utterance:
    """One utterance between begin and its result. `partials` ends with None."""

    slot: Slot
    id: int
    begun: asyncio.Future[None]
    result: asyncio.Future[Message]
    partials: asyncio.Queue[SttEvent | None] = field(default_factory=asyncio.Queue)
    failure: str | None = None

    @property
    def worker(self) -> Worker:
        return self.slot.worker

    def on_message(self, message: Message | None) -> None:
        if message is None:
            self._fail("the recogniser's worker died")
        elif message.kind == "partial":
            self._put(SttEvent("partial", message.fields["text"]))
        elif message.kind == "begun" and not self.begun.done():
            self.begun.set_result(None)
        elif message.kind == "refused":
            self._fail(message.fields["reason"])
        elif message.kind == "result" and not self.result.done():
            self.result.set_result(message)

    def close(self) -> None:
        """No answer is wanted any more."""
        self.worker.unlisten(self.id)
        self.partials.put_nowait(None)
        self.begun.cancel()
        self.result.cancel()

    def _put(self, partial: SttEvent) -> None:
        """Only the newest words matter: a listener that fell behind misses old ones."""
        if self.partials.qsize() >= PARTIALS_KEPT:
            self.partials.get_nowait()
        self.partials.put_nowait(partial)

    def _fail(self, reason: str) -> None:
        self.failure = reason
        for future in (self.begun, self.result):
            if not future.done():
                future.cancel()
        self.partials.put_nowait(None)


class PocketsphinxSession:
    """An SttSession. The cepstral mean of the caller's voice goes with it from utterance to utterance, whichever decoder it gets."""

    def __init__(self, engine: PocketsphinxEngine, checkout_timeout: float) -> None:
        self._engine = engine
        self._checkout_timeout = checkout_timeout
        self._mean: str | None = None
        self._utterance: _Utterance | None = None

    async def begin(self, hints: SttHints) -> None:
        """A new utterance; one that was not finalized is forgotten. Raises SttUnavailable: no grammar, or no decoder."""
        await self.reset()
        if hints.grammar is None:
            raise SttUnavailable("pocketsphinx understands the sentences of a grammar only, and none was given")
        slot = await self._engine.pool.take(hints.grammar, self._checkout_timeout)
        utterance = self._utterance = _start(slot)
        try:
            await self._ask_begin(utterance, hints)
        except BaseException:
            self._end(utterance, forget=True)
            raise

    def push(self, pcm: Pcm) -> None:
        """More of the utterance. pcm: int16, (n,), 16 kHz. Outside an utterance, or when the worker is behind: dropped, counted."""
        utterance = self._utterance
        body = pcm.astype("<i2", copy=False).tobytes()
        if utterance is None or not utterance.worker.post(Message("audio", utterance.id, {}, body), droppable=True):
            self._engine.dropped += 1

    async def partials(self) -> AsyncIterator[SttEvent]:
        """Each changed partial of the current utterance."""
        utterance = self._utterance
        while utterance is not None and (event := await utterance.partials.get()) is not None:
            yield event

    async def finalize(self, timeout: float) -> SttEvent:
        """The utterance is over: its result. Raises SttUnavailable."""
        utterance = self._utterance
        if utterance is None:
            raise SttUnavailable("no utterance has begun")
        try:
            utterance.worker.post(Message("finalize", utterance.id))
            message = await _answer(utterance, utterance.result, timeout)
        except BaseException:
            self._end(utterance, forget=True)
            raise
        self._end(utterance, forget=False)
        return self._event(message)

    async def reset(self) -> None:
        """Forget the utterance. Idempotent."""
        if self._utterance is not None:
            self._end(self._utterance, forget=True)

    async def aclose(self) -> None:
        """The call is over. Idempotent."""
        await self.reset()

    async def _ask_begin(self, utterance: _Utterance, hints: SttHints) -> None:
        fields = {"slot": utterance.slot.index, "grammar": hints.grammar, "loose": hints.loose, "mean": self._mean}
        utterance.worker.post(Message("begin", utterance.id, fields))
        await _answer(utterance, utterance.begun, BEGIN_TIMEOUT)

    def _event(self, message: Message) -> SttEvent:
        """What was understood also tells how this caller sounds; what was not may have been a cough."""
        fields = message.fields
        if fields["kind"] == "final":
            self._mean = fields["mean"]
        return SttEvent(fields["kind"], fields["text"], fields["confidence"], fields["confirm"])

    def _end(self, utterance: _Utterance, *, forget: bool) -> None:
        if forget:
            utterance.worker.post(Message("forget", utterance.id))
        utterance.close()
        if self._utterance is utterance:
            self._utterance = None
            self._engine.pool.give(utterance.slot)


def _start(slot: Slot) -> _Utterance:
    loop = asyncio.get_running_loop()
    utterance = _Utterance(slot, slot.worker.new_id(), loop.create_future(), loop.create_future())
    slot.worker.listen(utterance.id, utterance.on_message)
    return utterance


async def _answer(utterance: _Utterance, future: asyncio.Future[T], timeout: float) -> T:
    """Wait for one of the utterance's answers; a failure of the worker becomes SttUnavailable."""
    done, _ = await asyncio.wait([future], timeout=timeout)
    if not done:
        raise SttUnavailable(f"the recogniser did not answer within {timeout:g} s")
    if future.cancelled():
        raise SttUnavailable(utterance.failure or "the utterance was forgotten")
    return future.result()
