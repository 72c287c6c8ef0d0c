"""The switch of a call's recording: on only while nobody wants it off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sipserver.protocols import LiveEvent
from sipserver.recording_switch import RecordingSwitch


class Media:
    """Remembers what was asked of it; `at` is its position."""

    def __init__(self) -> None:
        self.at = 0
        self.asked: list[bool] = []

    def position(self) -> int:
        return self.at

    async def set_recording(self, on: bool) -> None:
        self.asked.append(on)
        await asyncio.sleep(0)


def switched(scene: Callable[[RecordingSwitch, Media], Awaitable[None]]) -> tuple[Media, list[LiveEvent]]:
    media, told = Media(), list[LiveEvent]()
    switch = RecordingSwitch(media)  # type: ignore[arg-type]
    switch.tell = told.append
    asyncio.run(scene(switch, media))  # type: ignore[arg-type]
    return media, told


def test_stretches_off_the_record_are_remembered_to_the_sample() -> None:
    async def scene(switch: RecordingSwitch, media: Media) -> None:
        media.at = 800
        await switch.pause("operator")
        assert switch.covers(800, 800)
        assert switch.covers(0, 800)
        assert not switch.covers(0, 799)
        media.at = 1600
        await switch.resume("operator")
        assert switch.covers(1599, 5000)
        assert not switch.covers(1600, 5000)
        media.at = 2400
        await switch.pause("script")
        assert not switch.covers(1600, 2399)
        assert switch.covers(2500, 2600)

    media, told = switched(scene)
    assert media.asked == [False, True, False]
    assert [event.data for event in told] == [
        {"on": False, "atMs": 100},
        {"on": True, "atMs": 200},
        {"on": False, "atMs": 300},
    ]


def test_it_is_off_until_the_last_one_lets_go() -> None:
    async def scene(switch: RecordingSwitch, media: Media) -> None:
        await switch.pause("script")
        await switch.pause("operator")
        await switch.resume("script")
        assert switch.covers(0, 0)
        media.at = 160
        await switch.resume("operator")
        assert not switch.covers(160, 160)

    media, told = switched(scene)
    assert media.asked == [False, False, False, True]
    assert [event.data["on"] for event in told] == [False, True]


def test_the_end_of_the_disclosure_does_not_record_what_is_off_the_record() -> None:
    async def scene(switch: RecordingSwitch, media: Media) -> None:
        await switch.set_recording(False)
        assert not switch.covers(0, 0)
        await switch.pause("operator")
        await switch.set_recording(True)
        await switch.resume("operator")

    media, _ = switched(scene)
    assert media.asked == [False, False, False, True]


def test_to_let_go_of_what_one_does_not_hold_does_nothing() -> None:
    async def scene(switch: RecordingSwitch, media: Media) -> None:
        await switch.pause("operator")
        await switch.resume("script")
        await switch.resume("script")
        assert switch.covers(0, 0)

    media, told = switched(scene)
    assert media.asked == [False]
    assert len(told) == 1


def test_off_again_before_the_tick_has_heard_that_it_is_on() -> None:
    async def scene(switch: RecordingSwitch, media: Media) -> None:
        await switch.pause("operator")
        await asyncio.gather(switch.resume("operator"), switch.pause("operator"))
        assert switch.covers(10_000, 10_000)

    media, _ = switched(scene)
    assert media.asked == [False, True, False]
