"""A caller who waits hears music without a gap, until the very packet in which it stops."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from media.frames import BargeIn
from media.music import HoldMusic
from tests.media.process.line import Line, frames, on_a_line
from tests.media.process.pair import Pair, on_a_pair
from tests.tones import hears, strength, tone

A, B, MUSIC = 500, 1100, 1800


def test_the_loop_is_played_without_a_gap_and_stops_at_once_without_a_click() -> None:
    async def test(pair: Pair) -> None:
        one, _ = pair.sides
        playing = asyncio.ensure_future(HoldMusic(tone(MUSIC, 0.4, 3000)).run(one.call))
        await pair.plane.settle()
        count = len(one.got)
        # Six rounds of the loop.
        await pair.tick(120)
        assert strength(one.heard(count + 1), MUSIC) == pytest.approx(3000, rel=0.03)
        playing.cancel()
        await pair.during(_ended(playing))
        stopped = len(one.got)
        await pair.tick(20)
        heard = one.heard(count + 1).astype(int).reshape(-1, 160)
        playing_frames = heard[: stopped - count - 2]
        assert min(int(np.abs(frame).max()) for frame in playing_frames) > 2500
        assert int(np.abs(heard[-20:]).max()) < 100
        # The greatest step of a sine of 3000 at this pitch, and what G.711 rounds.
        assert int(np.abs(np.diff(heard.reshape(-1))).max()) < 3000 * 2 * np.pi * MUSIC / 8000 + 200

    on_a_pair(test)


async def _ended(task: asyncio.Future[None]) -> None:
    await asyncio.wait({task})
    assert task.cancelled()


def test_what_is_queued_is_said_first_and_little_music_is_queued_ahead() -> None:
    async def test(line: Line) -> None:
        line.call.set_barge_in(BargeIn(enabled=False))
        full = line.call.room()
        line.call.play(frames(30))
        playing = asyncio.ensure_future(HoldMusic(tone(MUSIC, 1.0)).run(line.call))
        await line.tick(10)
        assert line.call.queued() == 30 + 50
        await line.tick(200)
        assert 30 < line.call.queued() - line.call.played() <= 80
        playing.cancel()
        await line.plane.during(_ended(playing))
        assert line.call.room() == full

    on_a_line(test)


def test_music_ends_with_the_call() -> None:
    async def test(line: Line) -> None:
        playing = asyncio.ensure_future(HoldMusic(tone(MUSIC, 1.0)).run(line.call))
        await line.tick(10)
        await line.plane.during(line.call.close())
        await asyncio.wait_for(playing, 1)

    on_a_line(test)


def test_a_caller_who_waits_hears_the_human_when_the_music_stops() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        one.voice, two.voice = tone(A, 0.2), tone(B, 0.2)
        one.call.set_barge_in(BargeIn(enabled=False))
        playing = asyncio.ensure_future(HoldMusic(tone(MUSIC, 1.0)).run(one.call))
        await pair.tick(50)
        assert hears(one.heard(-40), MUSIC)
        playing.cancel()
        await pair.during(_ended(playing))
        await pair.during(one.call.bridge(two.call))
        await pair.tick(50)
        assert hears(one.heard(-45), B)
        assert not hears(one.heard(-45), MUSIC)
        assert hears(two.heard(-45), A)

    on_a_pair(test)
