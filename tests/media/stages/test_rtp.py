"""RTP packets: wire forms, round trips, and that no octets do harm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp import RtpError, RtpPacket, Sender, parse_rows

U16, U32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
EXTENSIONS = st.tuples(U16, st.binary(max_size=40).map(lambda octets: octets[: len(octets) // 4 * 4]))
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=U16,
    timestamp=U32,
    ssrc=U32,
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    csrc=st.lists(U32, max_size=15).map(tuple),
    extension=st.none() | EXTENSIONS,
    padding=st.integers(0, 255),
)


@pytest.mark.parametrize(
    ("wire", "packet"),
    [
        ("8000 0001 00000002 00000003 ff", RtpPacket(0, 1, 2, 3, b"\xff")),
        ("8088 ffff fffffffe 12345678 d5d5", RtpPacket(8, 0xFFFF, 0xFFFFFFFE, 0x12345678, b"\xd5\xd5", marker=True)),
        ("8200 0001 00000002 00000003 0000000a 0000000b 55", RtpPacket(0, 1, 2, 3, b"\x55", csrc=(10, 11))),
        (
            "9000 0001 00000002 00000003 bede0001 10aa0000 55",
            RtpPacket(0, 1, 2, 3, b"\x55", extension=(0xBEDE, b"\x10\xaa\0\0")),
        ),
        ("a000 0001 00000002 00000003 55 000003", RtpPacket(0, 1, 2, 3, b"\x55", padding=3)),
        ("8000 0001 00000002 00000003", RtpPacket(0, 1, 2, 3, b"")),
    ],
)
def test_wire_forms(wire: str, packet: RtpPacket) -> None:
    octets = bytes.fromhex(wire)
    assert RtpPacket.parse(octets) == packet
    assert bytes(packet) == octets


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        ("", "less than an RTP header"),
        ("8000 0001 00000002 000000", "less than an RTP header"),
        ("4000 0001 00000002 00000003", "version is 1"),
        ("8200 0001 00000002 00000003 0000000a 0000", "contributing sources"),
        ("9000 0001 00000002 00000003 bede", "within the header extension"),
        ("9000 0001 00000002 00000003 bede0002 00000000", "longer than the packet"),
        ("a000 0001 00000002 00000003 5500", "padding"),
        ("a000 0001 00000002 00000003 5504", "padding"),
        ("a000 0001 00000002 00000003", "padding"),
    ],
)
def test_what_is_no_packet_is_said(wire: str, says: str) -> None:
    with pytest.raises(RtpError, match=says):
        RtpPacket.parse(bytes.fromhex(wire))


@given(PACKETS)
def test_round_trip(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(st.binary(max_size=300))
def test_any_octets_parse_or_raise_rtp_error(octets: bytes) -> None:
    try:
        packet = RtpPacket.parse(octets)
    except RtpError:
        return
    assert RtpPacket.parse(bytes(packet)) == packet


@given(
    st.lists(
        PACKETS | st.builds(RtpPacket, st.integers(0, 127), U16, U32, U32, st.binary(min_size=160, max_size=160)),
        max_size=8,
    )
)
def test_rows_say_the_same_as_packets(packets: list[RtpPacket]) -> None:
    wires = [bytes(packet)[:400] for packet in packets]
    data = np.zeros((len(wires), 400), np.uint8)
    for line, wire in zip(data, wires, strict=True):
        line[: len(wire)] = np.frombuffer(wire, np.uint8)
    parsed = parse_rows(data, np.array([len(wire) for wire in wires], np.int32))
    for k, packet in enumerate(packets):
        plain = not packet.csrc and packet.extension is None and not packet.padding and len(packet.payload) == 160
        assert bool(parsed.fast[k]) == plain
        if plain:
            fields = (parsed.payload_type[k], parsed.sequence[k], parsed.timestamp[k], parsed.ssrc[k], parsed.marker[k])
            assert fields == (packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc, packet.marker)


def send(sender: Sender, rows: list[int], now: int) -> list[RtpPacket]:
    out = np.full((len(rows), 172), 0x55, np.uint8)
    sender.headers(np.array(rows, np.intp), out, now)
    assert (out[:, 12:] == 0x55).all()
    return [RtpPacket.parse(line.tobytes()) for line in out]


def opened(sequence: int = 65534, timestamp: int = 2**32 - 160) -> Sender:
    sender = Sender(3)
    sender.open_row(2, ssrc=0xDEADBEEF, sequence=sequence, timestamp=timestamp, payload_type=8, now=100)
    sender.open_row(0, ssrc=1, sequence=7, timestamp=50, payload_type=0, now=100)
    return sender


def test_headers_are_gapless_across_the_wrap_around() -> None:
    sender = opened()
    packets = [send(sender, [2], now)[0] for now in range(100, 104)]
    assert [packet.sequence for packet in packets] == [65534, 65535, 0, 1]
    assert [packet.timestamp for packet in packets] == [2**32 - 160, 0, 160, 320]
    assert [packet.marker for packet in packets] == [True, False, False, False]
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(0xDEADBEEF, 8)}


def test_the_clock_runs_on_while_nothing_is_sent() -> None:
    sender = opened()
    before, after = send(sender, [0], 100)[0], send(sender, [0], 150)[0]
    assert (after.sequence, after.timestamp, after.marker) == (before.sequence + 1, before.timestamp + 50 * 160, True)
    assert not send(sender, [0], 151)[0].marker


def test_rows_in_any_order_have_their_own_streams() -> None:
    first, second = send(opened(), [2, 0], 100)
    assert (first.ssrc, second.ssrc) == (0xDEADBEEF, 1)
    assert (first.sequence, second.sequence) == (65534, 7)


def test_a_new_format_goes_on_with_the_stream() -> None:
    sender = opened()
    before = send(sender, [0], 100)[0]
    sender.set_format(0, 8, spacing=2)
    one, two = send(sender, [0], 101)[0], send(sender, [0], 103)[0]
    assert (one.payload_type, one.sequence, one.timestamp) == (8, before.sequence + 1, before.timestamp + 160)
    assert not two.marker


def test_events_share_the_sequence_and_keep_their_timestamp() -> None:
    sender = opened()
    audio = send(sender, [0], 100)[0]
    octets = sender.event_packet(0, b"\1\2\3\4", payload_type=101, timestamp=sender.timestamp(0, 101), marker=True)
    event = RtpPacket.parse(octets)
    assert (event.sequence, event.timestamp, event.ssrc) == (audio.sequence + 1, audio.timestamp + 160, audio.ssrc)
    assert send(sender, [0], 110)[0].sequence == audio.sequence + 2
    assert (sender.packets[0], sender.octets[0]) == (3, 324)


def test_the_marker_is_for_what_follows_a_gap_whichever_way_it_leaves() -> None:
    """RFC 3551 section 4.1: a packet by itself goes on with those of all rows, and they with it."""
    sender = opened()
    first = RtpPacket.parse(sender.packet(0, b"a", 100 * 160, 160))
    [second] = send(sender, [0], 101)
    third = RtpPacket.parse(sender.packet(0, b"b", 102 * 160, 240))
    after_a_gap = RtpPacket.parse(sender.packet(0, b"c", 104 * 160, 160))
    [late] = send(sender, [0], 106)
    assert [packet.marker for packet in (first, second, third, after_a_gap, late)] == [True, False, False, True, True]
    assert [packet.sequence for packet in (second, third)] == [first.sequence + 1, first.sequence + 2]
