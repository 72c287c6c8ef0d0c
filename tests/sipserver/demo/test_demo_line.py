"""The synthetic telephone's ear and its bookkeeping: what it measures must be right before anybody is judged by it."""

from __future__ import annotations

import pytest

from media.rtp import RtpPacket
from sipserver.demo.line import QUIET_PACKETS, TICK, Received, Spoken, _Ear


def packet(sequence: int, timestamp: int) -> RtpPacket:
    return RtpPacket(0, sequence, timestamp, 1, b"\xff" * 160)


@pytest.mark.parametrize(
    ("packets", "gaps", "jumps"),
    [
        ([(7, 0), (8, 160), (9, 320)], 0, 0),
        ([(65535, 2**32 - 160), (0, 0), (1, 160)], 0, 0),
        ([(7, 0), (9, 320)], 1, 1),
        ([(7, 0), (8, 320)], 0, 1),
        ([(7, 0), (7, 0)], 1, 1),
    ],
)
def test_gaps_and_jumps_are_counted(packets: list[tuple[int, int]], gaps: int, jumps: int) -> None:
    received = Received()
    for sequence, timestamp in packets:
        received.count(packet(sequence, timestamp))
    assert (received.packets, received.sequence_gaps, received.timestamp_jumps) == (len(packets), gaps, jumps)


def hear(pattern: str) -> _Ear:
    """`#` is a loud packet, `.` a quiet one; the first comes at 0.00."""
    ear = _Ear()
    for number, letter in enumerate(pattern):
        ear.hear(letter == "#", number * TICK)
    return ear


def test_speech_lasts_from_its_first_loud_packet_to_its_last() -> None:
    ear = hear("..###" + "." * QUIET_PACKETS + "#" + "." * QUIET_PACKETS)
    first, second = ear.stretches
    assert first == Spoken(pytest.approx(0.04), pytest.approx(0.10))
    assert second.end - second.start == pytest.approx(TICK)
    assert ear.start is None


def test_a_pause_between_sentences_is_no_end() -> None:
    ear = hear("###" + "." * (QUIET_PACKETS - 1) + "###")
    assert ear.stretches == []
    assert ear.start == 0.0
