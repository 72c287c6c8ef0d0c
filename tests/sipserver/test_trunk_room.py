"""Channels and pace of a trunk."""

from __future__ import annotations

from collections import Counter

from sipserver.protocols import Trunk, TrunkOptions
from sipserver.trunk_room import CHANNEL_WAIT, TrunkRoom


class Live:
    """So many calls on each trunk."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def of_trunk(self, trunk_id: str) -> int:
        return self.calls[trunk_id]


class Clock:
    """Seconds that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def trunk(channels: int | None = None, pace: float | None = None, id_: str = "t") -> Trunk:
    options = TrunkOptions(max_channels=channels, max_calls_per_second=pace)
    return Trunk(id_, "o", "ip_allowlist", "192.0.2.1", options=options)


def test_without_limits_there_is_always_room() -> None:
    room = TrunkRoom(Live(), Clock())
    assert [room.wait(trunk()) for _ in range(100)] == [0.0] * 100


def test_channels_are_those_of_one_trunk_and_what_starts_counts() -> None:
    live, clock = Live(), Clock()
    room = TrunkRoom(live, clock)
    live.calls["t"] = 1
    assert room.wait(trunk(channels=2)) == 0.0
    assert room.wait(trunk(channels=2), starting=1) == CHANNEL_WAIT
    assert not room.is_full(trunk(channels=1, id_="other"))
    live.calls["t"] = 2
    assert room.is_full(trunk(channels=2))


def test_the_pace_spreads_calls_evenly_without_bursts() -> None:
    clock = Clock()
    room = TrunkRoom(Live(), clock)
    assert room.wait(trunk(pace=4)) == 0.0
    assert room.wait(trunk(pace=4)) == 0.25
    clock.now += 0.1
    assert round(room.wait(trunk(pace=4)), 6) == 0.15
    clock.now += 0.15
    assert room.wait(trunk(pace=4)) == 0.0
    clock.now += 60
    assert [room.wait(trunk(pace=4)), room.wait(trunk(pace=4))] == [0.0, 0.25]


def test_a_call_that_finds_no_channel_takes_no_place_in_the_pace() -> None:
    live, clock = Live(), Clock()
    room = TrunkRoom(live, clock)
    live.calls["t"] = 1
    assert room.wait(trunk(channels=1, pace=1)) == CHANNEL_WAIT
    live.calls["t"] = 0
    assert room.wait(trunk(channels=1, pace=1)) == 0.0


def test_who_cannot_go_back_into_the_queue_takes_the_next_place_in_the_pace_if_it_comes_soon() -> None:
    clock = Clock()
    room = TrunkRoom(Live(), clock)
    assert room.in_turn(trunk(), 0.0) == 0.0
    assert room.wait(trunk(pace=0.5)) == 0.0
    assert room.in_turn(trunk(pace=0.5), 5.0) == 2.0
    assert room.in_turn(trunk(pace=0.5), 5.0) == 4.0
    assert room.in_turn(trunk(pace=0.5), 5.0) is None
    assert room.wait(trunk(pace=0.5)) == 6.0
    clock.now += 6.0
    assert room.wait(trunk(pace=0.5)) == 0.0
