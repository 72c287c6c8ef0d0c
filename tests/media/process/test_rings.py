"""The shared memory: each ring's rule for being full, and two processes on one ring."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.records import Command, CommandKind, Event, EventKind
from media.rings import (
    COMMANDS,
    KEPT_FRAMES,
    OUT_FRAMES,
    RECORDING_FRAMES,
    SharedRings,
    row_bytes,
)


@pytest.fixture
def rings() -> SharedRings:
    made = SharedRings.create(3)
    made.close_fd()
    return made


def frames(count: int, first: int = 0) -> np.ndarray:
    """Frames whose samples are their numbers."""
    return np.repeat(np.arange(first, first + count, dtype=np.int16)[:, None], 160, axis=1)


def test_a_row_costs_less_than_half_a_megabyte() -> None:
    assert row_bytes() <= 450_000


@given(
    st.builds(
        Command,
        kind=st.sampled_from([int(kind) for kind in CommandKind]),
        row=st.integers(0, 2**31 - 1),
        generation=st.integers(0, 2**63 - 1),
        token=st.integers(-(2**63), 2**63 - 1),
        frame=st.integers(-(2**63), 2**63 - 1),
        port=st.integers(0, 65535),
        rtcp_port=st.integers(0, 65536),
        ptime=st.integers(0, 1000),
        cooldown_ms=st.integers(0, 2**31 - 1),
        codec=st.integers(0, 1),
        payload_type=st.integers(0, 127),
        direction=st.integers(0, 3),
        digit=st.integers(0, 15),
        on=st.integers(0, 1),
        telephone_event=st.integers(-1, 127),
        other=st.integers(0, 2**31 - 1),
        other_generation=st.integers(0, 2**62),
        threshold=st.floats(0, 1, width=32),
        host=st.sampled_from([b"", b"192.0.2.1", b"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"]),
        suite=st.integers(0, 3),
        local_key=st.binary(min_size=30, max_size=30),
        remote_key=st.binary(min_size=30, max_size=30),
        event_rate=st.sampled_from([8000, 16000, 48000]),
        fec=st.integers(0, 1),
        bitrate=st.integers(0, 510000),
        others=st.binary(min_size=8, max_size=8),
        sound=st.integers(-1, 63),
        volume=st.floats(0, 1, width=32),
    )
)
def test_a_command_comes_out_as_it_went_in(command: Command) -> None:
    rings = SharedRings.create(1)
    rings.close_fd()
    assert rings.commands.push(command)
    assert rings.commands.drain() == [command]


def test_a_full_command_ring_refuses_and_keeps_order(rings: SharedRings) -> None:
    taken = 0
    while rings.commands.push(Command(CommandKind.DIGIT, 0, 1, token=taken)):
        taken += 1
    assert taken == COMMANDS
    assert rings.commands.room() == 0
    assert [command.token for command in rings.commands.drain(limit=2)] == [0, 1]
    assert rings.commands.push(Command(CommandKind.DIGIT, 0, 1, token=taken))
    assert [command.token for command in rings.commands.drain()] == list(range(2, COMMANDS + 1))


def test_the_out_ring_refuses_what_does_not_fit_and_keeps_what_was_played(rings: SharedRings) -> None:
    rings.reset_row(1, generation=1)
    capacity = OUT_FRAMES - KEPT_FRAMES
    assert rings.put_out(1, frames(capacity + 10), mark=7) == capacity
    assert rings.put_out(1, frames(1), mark=0) == 0
    assert rings.out_mark[1, 0] == 7
    assert not rings.out_mark[1, 1:].any()
    # 100 frames leave: their places are free again, but the last KEPT_FRAMES of them can still be played anew.
    rings.row.out_tail[1] = 100
    assert rings.put_out(1, frames(200, first=1000), mark=0) == 100
    kept = [rings.out_pcm[1, n % OUT_FRAMES, 0] for n in range(100 - KEPT_FRAMES, 100)]
    assert kept == list(range(100 - KEPT_FRAMES, 100))


def test_a_row_given_to_a_new_call_holds_nothing_of_the_old_one(rings: SharedRings) -> None:
    rings.reset_row(0, generation=1)
    rings.put_out(0, frames(3), mark=5)
    rings.recording[:, 0] = 9
    rings.row.origin[0] = 44
    rings.reset_row(0, generation=2)
    assert rings.out_room(0) == OUT_FRAMES - KEPT_FRAMES
    assert not rings.recording[:, 0].any()
    assert rings.row.origin[0] == -1
    assert rings.row.generation[0] == 2


def test_a_recording_is_read_across_the_ring_s_end(rings: SharedRings) -> None:
    length = RECORDING_FRAMES * 160
    rings.recording[0, 2] = np.arange(length) % 30000
    rings.recording[1, 2] = -(np.arange(length) % 30000)
    read = rings.read_recording(2, length - 2, length + 3)
    assert read[:, 0].tolist() == [(length - 2) % 30000, (length - 1) % 30000, 0, 1, 2]
    assert (read[:, 1] == -read[:, 0]).all()


_CONSUMER = """
import sys
from media.rings import SharedRings
rings = SharedRings.attach(2, int(sys.argv[1]))
expected = 0
while expected < 20000:
    for event in rings.events.drain():
        assert event.generation == event.at * 3 == expected * 3, event
        expected += 1
    frame = int(rings.row.out_head[1])
    if frame:
        slot = (frame - 1) % 512
        assert rings.out_pcm[1, slot, 0] >= (frame - 1) % 30000 - 1, (frame, rings.out_pcm[1, slot])
        rings.row.out_tail[1] = frame
print("all")
"""


def test_two_processes_share_the_rings_without_a_lock() -> None:
    rings = SharedRings.create(2)
    rings.reset_row(1, generation=1)
    consumer = subprocess.Popen(
        [sys.executable, "-c", _CONSUMER, str(rings.fd)],
        pass_fds=(rings.fd,),
        stdout=subprocess.PIPE,
    )
    played = 0
    for number in range(20000):
        # The consumer ends with the last event: before that it is given the time to go round the other ring.
        while number == 19999 and played <= OUT_FRAMES:
            assert consumer.poll() is None
            played += rings.put_out(1, frames(1, first=played % 30000), mark=0)
        while not rings.events.push(Event(EventKind.ACK, 0, number * 3, number)):
            assert consumer.poll() is None
        played += rings.put_out(1, frames(1, first=played % 30000), mark=0)
    out, _ = consumer.communicate(timeout=30)
    rings.close_fd()
    assert out == b"all\n"
