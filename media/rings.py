"""The memory that a media process shares with the main process: one memfd, laid out as numpy arrays.

For every call there is a *row*: a ring of frames heard (16 kHz, with what the ear knows of each frame), a ring of frames
to play (8 kHz, with marks), a ring for the recording (two channels of 8 kHz), and some 64-bit counters. Beside the rows
there are two rings of records, commands one way and events the other (`media.records`).

Every ring has one producer and one consumer and no lock. A counter only ever grows and is written by one side; the
place of item n is n modulo the ring's size. The producer publishes in the order data, counter, eventfd; an aligned
64-bit store is one instruction, and the eventfd's system call is a full barrier for whoever is woken by it.

What happens when a ring is full is part of its meaning: the in-ring overwrites its oldest frames, which the consumer
notices by the counter and reports as lost; the out-ring refuses; the command ring refuses, which means that the media
process has stopped ticking; the event ring counts what it had to drop.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, fields
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from media.frames import EAR_SAMPLES, LINE_SAMPLES, Pcm
from media.records import COMMAND, EVENT, Command, Event
from media.seen import RTP_SEEN, RtpSeen
from media.stopwatch import Stage

Counts = NDArray[np.int64]
Record = TypeVar("Record", Command, Event, RtpSeen)

IN_FRAMES = 128
"""2.56 s of frames heard: the 500 ms of pre-roll that `hear` may ask for, and 2 s for a consumer that is late."""
OUT_FRAMES = 512
"""10.24 s of frames to play, those kept for `resume` included."""
KEPT_FRAMES = 64
"""1.28 s of frames already played stay in the out-ring, so that `resume` can go back to the start of a word."""
RECORDING_FRAMES = 256
"""5.12 s of recording, drained once a second."""
SOURCE_BYTES = 64
"""An IPv6 address with its zone and port fits."""
COMMANDS = 4096
EVENTS = 16384
RTP_SEENS = 8192
"""A second of eighty calls that are looked at."""
_CACHE_LINE = 64


@dataclass(frozen=True, slots=True)
class RowCounters:
    """One int64 per row and name, arrays of shape (rows,).

    Written by the main process before OPEN (with every other counter set to 0) and by `play`: `generation`, `out_head`.
    Everything else is the tick's.
    """

    generation: Counts
    """Which call has the row; records of another generation are stale."""
    out_head: Counts
    """Frames put into the out-ring."""
    out_tail: Counts
    """Index of the next frame to leave; frames before it have been played or dropped."""
    played: Counts
    """Frames that have left on the wire: `out_tail` less what flushes dropped."""
    in_head: Counts
    """Frames put into the in-ring."""
    origin: Counts
    """The tick at which the call was connected, -1 before."""
    recorded: Counts
    """Position up to which the recording ring is final; the recorder takes no more than that."""
    frontier: Counts
    """Position up to which the recording ring holds anything at all, for the recorder of a process that died."""
    packets_sent: Counts
    packets_received: Counts
    packets_lost: Counts
    packets_late: Counts
    jitter_us: Counts
    mos_milli: Counts
    """Mean opinion score times 1000, 0 while nothing was received."""


@dataclass(frozen=True, slots=True)
class RowFigures:
    """How each call sounds (`media.figures`), one int64 per row and name, written by the tick. 0: not known yet.

    Shares are in 1/10 000, times in what the name says, scores times 1000.
    """

    expected: Counts
    duplicates: Counts
    concealed_ms: Counts
    burst_share: Counts
    burst_ms: Counts
    gap_share: Counts
    gap_ms: Counts
    listening_milli: Counts
    worst_mos_milli: Counts
    worst_share: Counts
    worst_s: Counts
    round_trip_us: Counts
    sent_reported: Counts
    sent_lost: Counts
    sent_jitter_us: Counts
    sent_mos_milli: Counts
    findings: Counts
    """Bit n is set for `call_report.FINDINGS[n]`."""


@dataclass(frozen=True, slots=True)
class ProcessCounters:
    """One int64 per name for the whole media process, arrays of shape (1,) but the last, all written by the tick but those marked."""

    ready: Counts
    tick: Counts
    """Number of the last tick whose frames and events are published."""
    command_head: Counts
    """Written by the main process."""
    command_tail: Counts
    event_head: Counts
    event_tail: Counts
    """Written by the main process."""
    seen_head: Counts
    seen_tail: Counts
    """Written by the main process."""
    events_lost: Counts
    ticks: Counts
    ticks_late: Counts
    """Ticks that began more than half a tick after their time."""
    ticks_skipped: Counts
    """Ticks that were never run, after a standstill too long to catch up with."""
    cpu_ns: Counts
    """Processor time of the tick's thread since the first tick."""
    sends_late: Counts
    """Ticks whose packets left after the fixed offset, because the work before took longer."""
    packets_refused: Counts
    """Sends that the peer's host answered with an ICMP error (ECONNREFUSED)."""
    packets_foreign: Counts
    """Packets from an address that is not the call's peer."""
    packets_malformed: Counts
    packets_unauthentic: Counts
    """Packets of secure calls that did not prove to be the peer's, or were there before (SRTP)."""
    work_us_max: Counts
    send_offset_us: Counts
    """How long after a tick's beginning its packets leave."""
    stage_ns: Counts
    """Of `cpu_ns`, what each stage took: shape (stages,)."""


class _Layout(NamedTuple):
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.void] | type[np.generic]


def _layout(rows: int) -> tuple[dict[str, _Layout], int]:
    """Where each array lies, and the size of the whole."""
    offset = 0
    places: dict[str, _Layout] = {}

    def add(name: str, shape: tuple[int, ...], dtype: np.dtype[np.void] | type[np.generic]) -> None:
        nonlocal offset
        places[name] = _Layout(offset, shape, dtype)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        offset += -(-size // _CACHE_LINE) * _CACHE_LINE

    for field in fields(ProcessCounters):
        add("process." + field.name, (len(Stage) if field.name == "stage_ns" else 1,), np.int64)
    for field in fields(RowCounters):
        add("row." + field.name, (rows,), np.int64)
    for field in fields(RowFigures):
        add("figures." + field.name, (rows,), np.int64)
    add("source", (rows,), np.dtype(f"S{SOURCE_BYTES}"))
    add("commands", (COMMANDS,), COMMAND)
    add("events", (EVENTS,), EVENT)
    add("seen", (RTP_SEENS,), RTP_SEEN)
    add("in_at", (rows, IN_FRAMES), np.int64)
    add("in_speech", (rows, IN_FRAMES), np.float32)
    add("in_concealed", (rows, IN_FRAMES), np.bool_)
    add("out_mark", (rows, OUT_FRAMES), np.int64)
    add("in_pcm", (rows, IN_FRAMES, EAR_SAMPLES), np.int16)
    add("out_pcm", (rows, OUT_FRAMES, LINE_SAMPLES), np.int16)
    add("out_is_wide", (rows, OUT_FRAMES), np.bool_)
    add("recording", (2, rows, RECORDING_FRAMES * LINE_SAMPLES), np.int16)
    # Last, and touched by wideband calls only: memory that nobody has written to costs nothing.
    add("out_wide", (rows, OUT_FRAMES, EAR_SAMPLES), np.int16)
    return places, offset


def row_bytes(*, wide: bool = False) -> int:
    """Bytes of shared memory that one more row costs, with a wideband call in it or not."""
    whole = _layout(65)[1] // 64 - _layout(1)[1] // 64
    return whole if wide else whole - OUT_FRAMES * EAR_SAMPLES * 2


class RecordRing(Generic[Record]):
    """A ring of fixed records with one producer and one consumer."""

    def __init__(
        self, kind: type[Record], records: NDArray[np.void], head: Counts, tail: Counts, *, secret: bool = False
    ) -> None:
        """secret: what has been read is overwritten with zeros."""
        self._kind: type[Record] = kind
        self._records = records
        self._head = head
        self._tail = tail
        self._secret = secret

    def room(self) -> int:
        """How many more records `push` takes now."""
        return len(self._records) - int(self._head[0] - self._tail[0])

    def waiting(self) -> bool:
        """Whether `drain` would find anything."""
        return int(self._head[0]) != int(self._tail[0])

    def push(self, record: Record) -> bool:
        """Add a record; False, and nothing written, when the ring is full."""
        head = int(self._head[0])
        if head - int(self._tail[0]) >= len(self._records):
            return False
        self._records[head % len(self._records)] = record
        self._head[0] = head + 1
        return True

    def drain(self, limit: int | None = None) -> list[Record]:
        """Take what is there, oldest first, at most `limit` records."""
        tail, head = int(self._tail[0]), int(self._head[0])
        if limit is not None:
            head = min(head, tail + limit)
        size = len(self._records)
        taken = [self._kind._make(self._records[n % size].item()) for n in range(tail, head)]
        if self._secret and taken:
            self._records[np.arange(tail, head) % size] = np.zeros((), self._records.dtype)
        self._tail[0] = head
        return taken


class SharedRings:
    """All arrays of one media process, over memory that both sides map.

    in_pcm: int16 (rows, IN_FRAMES, 320); in_at, in_speech, in_concealed: (rows, IN_FRAMES). out_pcm: int16
    (rows, OUT_FRAMES, 160); out_mark: (rows, OUT_FRAMES); where out_is_wide (rows, OUT_FRAMES) says so, the frame is that of
    out_wide, int16 (rows, OUT_FRAMES, 320), 16 kHz, instead. recording: int16 (2, rows, RECORDING_FRAMES * 160), channel 0
    the caller, 1 the agent; the sample at position p of a call lies at p modulo the ring's length.
    """

    def __init__(self, rows: int, memory: mmap.mmap, fd: int) -> None:
        self.rows = rows
        self.fd = fd
        places, _ = _layout(rows)
        arrays = {name: np.ndarray(place.shape, place.dtype, memory, place.offset) for name, place in places.items()}
        self.process = ProcessCounters(**{f.name: arrays["process." + f.name] for f in fields(ProcessCounters)})
        self.row = RowCounters(**{f.name: arrays["row." + f.name] for f in fields(RowCounters)})
        self.figures = RowFigures(**{f.name: arrays["figures." + f.name] for f in fields(RowFigures)})
        self.source: NDArray[np.bytes_] = arrays["source"]
        self.in_pcm: Pcm = arrays["in_pcm"]
        self.in_at: Counts = arrays["in_at"]
        self.in_speech: NDArray[np.float32] = arrays["in_speech"]
        self.in_concealed: NDArray[np.bool_] = arrays["in_concealed"]
        self.out_pcm: Pcm = arrays["out_pcm"]
        self.out_mark: Counts = arrays["out_mark"]
        self.out_wide: Pcm = arrays["out_wide"]
        self.out_is_wide: NDArray[np.bool_] = arrays["out_is_wide"]
        self.recording: Pcm = arrays["recording"]
        process = self.process
        self.commands = RecordRing(Command, arrays["commands"], process.command_head, process.command_tail, secret=True)
        self.events = RecordRing(Event, arrays["events"], process.event_head, process.event_tail)
        self.seen = RecordRing(RtpSeen, arrays["seen"], process.seen_head, process.seen_tail)

    @classmethod
    def create(cls, rows: int) -> SharedRings:
        """New memory, zeroed; `fd` is to be passed to the media process and closed with `close_fd`."""
        fd = os.memfd_create("antiphon-media", os.MFD_CLOEXEC)
        size = _layout(rows)[1]
        os.ftruncate(fd, size)
        return cls(rows, mmap.mmap(fd, size), fd)

    @classmethod
    def attach(cls, rows: int, fd: int) -> SharedRings:
        """Map the memory behind `fd`, made by `create` with as many rows. ValueError when it is smaller."""
        return cls(rows, mmap.mmap(fd, _layout(rows)[1]), fd)

    def close_fd(self) -> None:
        """Close the descriptor; the mapping lives on as long as somebody holds an array of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def reset_row(self, row: int, generation: int) -> None:
        """Give the row to a new call; by the main process, before OPEN, while the tick leaves the row alone."""
        for field in fields(RowCounters):
            getattr(self.row, field.name)[row] = 0
        for field in fields(RowFigures):
            getattr(self.figures, field.name)[row] = 0
        self.source[row] = b""
        self.row.origin[row] = -1
        self.recording[:, row] = 0
        self.out_mark[row] = 0
        self.row.generation[row] = generation

    def out_room(self, row: int) -> int:
        """How many more frames the out-ring of a row takes now."""
        return OUT_FRAMES - KEPT_FRAMES - int(self.row.out_head[row] - self.row.out_tail[row])

    def put_out(self, row: int, frames: Pcm, mark: int) -> int:
        """Queue frames (n, 160), or (n, 320) at 16 kHz, to be played, the first with `mark`. Returns how many fitted, the first ones."""
        count = max(0, min(len(frames), self.out_room(row)))
        if count == 0:
            return 0
        head = int(self.row.out_head[row])
        slots = np.arange(head, head + count) % OUT_FRAMES
        wide = frames.shape[1] == EAR_SAMPLES
        (self.out_wide if wide else self.out_pcm)[row, slots] = frames[:count]
        self.out_is_wide[row, slots] = wide
        self.out_mark[row, slots] = 0
        self.out_mark[row, slots[0]] = mark
        self.row.out_head[row] = head + count
        return count

    def read_recording(self, row: int, start: int, stop: int) -> Pcm:
        """The samples from `start` to `stop`, int16 (stop - start, 2): caller, agent. At most the ring's length."""
        places = np.arange(start, stop) % (RECORDING_FRAMES * LINE_SAMPLES)
        return np.ascontiguousarray(self.recording[:, row, places].T)
