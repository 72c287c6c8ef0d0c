"""RTCP on the wire, and the round trip that follows from reports."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rtcp import (
    Bye,
    ExtendedReport,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    SenderReport,
    SourceDescription,
    compound,
    middle,
    ntp_from_unix,
    parse_compound,
    round_trip,
)
from media.xr import VoipMetrics, share, span

U32 = st.integers(0, 2**32 - 1)
BLOCKS = st.lists(
    st.builds(ReportBlock, U32, st.integers(0, 255), st.integers(-(2**23), 2**23 - 1), U32, U32, U32, U32), max_size=31
).map(tuple)
REPORTS = st.builds(SenderReport, U32, st.integers(0, 2**64 - 1), U32, U32, U32, BLOCKS) | st.builds(
    ReceiverReport, U32, BLOCKS
)
ITEMS = st.lists(st.tuples(st.integers(1, 8), st.binary(max_size=40)), max_size=4).map(tuple)
OTHERS = st.builds(SourceDescription, U32, ITEMS) | st.builds(
    Bye, st.lists(U32, max_size=31).map(tuple), st.text(max_size=40)
)

OCTET, TWO = st.integers(0, 255), st.integers(0, 0xFFFF)
METRICS = st.builds(
    VoipMetrics, U32, OCTET, OCTET, OCTET, OCTET, TWO, TWO, TWO, TWO, st.integers(-128, 127), st.integers(-128, 127),
    OCTET, OCTET, OCTET, OCTET, OCTET, OCTET, OCTET, TWO, TWO, TWO,
)  # fmt: skip
EXTENDED = st.builds(ExtendedReport, U32, st.lists(METRICS, max_size=3).map(tuple))

BLOCK = ReportBlock(2, 64, -1, 0x10005, 40, 0x11112222, 65536)

METRICS_BLOCK = VoipMetrics(
    2,
    13,
    3,
    8,
    38,
    180,
    4000,
    20,
    40,
    -30,
    -70,
    30,
    16,
    92,
    127,
    43,
    41,
    0xB0,
    buffer_ms=40,
    buffer_most_ms=80,
    buffer_ever_ms=640,
)


@pytest.mark.parametrize(
    ("wire", "packets"),
    [
        ("80c90001 00000001", (ReceiverReport(1),)),
        (
            "81c90007 00000001 00000002 40ffffff 00010005 00000028 11112222 00010000",
            (ReceiverReport(1, (BLOCK,)),),
        ),
        (
            "80c80006 00000001 e1234567 80000000 00000320 0000000a 00000640",
            (SenderReport(1, 0xE123456780000000, 800, 10, 1600),),
        ),
        (
            # An SDES of one CNAME, padded by nulls to a word; a BYE with a reason.
            "80c90001 00000001  81ca0003 00000001 01036162 63000000  81cb0002 00000001 03627965",
            (ReceiverReport(1), SourceDescription.of(1, "abc"), Bye((1,), "bye")),
        ),
        (
            # RFC 3611 section 4.7, laid out by hand; before it a block of another type (DLRR), which is stepped over.
            "80c90001 00000001  80cf000e 00000001  05000003 00000002 00000003 00000004"
            "07000008 00000002 0d030826 00b40fa0 00140028 e2ba1e10 5c7f2b29 b0000028 00500280",
            (ReceiverReport(1), ExtendedReport(1, (METRICS_BLOCK,))),
        ),
        # One that says that it is longer than its packet, and one of another length than RFC 3611 gives it.
        ("80c90001 00000001  80cf0002 00000001 07000008", (ReceiverReport(1), ExtendedReport(1))),
        ("80c90001 00000001  80cf0003 00000001 07000001 00000002", (ReceiverReport(1), ExtendedReport(1))),
        # An application's packet (204) between the others is stepped over.
        ("80c90001 00000001  80cc0002 00000001 41424344  80cb0000", (ReceiverReport(1), Bye(()))),
    ],
)
def test_wire_forms(wire: str, packets: tuple) -> None:
    assert parse_compound(bytes.fromhex(wire)) == packets


def test_padding_ends_the_last_packet() -> None:
    assert parse_compound(bytes.fromhex("80c90001 00000001 a1cb0002 00000001 00000004")) == (
        ReceiverReport(1),
        Bye((1,)),
    )


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        ("", "empty"),
        ("80c9", "within its header"),
        ("40c90001 00000001", "version is 1"),
        ("81cb0001 00000001", "neither SR nor RR"),
        ("80c90002 00000001", "longer than the datagram"),
        ("81c90001 00000001", "shorter than what it counts"),
        ("80c90001 00000001 81cb0000", "shorter than what it counts"),
        ("80c90001 00000001 81ca0002 00000001 01ff6162", "shorter than what it counts"),
        ("a0c90002 00000001 00000003", "padding"),
        ("a0c90002 00000001 00000004 80cb0000", "padding"),
    ],
)
def test_what_is_no_rtcp_is_said(wire: str, says: str) -> None:
    with pytest.raises(RtcpError, match=says):
        parse_compound(bytes.fromhex(wire))


@settings(deadline=None)
@given(REPORTS, st.lists(OTHERS, max_size=3))
def test_round_trip_of_octets(report: SenderReport | ReceiverReport, others: list) -> None:
    packets = (report, *others)
    octets = compound(packets)
    assert len(octets) % 4 == 0
    assert parse_compound(octets) == packets


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_parse_or_raise_rtcp_error(octets: bytes) -> None:
    try:
        parse_compound(octets)
    except RtcpError:
        pass


def test_losses_are_kept_within_24_bits() -> None:
    octets = bytes(ReportBlock(1, 0, 10**8, 0, 0))
    assert ReportBlock.parse(octets, 0).lost == 2**23 - 1
    assert ReportBlock.parse(bytes(ReportBlock(1, 0, -(10**8), 0, 0)), 0).lost == -(2**23)


@pytest.mark.parametrize(
    ("last_sr", "delay", "now", "seconds"),
    [
        # The example of RFC 3550 section 6.4.1, figure 2: 6.125 s.
        (0xB705_2000, 0x0005_4000, 0xB710_8000, 6.125),
        (0xFFFF_0000, 0x0001_0000, 0x0001_0000, 1.0),
        (0x0001_0000, 0x0002_0000, 0x0002_FFFF, 0.0),
        (0, 0, 0x1234, None),
    ],
)
def test_round_trip_time(last_sr: int, delay: int, now: int, seconds: float | None) -> None:
    assert round_trip(ReportBlock(1, 0, 0, 0, 0, last_sr, delay), now) == seconds


def test_ntp_times() -> None:
    assert ntp_from_unix(0) == 2_208_988_800 << 32
    assert middle(0x11112222_33334444) == 0x22223333


@settings(deadline=None)
@given(report=REPORTS, extended=EXTENDED)
def test_extended_reports_are_read_as_they_were_written(
    report: SenderReport | ReceiverReport, extended: ExtendedReport
) -> None:
    wire = compound([report, extended])
    assert parse_compound(wire) == (report, extended)


@settings(deadline=None)
@given(octets=st.binary(max_size=60).map(lambda found: found[: len(found) // 4 * 4]))
def test_no_extended_report_does_harm(octets: bytes) -> None:
    words = (len(octets) // 4 + 1).to_bytes(2, "big")
    first, extended = parse_compound(bytes(ReceiverReport(1)) + b"\x80\xcf" + words + bytes(4) + octets)
    assert (first, isinstance(extended, ExtendedReport)) == (ReceiverReport(1), True)


@pytest.mark.parametrize(
    ("listening", "conversational", "mos"),
    [(43, 41, 4.1), (43, 127, 4.3), (127, 127, None), (0, 200, None), (10, 0, 1.0), (50, 51, 5.0)],
)
def test_a_score_that_cannot_be_is_none(listening: int, conversational: int, mos: float | None) -> None:
    metrics = VoipMetrics(1, *[0] * 8, mos_listening=listening, mos_conversational=conversational)
    assert metrics.mos == mos


def test_what_does_not_fit_is_the_most_that_does() -> None:
    assert [share(part) for part in (-1.0, 0.0, 0.5, 1.0, 3.0)] == [0, 0, 128, 255, 255]
    assert [span(ms) for ms in (-1, 0, 19.6, 1e9)] == [0, 0, 20, 0xFFFF]
