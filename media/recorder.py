"""Takes the recording rings to disk: one thread, once a second, by `pwrite`.

The tick never waits for a disk: it lays samples into rings of memory, and this thread, in the main process, fetches what
was laid; a main process that is killed costs one second of a recording at most. Because the main process maps the memory,
a media process that dies loses nothing that it had laid. A disk that is full or broken stops that one recording, keeps what
is in it and is remembered in `Recording.problem`; the call goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from media.files import PLAIN, Files, SealBroken
from media.frames import LINE_SAMPLES
from media.rings import RECORDING_FRAMES, SharedRings
from media.wav import WavWriter, repair

__all__ = ["Recorder", "Recording", "repair"]

_RING_SAMPLES = RECORDING_FRAMES * LINE_SAMPLES


class Recording:
    """One call's recording. `problem` is the sentence of the disk's error, None while all is well."""

    def __init__(self, path: Path, rings: SharedRings, row: int, files: Files = PLAIN) -> None:
        self.path = path
        self.problem: str | None = None
        self.samples = 0
        self._files = files
        self._rings = rings
        self._row = row
        self._drained = 0
        self._writer: WavWriter | None = None
        self._opened = False

    def drain(self) -> None:
        """Write all that has been laid. The caller's last second is not final yet (see `Tape`): it is written again next time,
        and is there already should this process be killed."""
        final = int(self._rings.row.recorded[self._row])
        self._guard(lambda: self._copy(final))

    def finish(self) -> None:
        """Write the rest, whether final or not, complete the header and close the file."""
        self._guard(lambda: self._copy(int(self._rings.row.frontier[self._row])))
        if self._writer is not None:
            self._guard(self._close)

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (OSError, SealBroken) as error:
            reason = getattr(error, "strerror", None) or str(error).rstrip(".")
            self.problem = self.problem or f"The recording stopped: {reason}."

    def _copy(self, final: int) -> None:
        """Write what was laid since position `_drained`; up to `final` it need not be written again."""
        if self.problem is not None:
            return
        if not self._opened:
            self._opened = True
            self._writer = WavWriter(self.path, self._files)
        if self._writer is None:
            return
        stop = int(self._rings.row.frontier[self._row])
        # What the ring no longer holds, because the disk stood still for longer than it is, becomes silence.
        start = max(self._drained, stop - _RING_SAMPLES)
        if stop > start:
            self._writer.put(start, self._rings.read_recording(self._row, start, stop))
            self._drained = max(start, final)

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self.samples = writer.close()


class Recorder:
    """The recordings under way, and the writer thread; before `start` and after `stop` everything is done by the caller.

    `files` says of which kind the recordings' files are.
    """

    def __init__(self, interval: float = 1.0, files: Files = PLAIN) -> None:
        self.files = files
        self._interval = interval
        self._lock = threading.Condition()
        self._under_way: set[Recording] = set()
        self._ending: list[tuple[Recording, Future[None]]] = []
        self._running = False
        self._thread = threading.Thread(target=self._run, name="antiphon-recorder", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._running = True
        self._thread.start()

    def add(self, recording: Recording) -> None:
        """Drain this recording from now on. The file is made then; a disk that refuses is the recording's problem."""
        with self._lock:
            self._under_way.add(recording)

    def finish(self, recording: Recording) -> Future[None]:
        """Write the rest of a recording and its header; the future is done when the file is whole."""
        done: Future[None] = Future()
        with self._lock:
            self._under_way.discard(recording)
            if self._running:
                self._ending.append((recording, done))
                self._lock.notify()
                return done
        _finish([(recording, done)])
        return done

    def drain(self) -> None:
        """Write what was laid of every recording under way."""
        with self._lock:
            under_way = list(self._under_way)
        for recording in under_way:
            recording.drain()

    def stop(self) -> None:
        """End the thread, waiting for it, and finish every recording."""
        with self._lock:
            was_running, self._running = self._running, False
            self._lock.notify()
        if was_running:
            self._thread.join()
        _finish(self._ending)
        for recording in self._under_way:
            recording.finish()
        self._under_way.clear()

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        while self._running:
            with self._lock:
                if not self._ending and self._running:
                    self._lock.wait(max(0.0, due - time.monotonic()))
                ending, self._ending = self._ending, []
            _finish(ending)
            if time.monotonic() >= due:
                due = time.monotonic() + self._interval
                self.drain()


def _finish(ending: list[tuple[Recording, Future[None]]]) -> None:
    for recording, done in ending:
        recording.finish()
        done.set_result(None)
