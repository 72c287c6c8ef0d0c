"""The recording under simulated time: every sample where it belongs."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from media.codecs.g711 import decode, encode
from media.frames import Codec
from tests.media.process.line import Line, frames, on_a_line


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The caller's and the agent's channel."""
    with wave.open(str(path)) as wav:
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
    return samples[:, 0], samples[:, 1]


def as_heard(value: int) -> int:
    """What becomes of a sample on the way through µ-law."""
    return int(decode(encode(np.array([value], np.int16), Codec.PCMU), Codec.PCMU)[0])


def test_both_voices_lie_at_their_samples(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"

    async def test(line: Line) -> None:
        await line.say(0, 49)
        line.call.play(frames(25))
        await line.say(0, 25)
        await line.say(800, 25)
        await line.say(0, 300)
        await line.plane.during(line.call.close())

    on_a_line(test, recording=path)
    caller, agent = read(path)
    # Connected in tick 0; the n-th packet of the peer is taken in by tick n and holds the 20 ms before it.
    spoken = slice(74 * 160, 99 * 160)
    assert (caller[spoken] == as_heard(800)).all()
    assert not (caller[: 74 * 160] > 100).any()
    assert not (caller[99 * 160 :] > 100).any()
    # The agent's first frame left in tick 50: 5 ms of ramp, then exact, to the last sample, after which 5 ms fade away.
    assert (agent[50 * 160 + 40 : 75 * 160] == 5000).all()
    assert (np.abs(agent[: 50 * 160]) < 100).all()
    assert (np.abs(agent[75 * 160 + 40 :]) < 100).all()
    assert 400 * 160 <= len(caller) <= 402 * 160


def test_the_caller_lies_by_timestamp_when_packets_are_late_swapped_and_off_the_grid(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"

    async def test(line: Line) -> None:
        for number in (0, 1, 2, 3, None, 5, 4, 6, 7, None, None, 8, 9, 10, 11):
            if number is not None:
                line.deliver(line.packet(800 if number in (4, 8) else 0, number))
            await line.tick()
        await line.tick(100)
        await line.plane.during(line.call.close())

    on_a_line(test, recording=path)
    caller, _ = read(path)
    loud = np.flatnonzero(np.abs(caller) > 400)
    frames_with_voice = sorted({int(place) // 160 for place in loud})
    assert [number for number in frames_with_voice if number in (3, 4, 5, 7, 8)] == [4, 8]


def test_switched_off_it_gets_silence_and_its_time_line_stays_true(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"

    async def test(line: Line) -> None:
        line.call.play(frames(150))
        await line.say(800, 50)
        await line.plane.during(line.call.set_recording(False))
        await line.say(800, 49)
        await line.plane.during(line.call.set_recording(True))
        await line.say(800, 49)
        await line.plane.during(line.call.close())

    on_a_line(test, recording=path)
    caller, agent = read(path)
    assert (agent[2 * 160 : 51 * 160] == 5000).all()
    assert not agent[52 * 160 : 101 * 160].any()
    assert not caller[52 * 160 : 99 * 160].any()
    assert (agent[103 * 160 : 149 * 160] == 5000).all()
    assert (caller[103 * 160 : 145 * 160] == as_heard(800)).mean() > 0.9


def test_what_was_said_while_it_was_off_and_comes_late_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"

    async def test(line: Line) -> None:
        for number in range(20):
            line.deliver(line.packet(0, number))
            await line.tick()
        await line.plane.during(line.call.set_recording(False))
        await line.tick(5)
        await line.plane.during(line.call.set_recording(True))
        # Said while it was off, these come only now.
        for number in range(20, 27):
            line.deliver(line.packet(800, number))
        for number in range(27, 60):
            line.deliver(line.packet(800, number))
            await line.tick()
        await line.tick(60)
        await line.plane.during(line.call.close())

    on_a_line(test, recording=path)
    caller, _ = read(path)
    on_again = 26 * 160
    assert not (np.abs(caller[:on_again]) > 100).any()
    assert (caller[on_again + 8 * 160 : 59 * 160] == as_heard(800)).all()


def test_ticks_that_were_never_run_are_silence(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"

    async def test(line: Line) -> None:
        line.call.play(frames(20))
        await line.tick(10)
        last = line.sent[-1]
        line.plane.now += 100
        await line.tick(10)
        assert line.sent[11].sequence == (last.sequence + 1) & 0xFFFF
        assert line.sent[11].timestamp == (last.timestamp + 101 * 160) & 0xFFFFFFFF
        await line.plane.during(line.call.close())

    on_a_line(test, recording=path)
    _, agent = read(path)
    assert (agent[1 * 160 + 40 : 11 * 160] == 5000).all()
    assert not agent[11 * 160 : 111 * 160].any()
    assert (agent[111 * 160 : 121 * 160] == 5000).all()


def test_a_call_without_recording_writes_no_file(tmp_path: Path) -> None:
    async def test(line: Line) -> None:
        await line.say(800, 60)
        assert line.call.recording is None
        assert not line.plane.link.rings.recording.any()

    on_a_line(test)
    assert list(tmp_path.iterdir()) == []
