"""Telephone events both ways: schedules as tables, and keys out of damaged streams of packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.dtmf import (
    DIGITS,
    END_PACKETS,
    LONGEST_SEGMENT,
    SILENT_TICKS,
    DtmfError,
    EventReceiver,
    EventSender,
    KeyPressed,
    TelephoneEvent,
)


@pytest.mark.parametrize(
    ("wire", "event"),
    [
        ("050a00a0", TelephoneEvent(5, False, 10, 160)),
        ("0b8a0320", TelephoneEvent(11, True, 10, 800)),
        ("003fffff", TelephoneEvent(0, False, 63, 0xFFFF)),
    ],
)
def test_payloads(wire: str, event: TelephoneEvent) -> None:
    assert TelephoneEvent.parse(bytes.fromhex(wire)) == event
    assert bytes(event).hex() == wire


def test_a_key_of_100_ms_is_seven_packets() -> None:
    packets = list(EventSender("5", 100))
    events = [TelephoneEvent.parse(packet.payload) for packet in packets]
    assert [event.duration for event in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for event in events] == [False] * 4 + [True] * 3
    assert [packet.marker for packet in packets] == [True] + [False] * 6
    assert {packet.offset for packet in packets} == {0}
    assert {(event.event, event.volume) for event in events} == {(5, 10)}


@pytest.mark.parametrize("milliseconds", [1, 20, 21, 100, 105, 999, 8189, 8200, 20000])
def test_as_many_packets_as_said_and_the_last_three_end_it(milliseconds: int) -> None:
    sender = EventSender("#", milliseconds)
    packets = list(sender)
    assert len(packets) == sender.ticks
    ends = [TelephoneEvent.parse(packet.payload).end for packet in packets]
    assert ends == [False] * (len(packets) - END_PACKETS) + [True] * END_PACKETS
    last = packets[-1]
    assert last.offset + TelephoneEvent.parse(last.payload).duration == milliseconds * 8


@pytest.mark.parametrize(
    ("digit", "milliseconds", "volume"),
    [("E", 100, 10), ("", 100, 10), ("12", 100, 10), ("1", 0, 10), ("1", 100, 64), ("1", 100, -1)],
)
def test_what_cannot_be_sent_is_refused(digit: str, milliseconds: int, volume: int) -> None:
    with pytest.raises(DtmfError):
        EventSender(digit, milliseconds, volume)


def stream(keys: str, milliseconds: int = 100, start: int = 1000) -> list[tuple[int, bytes]]:
    """The packets of some keys, one second apart: RTP timestamp and payload."""
    packets = []
    for number, digit in enumerate(keys):
        begin = start + 8000 * number
        packets += [((begin + packet.offset) % 2**32, packet.payload) for packet in EventSender(digit, milliseconds)]
    return packets


def receive(packets: list[tuple[int, bytes]], wait: int = SILENT_TICKS) -> list[KeyPressed]:
    receiver, keys = EventReceiver(), []
    for now, (timestamp, payload) in enumerate(packets):
        keys += receiver.receive(timestamp, payload, now)
    return keys + receiver.poll(len(packets) - 1 + wait)


def test_each_key_is_told_once() -> None:
    keys = receive(stream(DIGITS))
    assert "".join(key.digit for key in keys) == DIGITS
    assert {key.duration_ms for key in keys} == {100}
    assert [key.timestamp for key in keys[:2]] == [1000, 9000]


def test_a_key_is_told_at_its_first_end_packet() -> None:
    receiver = EventReceiver()
    told = [receiver.receive(timestamp, payload, 0) for timestamp, payload in stream("7")]
    assert [len(keys) for keys in told] == [0, 0, 0, 0, 1, 0, 0]


def test_lost_end_packets_are_waited_for_and_then_the_key_is_told() -> None:
    packets = stream("8")[:3]
    assert receive(packets, wait=SILENT_TICKS - 1) == []
    assert receive(packets) == [KeyPressed("8", 480, 1000)]


def test_the_next_key_tells_the_one_whose_end_was_lost() -> None:
    first, second = stream("8")[:3], stream("88")[7:]
    assert receive(first + second) == [KeyPressed("8", 480, 1000), KeyPressed("8", 800, 9000)]


def test_everything_but_one_end_packet_is_lost() -> None:
    assert receive(stream("4")[6:]) == [KeyPressed("4", 800, 1000)]


def test_stragglers_of_a_key_that_was_told_are_let_pass() -> None:
    one, two = stream("12")[:7], stream("12")[7:]
    assert [key.digit for key in receive(one + two[:2] + one[2:4] + two[2:] + one[6:])] == ["1", "2"]


def test_a_long_key_is_one_key() -> None:
    milliseconds = 2 * LONGEST_SEGMENT // 8 + 1000
    packets = stream("9", milliseconds)
    assert len({timestamp for timestamp, _ in packets}) == 3
    assert receive(packets) == [KeyPressed("9", milliseconds * 8, 1000)]


def test_timestamps_wrap_around() -> None:
    keys = receive(stream("123", start=2**32 - 8100))
    assert [key.digit for key in keys] == ["1", "2", "3"]


def test_a_stream_that_starts_anew_is_heard() -> None:
    assert [key.digit for key in receive(stream("1", start=3_000_000_000) + stream("2", start=1_000_000_000))] == [
        "1",
        "2",
    ]


@pytest.mark.parametrize("payload", [b"", b"\1\2\3", b"\x10\x8a\x03\x20", b"\xff\x8a\x03\x20"])
def test_what_is_no_key_says_nothing(payload: bytes) -> None:
    assert receive([(1000, payload)]) == []


@given(st.permutations(range(7)), st.sets(st.integers(0, 6), max_size=6), st.integers(0, 2**32 - 1))
def test_one_key_out_of_any_of_its_packets_in_any_order(order: list[int], lost: set[int], start: int) -> None:
    packets = stream("6", start=start)
    keys = receive([packets[k] for k in order if k not in lost])
    assert [key.digit for key in keys] == ["6"]
    assert 0 < keys[0].duration <= 800


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=8)), max_size=30))
def test_whatever_comes_in_nothing_breaks(packets: list[tuple[int, bytes]]) -> None:
    for key in receive(packets):
        assert key.digit in DIGITS
        assert key.duration >= 0


@given(st.binary(max_size=8))
def test_any_payload_parses_or_raises_dtmf_error(payload: bytes) -> None:
    try:
        event = TelephoneEvent.parse(payload)
    except DtmfError:
        return
    assert TelephoneEvent.parse(bytes(event)) == event
