"""Sealed files: they are what was written, at any place and after any crash, and nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import wave
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.either import EitherFiles
from media.files import SealBroken, Stream
from media.recorder import Recording
from media.rings import RECORDING_FRAMES, SharedRings
from media.sealed import KEY_BYTES, PAGE, ROOM, SealedFiles, open_with
from media.wav import HEADER_BYTES, WavWriter, repair

SECOND = 8000


class Mask:
    """Wraps keys with a number, as thinly as that."""

    def __init__(self, number: int) -> None:
        self.number = number

    def wrap(self, key: bytes) -> bytes:
        return bytes([self.number]) + bytes(octet ^ self.number for octet in key)

    def unwrap(self, wrapped: bytes) -> bytes:
        if wrapped[0] > self.number:
            raise SealBroken("It was sealed with another master key.")
        return bytes(octet ^ wrapped[0] for octet in wrapped[1:])

    def is_current(self, wrapped: bytes) -> bool:
        return wrapped[0] == self.number


FILES = SealedFiles(Mask(7))


def content(path: Path) -> bytes:
    file = FILES.open(path)
    try:
        return file.read(0, file.size())
    finally:
        file.close()


def samples(path: Path) -> np.ndarray:
    with wave.open(BytesIO(content(path))) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, SECOND)
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)


places = st.integers(0, 3 * ROOM) | st.sampled_from([0, ROOM - 1, ROOM, ROOM + 1, 2 * ROOM])
steps = st.one_of(
    st.tuples(st.just("write"), places, st.binary(min_size=1, max_size=200) | st.just(b"x" * (2 * ROOM))),
    st.tuples(st.just("truncate"), places, st.just(b"")),
)


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(steps, max_size=8), look=st.tuples(places, places))
def test_it_is_a_file_like_any_other(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bytes]], look: tuple[int, int]
) -> None:
    path = tmp_path_factory.mktemp("sealed") / "file"
    file, model = FILES.create(path), bytearray()
    for what, at, data in steps:
        if what == "write":
            file.write(data, at)
            model += bytes(max(0, at - len(model)))
            model[at : at + len(data)] = data
        else:
            file.truncate(at)
            del model[at:]
        assert file.size() == len(model)
    assert file.read(*look) == bytes(model[look[0] : sum(look)])
    file.close()
    assert content(path) == bytes(model)
    assert path.stat().st_size == PAGE * (1 + -(-len(model) // ROOM))


def test_nothing_of_it_can_be_read_from_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = FILES.create(path)
    file.write(b"4111 1111 1111 1111" * 1000, 0)
    first = path.read_bytes()
    file.write(b"4111 1111 1111 1111" * 1000, 0)
    file.close()
    assert b"4111" not in first
    assert path.stat().st_mode & 0o777 == 0o600
    # Sealed anew, the same content is another page: no nonce comes twice.
    again = path.read_bytes()
    assert all(first[at : at + 12] != again[at : at + 12] for at in range(PAGE, len(first), PAGE))


def test_another_key_and_a_changed_page_are_told_apart_from_content(tmp_path: Path) -> None:
    path = tmp_path / "call.wav.sealed"
    file = FILES.create(path)
    file.write(bytes(3 * ROOM), 0)
    file.close()
    with pytest.raises(SealBroken, match=r"call\.wav\.sealed: It was sealed with another master key\."):
        SealedFiles(Mask(6)).open(path)
    with pytest.raises(SealBroken, match="damaged"):
        open_with(bytes(KEY_BYTES), path).size()
    sealed = bytearray(path.read_bytes())
    swapped = sealed[:PAGE] + sealed[2 * PAGE : 3 * PAGE] + sealed[PAGE : 2 * PAGE] + sealed[3 * PAGE :]
    path.write_bytes(swapped)
    with pytest.raises(SealBroken, match="Page 1 of the sealed file is damaged"):
        content(path)
    sealed[2 * PAGE + 100] ^= 1
    path.write_bytes(sealed)
    with pytest.raises(SealBroken, match="Page 2"):
        content(path)
    path.write_bytes(b"RIFF" * PAGE)
    with pytest.raises(SealBroken, match="no sealed file of ours"):
        FILES.open(path)


def test_a_recording_is_sealed_in_pieces_and_is_one(tmp_path: Path) -> None:
    rings = SharedRings.create(1)
    rings.close_fd()
    rings.reset_row(0, generation=1)
    recording = Recording(tmp_path / "call.wav.sealed", rings, 0, FILES)
    for second in range(6):
        positions = np.arange(second * SECOND, (second + 1) * SECOND)
        rings.recording[0, 0, positions % (RECORDING_FRAMES * 160)] = positions % 30000
        rings.row.frontier[0] = (second + 1) * SECOND
        rings.row.recorded[0] = second * SECOND
        recording.drain()
    assert repair(recording.path, FILES) == 6 * SECOND
    recording.finish()
    assert (samples(recording.path)[:, 0] == np.arange(6 * SECOND) % 30000).all()
    assert recording.problem is None


@pytest.mark.parametrize("cut", [1, 100, PAGE - 1])
def test_a_page_that_was_not_finished_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "call.wav.sealed"
    writer = WavWriter(path, FILES)
    writer.put(0, np.full((3 * ROOM // 4, 2), 7, np.int16))
    whole = path.read_bytes()
    writer.close()
    path.write_bytes(whole[:-cut])
    kept = (2 + (len(whole) // PAGE - 4)) * ROOM
    assert repair(path, FILES) == (kept - HEADER_BYTES) // 4
    assert (samples(path) == 7).all()
    assert repair(path, FILES) == (kept - HEADER_BYTES) // 4


def test_after_a_power_cut_pages_that_never_came_are_silence(tmp_path: Path) -> None:
    path = tmp_path / "call.wav.sealed"
    writer = WavWriter(path, FILES)
    writer.put(0, np.full((3 * ROOM // 4, 2), 7, np.int16))
    writer.close()
    damaged = bytearray(path.read_bytes())
    damaged[2 * PAGE : 3 * PAGE] = bytes(PAGE)
    path.write_bytes(damaged)
    assert repair(path, FILES) == 3 * ROOM // 4
    heard = samples(path)[:, 0]
    assert sorted(set(heard.tolist())) == [0, 7]
    assert (heard == 0).sum() <= ROOM // 4 + 1


@pytest.mark.parametrize("length", [0, 10, PAGE - 1, PAGE])
def test_a_recording_that_was_only_begun_is_empty(tmp_path: Path, length: int) -> None:
    path = tmp_path / "call.wav.sealed"
    WavWriter(path, FILES).close()
    path.write_bytes(path.read_bytes()[:length])
    assert repair(path, FILES) == 0
    assert len(samples(path)) == 0


_DOOMED = """
import sys
from pathlib import Path
import numpy as np
from media.sealed import SealedFiles
from media.wav import WavWriter
class Mask:
    def wrap(self, key):
        return bytes([7]) + bytes(octet ^ 7 for octet in key)
writer = WavWriter(Path(sys.argv[1]), SealedFiles(Mask()))
at, value = 0, 1
while True:
    # As the recorder does: the last second is written again each time; in the middle of it comes a pause, which is silence.
    for _ in range(2):
        block = np.full((8000, 2), 7, np.int16)
        block[2000:6000] = 0
        writer.put(at, block)
    at += 8000
    if at % 80000 == 0:
        print(at, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_recording_with_its_pauses(tmp_path: Path) -> None:
    path = tmp_path / "call.wav.sealed"
    with subprocess.Popen([sys.executable, "-c", _DOOMED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = 0
        for line in process.stdout:
            told = int(line)
            if told >= 800_000:
                os.kill(process.pid, signal.SIGKILL)
                break
    found = repair(path, FILES)
    assert found >= told
    heard = samples(path)
    assert len(heard) == found
    place = np.arange(found) % 8000
    paused = (place >= 2000) & (place < 6000)
    assert not heard[paused].any()
    assert (heard[~paused] == 7).all()


_CRAMPED = """
import resource, sys
from pathlib import Path
import numpy as np
from media.recorder import Recording
from media.rings import RECORDING_FRAMES, SharedRings
from media.sealed import SealedFiles
class Mask:
    def wrap(self, key):
        return bytes([7]) + bytes(octet ^ 7 for octet in key)
    def unwrap(self, wrapped):
        return bytes(octet ^ 7 for octet in wrapped[1:])
rings = SharedRings.create(1)
# A write that does not fit is cut in the middle of a page, as on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
rings.reset_row(0, generation=1)
rings.recording[:] = 7
recording = Recording(Path(sys.argv[1]), rings, 0, SealedFiles(Mask()))
for second in range(1, 8):
    rings.row.frontier[0], rings.row.recorded[0] = second * 8000, (second - 1) * 8000
    recording.drain()
recording.finish()
print(recording.problem, recording.samples)
"""


@pytest.mark.parametrize("room", [20 * PAGE + 1000, 21 * PAGE])
def test_a_recording_that_has_no_more_room_keeps_what_it_has(tmp_path: Path, room: int) -> None:
    path = tmp_path / "call.wav"
    command = [sys.executable, "-c", _CRAMPED, str(path), str(room)]
    said, kept = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rsplit(maxsplit=1)
    assert said == "The recording stopped: File too large."
    assert 2 * SECOND <= int(kept) <= room // 4
    assert len(samples(path)) == int(kept)
    assert (samples(path) == 7).all()


def test_a_key_is_wrapped_anew_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    file = FILES.create(path)
    file.write(b"a" * 2 * ROOM, 0)
    os.utime(path, ns=(1_000, 2_000))
    before = path.read_bytes()
    newer = SealedFiles(Mask(8))
    assert (newer.rewrap(path), newer.rewrap(path)) == (True, False)
    after = path.read_bytes()
    assert (before[:PAGE] != after[:PAGE], before[PAGE:] == after[PAGE:]) == (True, True)
    assert path.stat().st_mtime_ns == 2_000
    with pytest.raises(SealBroken):
        FILES.open(path)
    # Whoever writes it meanwhile goes on with the same key.
    file.write(b"b" * ROOM, 2 * ROOM)
    file.close()
    reader = newer.open(path)
    assert reader.read(0, reader.size()) == b"a" * 2 * ROOM + b"b" * ROOM
    reader.close()


def test_each_file_says_which_it_is(tmp_path: Path) -> None:
    on, off = EitherFiles(Mask(7), sealing=True), EitherFiles(Mask(7), sealing=False)
    for name, kind in (("sealed", on), ("plain", off)):
        file = kind.create(tmp_path / name)
        file.write(b"RIFF" + name.encode(), 0)
        file.close()
    assert (tmp_path / "plain").read_bytes() == b"RIFFplain"
    assert b"RIFF" not in (tmp_path / "sealed").read_bytes()
    for kind in (on, off):
        assert [_read(kind, tmp_path / name) for name in ("sealed", "plain")] == [b"RIFFsealed", b"RIFFplain"]
        assert kind.key_of(tmp_path / "plain") is None
        assert kind.rewrap(tmp_path / "plain") is False
    # One that is empty is what new ones are.
    for kind, length in ((off, 44), (on, 2 * PAGE)):
        (tmp_path / "begun").write_bytes(b"")
        assert repair(tmp_path / "begun", kind) == 0
        assert (tmp_path / "begun").stat().st_size == length


def _read(files: EitherFiles, path: Path) -> bytes:
    file = files.open(path)
    try:
        return file.read(0, file.size())
    finally:
        file.close()


def test_a_recording_whose_file_was_spoilt_stops_and_no_other_does(tmp_path: Path) -> None:
    rings = SharedRings.create(1)
    rings.close_fd()
    rings.reset_row(0, generation=1)
    recording = Recording(tmp_path / "call.wav", rings, 0, FILES)
    rings.row.frontier[0] = 1000
    recording.drain()
    recording.path.write_bytes(bytes(4 * PAGE))
    rings.row.frontier[0] = 2000
    recording.drain()
    recording.finish()
    assert recording.problem == "The recording stopped: Page 1 of the sealed file is damaged."


def test_a_sealed_file_is_a_stream_like_any_other(tmp_path: Path) -> None:
    with wave.open(Stream(FILES.create(tmp_path / "a.wav")), "wb") as wav:
        wav.setparams((2, 2, SECOND, 0, "NONE", ""))
        for _ in range(5):
            wav.writeframes(b"\1\2" * 2 * 1000)
    with Stream(FILES.open(tmp_path / "a.wav")) as stream:
        assert stream.seek(-4, os.SEEK_END) == 44 + 20_000 - 4
        assert stream.read() == b"\1\2" * 2
        assert (stream.tell(), stream.read(1)) == (20_044, b"")
    assert (samples(tmp_path / "a.wav") == 0x201).all()
