"""The headers of RTP in a call's trace: bounds, files, and what tshark reads."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.seen import RtpSeen
from sipserver.protocols import CallStatus, LiveEvent
from sipserver.trace.files import TraceFiles
from sipserver.trace.keeper import Keeper
from sipserver.trace.pcap import pcap
from sipserver.trace.rtp import SIZE, RtpHeader, RtpTrace, RtpTraces, records_of
from sipserver.trace.traces import LINGER, Traces
from tests.sipserver.trace.sip_packets import INVITE, packet
from tests.sipserver.trace.test_trace_captures import tshark

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
OURS = ("192.0.2.1", 20_000)
PEER = ("198.51.100.7", 4000)
START = 1_767_225_600_000_000


def seen(number: int, *, sent: bool = False, other: tuple[str, int] = PEER, length: int = 172) -> RtpSeen:
    """Packet `number` of G.711, 20 ms after the one before."""
    head = bytes((0x80, 0)) + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big") + b"\0\0\0\x2a"
    return RtpSeen(0, 1, START + number * 20_000, int(sent), length, other[1], other[0].encode(), head)


def headers(trace: RtpTrace | None) -> list[RtpHeader]:
    assert trace is not None
    return list(trace.headers())


def test_packets_are_kept_in_their_directions() -> None:
    traces = RtpTraces()
    look = traces.look("call", OURS)
    look(seen(1))
    look(seen(2, sent=True))
    assert [(one.source, one.target, one.length) for one in headers(traces.of("call"))] == [
        (PEER, OURS, 172),
        (OURS, PEER, 172),
    ]
    assert headers(traces.of("call"))[0].head == seen(1).head
    assert traces.of("another") is None


def test_a_call_keeps_its_last_packets_and_all_calls_share_a_bound() -> None:
    traces = RtpTraces(call_packets=10, all_packets=25)
    for call in "abc":
        look = traces.look(call, OURS)
        for number in range(14):
            look(seen(number))
    assert [traces.of(call) is not None for call in "abc"] == [False, True, True]
    kept = traces.of("c")
    assert kept is not None
    assert (len(kept.records), kept.dropped, headers(kept)[0].at) == (10, 4, seen(4).at_us)
    assert (traces.packets, len(traces)) == (20, 2)
    # The one that gave way is still looked at by its media, and told of in vain.
    for call in "bc":
        traces.forget(call)
    assert (traces.packets, len(traces)) == (0, 0)


def test_who_is_told_of_after_it_was_forgotten_keeps_nothing() -> None:
    traces = RtpTraces()
    look = traces.look("call", OURS)
    traces.forget("call")
    look(seen(1))
    assert (traces.packets, traces.of("call")) == (0, None)


def test_each_leg_has_an_end_of_ours() -> None:
    traces, second = RtpTraces(), ("192.0.2.1", 20_002)
    for ours, other in ((OURS, PEER), (second, ("198.51.100.8", 4000))):
        look = traces.look("call", ours)
        look(seen(1, other=other))
        look(seen(2, sent=True, other=other))
    assert [(one.source, one.target[1]) for one in headers(traces.of("call"))] == [
        (PEER, 20_000),
        (OURS, 4000),
        (("198.51.100.8", 4000), 20_002),
        (second, 4000),
    ]


def test_a_flood_from_ever_other_addresses_is_bounded() -> None:
    traces = RtpTraces()
    look = traces.look("call", OURS)
    for number in range(1000):
        look(seen(number, other=("203.0.113.9", 1024 + number)))
    kept = traces.of("call")
    assert kept is not None
    assert (len(kept.ends), len(kept.records)) == (256, 1000)
    assert headers(kept)[-1].source == ("0.0.0.0", 0)


@given(st.binary(max_size=300))
def test_records_are_whole_or_refused(packed: bytes) -> None:
    if len(packed) % SIZE:
        with pytest.raises(ValueError, match="whole"):
            records_of(packed)
    else:
        assert b"".join(records_of(packed)) == packed


def test_a_finished_call_has_its_packets_in_a_file(tmp_path: Path) -> None:
    async def scene() -> None:
        now = [100.0]
        traces = Traces(Keeper(), TraceFiles(tmp_path), lambda: now[0])
        look = traces.rtp.look("call", OURS)
        second = traces.rtp.look("call", ("192.0.2.1", 20_002))
        for number in range(5):
            look(seen(number, sent=number % 2 == 1))
            second(seen(number, sent=number % 2 == 0))
        live = await traces.pcap("call")
        traces.observe("call", LiveEvent("status", {"status": CallStatus.COMPLETED, "endedReason": None}))
        now[0] += LINGER
        assert await traces.write_due() is None
        assert [path.name for path in tmp_path.iterdir()] == ["call.rtp.gz"]
        assert traces.rtp.of("call") is None
        assert await traces.pcap("call") == live
        (tmp_path / "call.rtp.gz").write_bytes(b"nonsense")
        assert len(await traces.pcap("call")) == 24

    asyncio.run(scene())


@needs_tshark
def test_tshark_reads_packets_that_were_cut_between_sip(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    look = (traces := RtpTraces()).look("call", OURS)
    for number in (10, 11, 12):
        look(seen(number))
        look(seen(number, sent=True, other=("2001:db8::9", 5000)))
    path.write_bytes(pcap([packet(INVITE)], headers(traces.of("call"))))
    fields = [
        "frame.protocols",
        "ip.src",
        "ipv6.dst",
        "rtp.seq",
        "rtp.p_type",
        "frame.len",
        "frame.cap_len",
        "_ws.malformed",
    ]
    found = tshark(path, fields, "-d", "udp.port==20000,rtp")
    assert found[0][0].endswith("sip")
    # Our end is IPv4, so it has no address beside a peer of the other family.
    assert found[1] == [*found[1][:1], PEER[0], "", "10", "0", "214", "54", ""]
    assert found[2][2:] == ["2001:db8::9", "10", "0", "234", "74", ""]
    assert [row[3] for row in found[1:]] == ["10", "10", "11", "11", "12", "12"]
