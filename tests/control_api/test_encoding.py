"""What is encoded is read back by independent decoders: as long as it was, the two sides still apart. And when it is not encoded."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from control_api.encoder_process import NICE, EncoderProcess
from control_api.encoding import Encoder, Keyed, RecordingUnreadable, forget_parts

RATE = 8000
SECONDS = 3


@pytest.fixture(scope="module")
def process() -> Iterator[EncoderProcess]:
    made = EncoderProcess()
    yield made
    made.close()


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    t = np.arange(RATE * SECONDS) / RATE
    left = (8000 * np.sin(2 * np.pi * 440 * t)).astype("<i2")
    stereo = np.stack([left, np.zeros_like(left)], axis=1)
    path = tmp_path / "call.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(stereo.tobytes())
    return path


def encode(process: EncoderProcess, wav: Path, name: str, min_free: int = 0) -> Path:
    async def body() -> Path:
        return await Encoder(process.transcode, min_free).encode(wav, name)

    return asyncio.run(body())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16p", "stereo", RATE)
        parts = [out.to_ndarray() for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("name", ["mp3", "ogg", "wav"])
def test_length_and_sides_are_kept(process: EncoderProcess, wav: Path, name: str) -> None:
    pcm = _decoded(encode(process, wav, name))
    assert pcm.shape[1] / RATE == pytest.approx(SECONDS, abs=0.15)
    loud, quiet = np.abs(pcm.astype(float)).mean(axis=1)
    assert loud > 3000
    assert quiet < 300


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize(("name", "codec"), [("mp3", "mp3"), ("ogg", "opus"), ("wav", "pcm_s16le")])
def test_ffprobe_reads_each_form(process: EncoderProcess, wav: Path, name: str, codec: str) -> None:
    command = [
        "ffprobe",
        "-v",
        "error",
        "-show_streams",
        "-show_format",
        "-of",
        "json",
        str(encode(process, wav, name)),
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    found = json.loads(done.stdout)
    (stream,) = found["streams"]
    assert (stream["codec_name"], stream["channels"]) == (codec, 2)
    assert float(found["format"]["duration"]) == pytest.approx(SECONDS, abs=0.2)


def test_it_is_made_once_also_when_many_ask(process: EncoderProcess, wav: Path) -> None:
    made: list[Path] = []

    def transcode(source: Keyed, target: Keyed, name: str) -> None:
        made.append(target.path)
        process.transcode(source, target, name)

    async def body() -> None:
        encoder = Encoder(transcode)
        paths = await asyncio.gather(*(encoder.encode(wav, "mp3") for _ in range(5)))
        assert set(paths) == {wav.with_suffix(".mp3")}

    asyncio.run(body())
    assert len(made) == 1
    assert names(wav.parent) == ["call.mp3", "call.wav"]


def test_a_wav_that_was_repaired_since_is_encoded_again(process: EncoderProcess, wav: Path) -> None:
    mp3 = encode(process, wav, "mp3")
    os.utime(mp3, ns=(1, 1))
    encode(process, wav, "mp3")
    assert mp3.stat().st_mtime_ns > 1


def test_no_recording(process: EncoderProcess, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        encode(process, tmp_path / "call.wav", "mp3")


def test_a_damaged_recording_leaves_no_half_file(process: EncoderProcess, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"not a recording")
    with pytest.raises(RecordingUnreadable):
        encode(process, path, "mp3")
    assert names(tmp_path) == ["call.wav"]


def test_calls_need_the_last_of_the_disk(process: EncoderProcess, wav: Path) -> None:
    with pytest.raises(OSError, match="min_free_mb") as raised:
        encode(process, wav, "mp3", min_free=2**60)
    assert raised.value.errno == errno.ENOSPC
    assert encode(process, wav, "wav", min_free=2**60) == wav
    assert names(wav.parent) == ["call.wav"]


def test_what_the_disk_does_not_take_is_the_error_it_was(process: EncoderProcess, wav: Path) -> None:
    with pytest.raises(OSError, match="No such file") as raised:
        process.transcode(Keyed(wav), Keyed(wav.parent / "missing" / "call.mp3"), "mp3")
    assert raised.value.errno == errno.ENOENT


def test_a_process_that_dies_is_replaced_with_the_next_request(wav: Path) -> None:
    process = EncoderProcess()
    try:
        encode(process, wav, "mp3")
        assert process.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + NICE
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(OSError, match="died"):
            encode(process, wav, "ogg")
        assert names(wav.parent) == ["call.mp3", "call.wav"]
        assert encode(process, wav, "ogg").is_file()
    finally:
        process.close()
    with pytest.raises(OSError, match="stopping"):
        process.transcode(Keyed(wav), Keyed(wav.with_suffix(".mp3")), "mp3")


def test_what_a_killed_server_had_begun_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "call.mp3.0a1b.part").write_bytes(b"half")
    (tmp_path / "call.wav").write_bytes(b"whole")
    forget_parts(tmp_path)
    assert names(tmp_path) == ["call.wav"]
