"""Noise suppression on the tick: who hears less noise, and that the recording keeps what came."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.call_media import RowCallMedia
from media.codecs.g711 import decode, encode
from media.frames import BargeIn, Codec, HeardFrame, Pcm, RtpFormat, RtpRemote
from media.inprocess import InProcessPlane
from media.quiet import NoiseSuppression
from media.rtp import RtpPacket
from media.vad import Heard
from tests.media.process.line import PEER, LoudIsSpeech

TICKS = 200
PCMU, L16 = RtpFormat(Codec.PCMU, 0), RtpFormat(Codec.L16, 97)
FORMATS = (PCMU, L16)
"""A call of the telephone and a wideband one beside it."""


class Overheard(LoudIsSpeech):
    """A voice detector that keeps what it was given of each row."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.given: list[list[Pcm]] = [[] for _ in range(rows)]

    def step(self, pcm: Pcm, heard: NDArray[np.bool_] | None = None, rows: NDArray[np.intp] | None = None) -> Heard:
        for line, row in enumerate(range(len(self.given)) if rows is None else rows.tolist()):
            if heard is None or heard[line]:
                self.given[row].append(pcm[line].copy())
        return super().step(pcm, heard, rows)


class Noisy:
    """Two calls whose peers send nothing but noise, for four seconds; the packets of the first come two at a time."""

    def __init__(self, folder: Path, noise: NoiseSuppression) -> None:
        self.folder = folder
        self.noise = noise
        self.vad = Overheard(2)
        self.sent = np.random.default_rng(2).normal(0, 400, (2, TICKS, 320)).astype(np.int16)
        self.heard: list[list[HeardFrame]] = [[], []]

    def payload(self, line: int, tick: int) -> bytes:
        if FORMATS[line] is L16:
            return self.sent[line, tick].astype(">i2").tobytes()
        return encode(self.sent[line, tick, ::2].copy(), Codec.PCMU).tobytes()

    async def run(self) -> None:
        plane = InProcessPlane(rows=2, vad=self.vad, noise=self.noise)
        calls = [await plane.during(plane.open(f"call{n}", self.folder / f"{n}.wav")) for n in range(2)]
        for call, fmt in zip(calls, FORMATS, strict=True):
            call.set_barge_in(BargeIn(enabled=False))
            await plane.during(call.connect(RtpRemote(*PEER), fmt))
        hearing = [asyncio.create_task(self.hear(line, call.hear(0))) for line, call in enumerate(calls)]
        for tick in range(TICKS):
            for number in (tick - 1, tick) if tick % 2 else ():
                self.send(plane, calls[0], 0, number)
            self.send(plane, calls[1], 1, tick)
            await plane.tick()
        for call in calls:
            await plane.during(call.close())
        await asyncio.gather(*hearing)
        plane.stop()

    def send(self, plane: InProcessPlane, call: RowCallMedia, line: int, number: int) -> None:
        fmt = FORMATS[line]
        packet = RtpPacket(
            fmt.payload_type, number, number * fmt.codec.clock // 50, 77 + line, self.payload(line, number)
        )
        plane.deliver(call, bytes(packet), PEER)

    async def hear(self, line: int, frames: AsyncIterator[HeardFrame]) -> None:
        async for frame in frames:
            self.heard[line].append(frame)


def run(folder: Path, noise: NoiseSuppression) -> Noisy:
    folder.mkdir()
    noisy = Noisy(folder, noise)
    asyncio.run(noisy.run())
    return noisy


def level(frames: list[Pcm]) -> float:
    """Of the last second, in dB."""
    return float(10 * np.log10((np.concatenate(frames[-50:]).astype(float) ** 2).mean()))


def left(path: Path) -> Pcm:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")[::2]


@pytest.mark.parametrize("noise", [NoiseSuppression.RECOGNISER, NoiseSuppression.ALL])
def test_who_is_to_hears_less_noise_and_the_recording_has_what_came(tmp_path: Path, noise: NoiseSuppression) -> None:
    plain, quiet = run(tmp_path / "off", NoiseSuppression.OFF), run(tmp_path / "on", noise)
    for line in range(2):
        before, after = ([frame.pcm for frame in noisy.heard[line]] for noisy in (plain, quiet))
        assert len(before) == len(after) >= TICKS - 2
        assert level(after) < level(before) - 10
        judged = level(quiet.vad.given[line])
        assert judged == level(after if noise is NoiseSuppression.ALL else before)
        assert [frame.at for frame in quiet.heard[line]] == [frame.at for frame in plain.heard[line]]
        assert left(tmp_path / "on" / f"{line}.wav").tolist() == left(tmp_path / "off" / f"{line}.wav").tolist()
    came = decode(encode(quiet.sent[0, :, ::2].copy().reshape(1, -1), Codec.PCMU), Codec.PCMU)[0]
    recorded = left(tmp_path / "on" / "0.wav")
    assert came[8000:16000].tobytes() in recorded.tobytes()
