"""What a call's report says of how it sounded, on a simulated line: losses, late packets, hold, and why nothing is heard."""

from __future__ import annotations

import pytest

from media.call_report import Finding, MediaReport
from media.frames import Direction
from media.rtp import RtpPacket
from tests.media.process.line import PEER, Line, on_a_line

STRANGER = ("198.51.100.9", 4000)


async def report(line: Line) -> MediaReport:
    return await line.plane.during(line.call.close())


async def send(line: Line, numbers: list[int | None]) -> None:
    """One number of a packet each tick; None: none comes."""
    for number in numbers:
        if number is not None:
            line.deliver(line.packet(9000, number))
        await line.tick()


def test_lost_packets_are_counted_concealed_and_rated() -> None:
    async def test(line: Line) -> None:
        # Of 800 packets every twentieth is missing, and a burst of ten.
        gone = {*range(10, 800, 20), *range(411, 420)}
        await send(line, [None if number in gone else number for number in range(800)])
        told = await report(line)
        heard, worst = told.quality.heard, told.quality.worst
        assert heard is not None
        assert worst is not None
        assert (told.packets_lost, told.packets_late, heard.packets_expected) == (len(gone), 0, 800)
        assert heard.concealed_ms == 20 * len(gone)
        # The burst reaches from packet 410 to 430, which is lost too and has fewer than 16 received before it: 11 of 21.
        assert (heard.burst_ms, heard.burst_percent) == (420, 52.38)
        assert 4 < heard.gap_percent < 6
        assert told.mos is not None
        assert 3 < told.mos < heard.mos_listening < 4.2
        assert worst.loss_percent > 100 * len(gone) / 800
        assert worst.mos < told.mos

    on_a_line(test)


def test_what_comes_too_late_is_missing_and_what_comes_twice_is_not() -> None:
    async def test(line: Line) -> None:
        await send(line, [*range(50), *range(51, 70), 50, *range(70, 100), 99, 98, *range(100, 120)])
        told = await report(line)
        assert told.quality.heard is not None
        assert (told.packets_late, told.quality.heard.packets_duplicate, told.packets_lost) == (1, 2, 0)
        assert told.quality.heard.concealed_ms == 20

    on_a_line(test)


def test_a_peer_that_stops_sending_while_it_is_silent_has_lost_nothing() -> None:
    async def test(line: Line) -> None:
        await line.say(9000, 50)
        line.timestamp += 160 * 100
        await line.tick(100)
        await line.say(9000, 50)
        told = await report(line)
        assert told.packets_lost == 0
        assert told.quality.heard is not None
        assert told.quality.heard.concealed_ms == 0

    on_a_line(test)


def test_a_hold_is_no_loss() -> None:
    async def test(line: Line) -> None:
        await line.say(9000, 50)
        await line.connect(Direction.INACTIVE)
        line.timestamp += 160 * 101
        await line.tick(100)
        await line.connect(Direction.SENDRECV)
        await line.say(9000, 50)
        told = await report(line)
        assert told.packets_lost == 0
        assert told.quality.heard is not None
        assert told.quality.heard.concealed_ms <= 160

    on_a_line(test)


@pytest.mark.parametrize(
    ("payload_type", "source", "finding"),
    [
        (None, PEER, Finding.NO_PACKET),
        (13, PEER, Finding.ONLY_COMFORT_NOISE),
        (97, PEER, Finding.UNKNOWN_PAYLOAD),
        (0, STRANGER, Finding.ADDRESS_LEARNT),
    ],
)
def test_why_nothing_is_heard(payload_type: int | None, source: tuple[str, int], finding: Finding) -> None:
    async def test(line: Line) -> None:
        for number in range(150):
            if payload_type is not None:
                line.deliver(RtpPacket(payload_type, number, 160 * number, 77, bytes(160)), source)
            await line.tick()
        quality = (await report(line)).quality
        assert quality.findings == (finding,)
        assert quality.source == ("198.51.100.9:4000" if source is STRANGER else None)

    on_a_line(test)


def test_packets_of_an_address_that_came_too_late_to_be_learnt() -> None:
    async def test(line: Line) -> None:
        for number in range(150):
            # Never five in a row: nobody's NAT.
            line.deliver(RtpPacket(0, 3 * number, 480 * number, 77, bytes(160)), STRANGER)
            await line.tick()
        quality = (await report(line)).quality
        assert quality.findings == (Finding.OTHER_ADDRESS,)
        assert quality.source == "198.51.100.9:4000"

    on_a_line(test)
