"""A call's media, watched: every event twice, everything else as it is."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from media.frames import CallMedia, DigitHeard, MediaEvent, MediaFailed, Unbridged
from media.inprocess import InProcessPlane
from sipserver.watched import WatchedMedia
from tests.media.process.line import LoudIsSpeech
from tests.sipserver.call.fakes import FakeMedia, until
from tests.virtual_time import run


def test_events_are_observed_first_and_end_for_both() -> None:
    async def scene() -> None:
        media = FakeMedia("call-1", "192.0.2.1", 20000, None)
        watched = WatchedMedia(cast(CallMedia, media))
        digit, end = DigitHeard(0, "5", 100), MediaFailed(80, "gone")
        media.emit(digit)
        media.emit(end)
        observed: list[MediaEvent] = []
        await watched.watch(observed.append)
        assert observed == [digit, end]
        assert [event async for event in watched.events()] == [digit, end]

    run(scene())


def test_a_full_queue_leaves_the_events_where_they_are() -> None:
    async def scene() -> None:
        media = FakeMedia("call-1", "192.0.2.1", 20000, None)
        watched = WatchedMedia(cast(CallMedia, media))
        for at in range(1000):
            media.emit(DigitHeard(at, "5", 100))
        observed: list[MediaEvent] = []
        watching = asyncio.create_task(watched.watch(observed.append))
        await until(1)
        assert len(observed) == 257
        media.emit(MediaFailed(80, "gone"))
        assert len([event async for event in watched.events()]) == 1001
        await watching

    run(scene())


def test_watched_media_can_be_bridged_and_opened_beside() -> None:
    async def scene() -> None:
        plane = InProcessPlane(rows=2, vad=LoudIsSpeech(2))
        one = WatchedMedia(await plane.during(plane.open("one", None)))
        media = await plane.during(plane.open("two", None, beside=cast(CallMedia, one)))
        two = WatchedMedia(media)
        await plane.during(one.bridge(two))
        with pytest.raises(ValueError, match="itself"):
            await two.bridge(two)
        await plane.during(one.close())
        observed: list[MediaEvent] = []
        watching = asyncio.create_task(two.watch(observed.append))
        await plane.during(two.close())
        await watching
        assert [type(event) for event in observed] == [Unbridged]

    run(scene())


def test_everything_else_is_the_media_s_own() -> None:
    media = FakeMedia("call-1", "192.0.2.1", 20000, None)
    watched = WatchedMedia(cast(CallMedia, media))
    assert watched.port == 20000
    assert watched.close == media.close
    with pytest.raises(AttributeError):
        _ = watched.nothing_of_the_kind
