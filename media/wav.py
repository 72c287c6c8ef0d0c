"""A WAV file that grows while it is written and can be read after any crash.

Stereo, 8 kHz, 16-bit PCM: left is the caller, right the agent. The header is written first with the sizes of an empty
file, the samples are appended, and the sizes are completed at the end: by `close`, or by `repair` after a restart.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from media.frames import LINE_RATE, Pcm

HEADER_BYTES = 44
CHANNELS = 2
BLOCK = CHANNELS * 2
"""Bytes of one sample of all channels."""


def header(samples: int) -> bytes:
    """The RIFF header for so many samples per channel; longer than the 32-bit sizes can tell, it tells their greatest."""
    size = min(samples * BLOCK, 0xFFFFFFFF - HEADER_BYTES)
    form = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, CHANNELS, LINE_RATE,
                       LINE_RATE * BLOCK, BLOCK, 16)  # fmt: skip
    return form + struct.pack("<4sI", b"data", size)


class WavWriter:
    """One recording under way. OSError is the caller's to handle; what was written before it stays readable."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._write(header(0), 0)
        except OSError:
            os.close(self._fd)
            raise

    def put(self, position: int, samples: Pcm) -> None:
        """Write samples, int16 (n, 2), so that the first lies at `position`; positions left out are silence."""
        self._write(samples.astype("<i2", copy=False).tobytes(), HEADER_BYTES + position * BLOCK)

    def close(self) -> int:
        """Complete the header and close. Returns the samples per channel that the file holds."""
        try:
            return _complete(self._fd)
        finally:
            os.close(self._fd)

    def _write(self, data: bytes, offset: int) -> None:
        rest = memoryview(data)
        while rest:
            done = os.pwrite(self._fd, rest, offset)
            rest, offset = rest[done:], offset + done


def repair(path: Path) -> int:
    """Complete the header of a recording whose writer was killed. Returns its samples per channel; raises OSError.

    Samples that were cut in the middle are cut off. Repairing a whole file changes nothing. ValueError when the file is
    no recording of ours.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        found = os.pread(fd, HEADER_BYTES, 0)
        if len(found) < HEADER_BYTES:
            os.ftruncate(fd, 0)
            os.pwrite(fd, header(0), 0)
            return 0
        ours = header(0)
        if found[8:40] != ours[8:40] or found[:4] != b"RIFF":
            raise ValueError(f"{path} is not a recording of ours: its header is another.")
        return _complete(fd)
    finally:
        os.close(fd)


def _complete(fd: int) -> int:
    samples = max(0, os.fstat(fd).st_size - HEADER_BYTES) // BLOCK
    os.ftruncate(fd, HEADER_BYTES + samples * BLOCK)
    os.pwrite(fd, header(samples), 0)
    return samples
