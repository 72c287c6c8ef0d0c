"""A WAV file that grows while it is written and can be read after any crash.

Stereo, 8 kHz, 16-bit PCM: left is the caller, right the agent. The header is written first with the sizes of an empty
file, the samples are appended, and the sizes are completed at the end: by `close`, or by `repair` after a restart.
"""

from __future__ import annotations

import struct
from pathlib import Path

from media.files import PLAIN, ByteFile, Files
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

    def __init__(self, path: Path, files: Files = PLAIN) -> None:
        self._file = files.create(path)
        try:
            self._file.write(header(0), 0)
        except OSError:
            self._file.close()
            raise

    def put(self, position: int, samples: Pcm) -> None:
        """Write samples, int16 (n, 2), so that the first lies at `position`; positions left out are silence."""
        self._file.write(samples.astype("<i2", copy=False).tobytes(), HEADER_BYTES + position * BLOCK)

    def close(self) -> int:
        """Complete the header and close. Returns the samples per channel that the file holds."""
        try:
            return _complete(self._file)
        finally:
            self._file.close()


def repair(path: Path, files: Files = PLAIN) -> int:
    """Complete the header of a recording whose writer was killed. Returns its samples per channel; raises OSError.

    Samples that were cut in the middle are cut off. Repairing a whole file changes nothing. ValueError when the file is
    no recording of ours, or one that cannot be unsealed.
    """
    file = files.reopen(path)
    try:
        file.mend()
        found = file.read(0, HEADER_BYTES)
        if len(found) < HEADER_BYTES:
            file.truncate(0)
            file.write(header(0), 0)
            return 0
        ours = header(0)
        if found[8:40] != ours[8:40] or found[:4] != b"RIFF":
            raise ValueError(f"{path} is not a recording of ours: its header is another.")
        return _complete(file)
    finally:
        file.close()


def _complete(file: ByteFile) -> int:
    samples = max(0, file.size() - HEADER_BYTES) // BLOCK
    file.truncate(HEADER_BYTES + samples * BLOCK)
    file.write(header(samples), 0)
    return samples
