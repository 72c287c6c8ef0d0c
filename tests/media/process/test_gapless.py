"""One call, one stream: numbers and timestamps of what leaves, packet by packet, through all that a re-INVITE may change.

A transcript is a line for each packet that is no plain next one: (ticks since the first packet, what is special). `marker`: the
bit of RFC 3551 section 4.1, for what follows a silence in which nothing was sent. `+n`: the timestamp went on by n, where n is
not a packet's length. `jump`: sequence numbers did not go on by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from media.frames import BargeIn, Codec, Direction, RtpFormat, RtpRemote
from media.rtp import RtpPacket
from tests.media.process.line import AT_PEER, FORMAT, Line, frames, on_a_line

PCMA = RtpFormat(Codec.PCMA, 8, telephone_event=101)
G722 = RtpFormat(Codec.G722, 9, telephone_event=101)
OPUS = RtpFormat(Codec.OPUS, 111, telephone_event=110, event_rate=48000)
ELSEWHERE = RtpRemote("192.0.2.9", 5000)
HELD = 25


@dataclass(frozen=True)
class Change:
    """What a re-INVITE changes."""

    fmt: RtpFormat = FORMAT
    remote: RtpRemote = AT_PEER
    direction: Direction = Direction.SENDRECV


SAME = Change()


def transcript(packets: list[RtpPacket], length: int = 160) -> list[tuple[int, str]]:
    """What is special of each packet. length: a packet's, in timestamps."""
    found = [(0, "marker")] if packets[0].marker else []
    for before, after in pairwise(packets):
        at = ((after.timestamp - packets[0].timestamp) & 0xFFFFFFFF) // length
        step = (after.timestamp - before.timestamp) & 0xFFFFFFFF
        found += [(at, "jump")] if (after.sequence - before.sequence) & 0xFFFF != 1 else []
        found += [(at, f"+{step}")] if step != length else []
        found += [(at, "marker")] if after.marker else []
    return found


async def walk(line: Line, *changes: Change) -> None:
    """The agent speaks all the while; ten ticks between two re-INVITEs, HELD while nothing is sent."""
    line.call.play(frames(300))
    await line.tick(10)
    for change in changes:
        await line.connect(change.direction, change.fmt, change.remote)
        await line.tick(10 if change.direction in (Direction.SENDRECV, Direction.SENDONLY) else HELD)


@pytest.mark.parametrize(
    "changes",
    [
        (SAME, SAME),
        (Change(remote=ELSEWHERE), SAME),
        (Change(PCMA), SAME),
        (Change(G722), SAME),
        (Change(PCMA, ELSEWHERE), Change(G722), Change(PCMA)),
        (Change(direction=Direction.SENDONLY), SAME),
        (Change(replace(FORMAT, telephone_event=96)), SAME),
    ],
    ids=["refreshed", "moved", "PCMA", "G.722", "all at once", "sent to only", "other events"],
)
def test_a_stream_goes_on_as_if_nothing_had_happened(changes: tuple[Change, ...]) -> None:
    async def test(line: Line) -> None:
        await walk(line, *changes)
        assert transcript(line.sent) == [(0, "marker")]
        assert {packet.ssrc for packet in line.sent} == {line.sent[0].ssrc}
        # A packet a tick, those in which the re-INVITEs were answered too.
        assert len(line.sent) == line.call.position() // 160 + 1 >= 10 * (1 + len(changes))

    on_a_line(test, barge_in=BargeIn(enabled=False))


@pytest.mark.parametrize("held", [Direction.RECVONLY, Direction.INACTIVE])
@pytest.mark.parametrize(
    "back", [SAME, Change(PCMA), Change(G722), Change(remote=ELSEWHERE)], ids=["same", "PCMA", "G.722", "moved"]
)
def test_a_hold_is_a_gap_in_time_and_in_nothing_else(held: Direction, back: Change) -> None:
    async def test(line: Line) -> None:
        await walk(line, Change(direction=held), back)
        special = transcript(line.sent)
        at = special[-1][0]
        assert special[0] == (0, "marker")
        assert special[1:] == [(at, special[1][1]), (at, "marker")]
        gap = int(special[1][1])
        # RFC 3264 section 8.4: the clock ran on by as many ticks as passed without a packet.
        assert gap == 160 * (line.call.position() // 160 + 2 - len(line.sent)) >= 160 * HELD
        assert {packet.ssrc for packet in line.sent} == {line.sent[0].ssrc}

    on_a_line(test, barge_in=BargeIn(enabled=False))


def test_another_clock_is_another_stream_that_begins_with_a_marker_and_counts_on() -> None:
    """RFC 7160 section 4.1: 8 kHz to 48 kHz."""

    async def test(line: Line) -> None:
        await walk(line, Change(OPUS))
        before = [packet for packet in line.sent if packet.payload_type == 0]
        after = [packet for packet in line.sent if packet.payload_type == 111]
        assert len(before) >= 10
        assert len(after) >= 10
        assert transcript(before) == [(0, "marker")]
        assert transcript(after, 960) == [(0, "marker")]
        assert before[0].ssrc != after[0].ssrc
        assert after[0].sequence == (before[-1].sequence + 1) & 0xFFFF

    on_a_line(test, barge_in=BargeIn(enabled=False))


def test_a_key_takes_the_place_of_audio_and_the_clock_runs_on_under_it() -> None:
    async def test(line: Line) -> None:
        line.call.play(frames(60))
        await line.tick(10)
        assert await line.plane.during(line.call.send_digits("1"))
        line.collect()
        await line.tick(10)
        numbers = [packet.sequence for packet in line.sent]
        assert all((after - before) & 0xFFFF == 1 for before, after in pairwise(numbers))
        audio = [packet for packet in line.sent if packet.payload_type == 0]
        [gap] = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(audio)} - {160}
        assert gap % 160 == 0
        assert gap > 160 * 5

    on_a_line(test, barge_in=BargeIn(enabled=False))
