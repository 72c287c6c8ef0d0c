"""The main process's end of one media process: who has which row, what was asked, what came back."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType

from media.call_media import RowCallMedia
from media.frames import MediaUnavailable
from media.recorder import Recorder, Recording
from media.records import REFUSED, Command, CommandKind, Event, EventKind
from media.rings import SharedRings


class MediaLink:
    """Rows, commands and events of one media process, on the loop's thread.

    `kick` tells the process that there are commands (it sleeps while it has no call); `stuck` is called when it takes
    none any more. `sounds` are the numbers of the background sounds, by their ids.
    """

    def __init__(
        self, rings: SharedRings, host: str, recorder: Recorder, kick: Callable[[], None], stuck: Callable[[], None],
        sounds: Mapping[str, int] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self.rings = rings
        self.sounds = sounds
        self.host = host
        self.failed: str | None = None
        self._recorder = recorder
        self._kick = kick
        self._stuck = stuck
        self._free = deque(range(rings.rows))
        self._calls: dict[int, RowCallMedia] = {}
        self._closing: set[RowCallMedia] = set()
        self._generation = itertools.count(1)
        self._token = itertools.count(1)
        self._asked: dict[int, tuple[int, asyncio.Future[int]]] = {}
        """By token: the generation that asked, and its answer."""

    def free(self) -> int:
        """How many more calls this process takes."""
        return 0 if self.failed else len(self._free)

    def load(self) -> int:
        """How many calls it has."""
        return len(self._calls)

    async def open(self, call_id: str, path: Path | None) -> RowCallMedia:
        """Take a row and have its ports bound. Raises MediaUnavailable."""
        if not self.free():
            raise MediaUnavailable(self.failed or "Every row of the media process is taken.")
        row = self._free.popleft()
        call = RowCallMedia(call_id, self, row, next(self._generation))
        self.rings.reset_row(row, call.generation)
        self._calls[row] = call
        try:
            port = await self.ask(Command(CommandKind.OPEN, row, call.generation, on=int(path is not None)))
        except asyncio.CancelledError:
            self.close(call)
            raise
        if port < 0:
            self._release(call)
            raise MediaUnavailable(self.failed or "No pair of RTP ports is free.")
        call.port = port
        if path is not None:
            call.recording = Recording(path, self.rings, row, self._recorder.files)
            self._recorder.add(call.recording)
        return call

    def send(self, command: Command) -> None:
        """Hand a command to the tick. A full ring means that the tick stands still: the process is given up."""
        if self.failed:
            return
        if self.rings.commands.push(command):
            self._kick()
        else:
            self._stuck()

    async def ask(self, command: Command) -> int:
        """Send a command and wait for its acknowledgement; REFUSED when it could not be done or the process died."""
        if self.failed:
            return REFUSED
        token = next(self._token)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asked[token] = command.generation, answer
        try:
            self.send(command._replace(token=token))
            return await answer
        finally:
            self._asked.pop(token, None)

    def close(self, call: RowCallMedia) -> None:
        """Begin to close a call; its `report` follows when the port is free and the recording whole."""
        if call in self._closing:
            return
        self._closing.add(call)
        if self.failed:
            self._finish(call)
            return
        self.send(Command(CommandKind.CLOSE, call.row, call.generation, token=-1))

    def wake(self) -> None:
        """Events or frames have come: deliver them, and wake everybody who waits for either."""
        for seen in self.rings.seen.drain() if self.rings.seen.waiting() else ():
            if (looked_at := self._calls.get(seen.row)) is not None and looked_at.generation == seen.generation:
                looked_at.see(seen)
        for event in self.rings.events.drain():
            self._deliver(event)
        for call in list(self._calls.values()):
            call.wake()

    def fail(self, reason: str) -> None:
        """The process is gone: what it had published is still delivered, then every call learns of it."""
        if self.failed:
            return
        self.wake()
        self.failed = reason
        for call in list(self._calls.values()):
            call.fail(reason)
            self._finish(call)

    def _deliver(self, event: Event) -> None:
        call = self._calls.get(event.row)
        if event.kind == EventKind.ACK and event.a > 0:
            self._answer(event.a, event.b)
        elif call is None or call.generation != event.generation:
            return
        elif event.kind == EventKind.ACK:
            self._finish(call)
        else:
            call.take(event)

    def _answer(self, token: int, result: int) -> None:
        """Answer whoever asked; one that has given up is there no more."""
        _, answer = self._asked.get(token, (0, None))
        if answer is not None and not answer.done():
            answer.set_result(result)

    def _finish(self, call: RowCallMedia) -> None:
        """The tick has let go of the row: complete the recording, then the row is free.

        What was asked and not answered never will be (keys that had not left): it is refused.
        """
        call.end()
        for token, (generation, _) in self._asked.items():
            if generation == call.generation:
                self._answer(token, REFUSED)
        if call.recording is None:
            self._release(call)
            return
        loop = asyncio.get_running_loop()

        def written(_: Future[None]) -> None:
            loop.call_soon_threadsafe(self._release, call)

        self._recorder.finish(call.recording).add_done_callback(written)

    def _release(self, call: RowCallMedia) -> None:
        if self._calls.get(call.row) is not call:
            return
        call.end()
        call.report()
        del self._calls[call.row]
        self._closing.discard(call)
        self._free.append(call.row)
