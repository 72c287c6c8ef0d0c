"""Recordings: sample-exact, whole after a crash, and a full disk that keeps what was written."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from media.recorder import Recorder, Recording
from media.rings import RECORDING_FRAMES, SharedRings
from media.wav import HEADER_BYTES, WavWriter, repair

SECOND = 8000


@pytest.fixture
def rings() -> SharedRings:
    made = SharedRings.create(2)
    made.close_fd()
    made.reset_row(1, generation=1)
    return made


def lay(rings: SharedRings, start: int, stop: int) -> None:
    """As the tick does: the caller's samples are their positions, the agent's the same below zero."""
    positions = np.arange(start, stop)
    places = positions % (RECORDING_FRAMES * 160)
    rings.recording[0, 1, places] = positions % 30000
    rings.recording[1, 1, places] = -(positions % 30000)
    rings.row.frontier[1] = stop
    rings.row.recorded[1] = max(0, stop - SECOND)


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, 8000)
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)


def test_what_is_drained_in_pieces_is_one_recording(rings: SharedRings, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "call.wav", rings, 1)
    for start in range(0, 12 * SECOND, SECOND):
        lay(rings, start, start + SECOND)
        recording.drain()
    recording.finish()
    samples = read(recording.path)
    assert (samples[:, 0] == np.arange(12 * SECOND) % 30000).all()
    assert (samples[:, 1] == -samples[:, 0]).all()
    assert recording.samples == 12 * SECOND
    assert recording.problem is None


def test_what_is_not_final_yet_is_on_disk_already_and_is_written_again(rings: SharedRings, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "call.wav", rings, 1)
    lay(rings, 0, 2 * SECOND)
    recording.drain()
    assert recording.path.stat().st_size == HEADER_BYTES + 2 * SECOND * 4
    late = np.arange(SECOND + 160, SECOND + 320)
    rings.recording[0, 1, late] = 5
    lay(rings, 2 * SECOND, 3 * SECOND)
    recording.drain()
    repair(recording.path)
    samples = read(recording.path)[:, 0]
    assert len(samples) == 3 * SECOND
    assert (samples[late] == 5).all()
    assert (np.delete(samples, late) == np.delete(np.arange(3 * SECOND), late)).all()
    recording.finish()


def test_a_disk_that_stood_still_for_longer_than_the_ring_leaves_silence_and_no_shift(
    rings: SharedRings, tmp_path: Path
) -> None:
    recording = Recording(tmp_path / "call.wav", rings, 1)
    lay(rings, 0, 2 * SECOND)
    recording.drain()
    lay(rings, 2 * SECOND, 9 * SECOND)
    recording.finish()
    samples = read(recording.path)[:, 0]
    lost_until = 9 * SECOND - RECORDING_FRAMES * 160
    assert len(samples) == 9 * SECOND
    assert (samples[: 2 * SECOND] == np.arange(2 * SECOND)).all()
    assert not samples[2 * SECOND : lost_until].any()
    assert (samples[lost_until:] == np.arange(lost_until, 9 * SECOND) % 30000).all()


def test_the_thread_drains_finishes_and_stops(rings: SharedRings, tmp_path: Path) -> None:
    recorder = Recorder(interval=0.01)
    recorder.start()
    closed, left = Recording(tmp_path / "closed.wav", rings, 1), Recording(tmp_path / "left.wav", rings, 1)
    recorder.add(closed)
    recorder.add(left)
    lay(rings, 0, 3 * SECOND)
    recorder.finish(closed).result(timeout=5)
    assert len(read(closed.path)) == 3 * SECOND
    recorder.stop()
    assert len(read(left.path)) == 3 * SECOND
    # After the end there is no thread any more, but a late call is still finished.
    late = Recording(tmp_path / "late.wav", rings, 1)
    recorder.finish(late).result(timeout=5)
    assert len(read(late.path)) == 3 * SECOND


def test_a_folder_that_is_missing_is_the_recording_s_problem_only(rings: SharedRings, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "missing" / "call.wav", rings, 1)
    lay(rings, 0, SECOND)
    recording.drain()
    recording.finish()
    assert recording.problem == "The recording stopped: No such file or directory."


def test_repair_completes_what_a_killed_writer_left(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    writer = WavWriter(path)
    writer.put(0, np.full((100, 2), 7, np.int16))
    left_behind = path.read_bytes() + b"\x01\x02\x03"
    writer.close()
    whole = path.read_bytes()
    path.write_bytes(left_behind)
    assert repair(path) == 100
    assert path.read_bytes() == whole
    assert repair(path) == 100
    assert (read(path) == 7).all()


@pytest.mark.parametrize("length", [0, 10, HEADER_BYTES])
def test_repair_makes_an_empty_recording_of_a_file_that_was_only_begun(tmp_path: Path, length: int) -> None:
    path = tmp_path / "call.wav"
    WavWriter(path).close()
    path.write_bytes(path.read_bytes()[:length])
    assert repair(path) == 0
    assert len(read(path)) == 0


def test_repair_leaves_other_files_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="not a recording"):
        repair(path)
    assert path.read_bytes() == b"x" * 100


_FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from media.recorder import Recording
from media.rings import SharedRings
rings = SharedRings.create(1)
rings.reset_row(0, 1)
rings.recording[:] = 5
resource.setrlimit(resource.RLIMIT_FSIZE, (100_001, 100_001))
recording = Recording(Path(sys.argv[1]), rings, 0)
for second in range(1, 5):
    rings.row.frontier[0] = rings.row.recorded[0] = second * 8000
    recording.drain()
recording.finish()
print(recording.samples, recording.problem)
"""


def test_a_full_disk_keeps_what_is_written_and_is_remembered(tmp_path: Path) -> None:
    # A limit on the size of files lets pwrite fail in the middle of a page, as a full disk does.
    path = tmp_path / "call.wav"
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    samples = (100_001 - HEADER_BYTES) // 4
    assert done.stdout == f"{samples} The recording stopped: File too large.\n"
    recorded = read(path)
    assert len(recorded) == samples
    assert (recorded == 5).all()
