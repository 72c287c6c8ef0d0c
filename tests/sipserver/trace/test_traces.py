"""What is kept of calls, for how long, and how it is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.protocols import CallStatus, LiveEvent
from sipserver.trace.files import TraceFiles
from sipserver.trace.keeper import Bounds, CallTrace, Keeper
from sipserver.trace.packet import glance
from sipserver.trace.text import ladder
from sipserver.trace.traces import LINGER, Traces
from sipserver.trace.wiretap import Wiretap
from tests.sipserver.trace.sip_packets import INVITE, RINGING, packet, text


def test_a_call_has_the_messages_from_before_it_was_known() -> None:
    keeper = Keeper()
    keeper.take("c1", packet(INVITE))
    assert keeper.of("call") is None
    keeper.watch("c1", "call")
    keeper.take("c1", packet(RINGING, ">"))
    keeper.watch("c2", "call")
    keeper.take("c2", packet(text("INVITE sip:x SIP/2.0", "c2"), ">"))
    trace = keeper.of("call")
    assert trace is not None
    assert [each.direction for each in trace.packets] == ["<", ">", ">"]
    keeper.forget("call")
    assert (len(keeper), keeper.size, keeper.of("call")) == (0, 0, None)


def test_calls_that_came_to_nothing_are_there_to_be_seen_the_newest_first() -> None:
    """Those of calls are not among them, nor what began with no INVITE."""

    async def scene() -> None:
        traces = Traces(Keeper(), None, lambda: 0.0)
        for sip_call_id, data in (
            ("old", text("INVITE sip:old SIP/2.0", "old")),
            ("ours", text("INVITE sip:ours SIP/2.0", "ours")),
            ("ping", text("OPTIONS sip:ping SIP/2.0", "ping", cseq="1 OPTIONS")),
            ("new", text("INVITE sip:new SIP/2.0", "new")),
            ("new", text("SIP/2.0 404 Not Found", "new")),
        ):
            seen = glance(data)
            assert seen is not None
            traces.take(seen, packet(data))
            if sip_call_id == "ours":
                traces.watch("ours", "call")
        refused = await traces.refused()
        assert [one["sipCallId"] for one in refused] == ["new", "old"]
        assert [message["summary"] for message in refused[0]["messages"]] == ["INVITE sip:new", "404 Not Found"]
        lines = (await traces.refused_text()).splitlines()
        assert lines[0].endswith("Z  new")
        assert len(await traces.refused_pcap()) > len(await traces.pcap("call"))

    asyncio.run(scene())


def test_a_flood_of_strangers_takes_nothing_from_the_calls() -> None:
    keeper = Keeper()
    keeper.watch("c1", "call")
    keeper.take("c1", packet())
    keeper.take("refused", packet())
    for i in range(10_000):
        keeper.take(f"scan-{i}", packet(text("OPTIONS sip:x SIP/2.0", f"scan-{i}", cseq="1 OPTIONS")))
    assert [sip_call_id for sip_call_id, _ in keeper.unclaimed()] == ["refused"]
    for i in range(10_000):
        keeper.take(f"flood-{i}", packet())
    assert len(keeper) == 1 + 2 * Bounds().early
    assert keeper.of("call") == CallTrace((packet(),))


def test_strangers_who_call_displace_no_trunks_call_that_was_refused() -> None:
    trunk, stranger = "192.0.2.1", "203.0.113.9"
    keeper = Keeper(Bounds(early=3), lambda host: host == trunk)
    keeper.take("trunk", packet(at=1, peer=trunk))
    keeper.take("trial", packet(at=2, direction=">", peer=stranger))
    for i in range(10):
        keeper.take(f"scan-{i}", packet(at=3 + i, peer=stranger))
    keeper.take("scan-9", packet(RINGING, ">", at=20, peer=stranger))
    kept = [sip_call_id for sip_call_id, _ in keeper.unclaimed()]
    assert kept == ["scan-9", "scan-8", "scan-7", "trial", "trunk"]
    keeper.watch("scan-9", "call")
    call = keeper.of("call")
    assert call is not None
    assert len(call.packets) == 2


def test_a_call_keeps_its_last_messages_and_all_calls_share_a_bound() -> None:
    keeper = Keeper(Bounds(messages=3, all_bytes=8 * len(INVITE)))
    for call in range(5):
        keeper.watch(f"c{call}", f"call-{call}")
        for at in range(5):
            keeper.take(f"c{call}", packet(at=at))
    assert [keeper.of(f"call-{call}") is not None for call in range(5)] == [False, False, False, True, True]
    assert keeper.of("call-4") == CallTrace(tuple(packet(at=at) for at in (2, 3, 4)), 2)
    assert keeper.size <= 8 * len(INVITE)


def test_a_finished_call_is_read_from_its_file_with_what_came_after_its_end(tmp_path: Path) -> None:
    async def scene() -> None:
        now = [100.0]
        traces = Traces(Keeper(), TraceFiles(tmp_path), lambda: now[0])
        for data in (INVITE, RINGING):
            seen = glance(data)
            assert seen is not None
            traces.take(seen, packet(data))
            traces.watch("c1", "call")
        traces.observe("call", LiveEvent("status", {"status": CallStatus.COMPLETED, "endedReason": None}))
        live = await traces.messages("call")
        now[0] += LINGER - 1
        assert await traces.write_due() == 1
        assert list(tmp_path.iterdir()) == []
        now[0] += 1
        assert await traces.write_due() is None
        assert [path.name for path in tmp_path.iterdir()] == ["call.jsonl.gz"]
        assert await traces.messages("call") == live
        assert [message["summary"] for message in live[0]] == ["INVITE sip:+12*******23@192.0.2.1", "180 Ringing"]
        assert "5ec4e7" not in str(live)
        assert await traces.messages("other") == ([], 0)
        assert (await traces.pcap("call")).count(b"180 Ringing") == 1

    asyncio.run(scene())


def test_a_stopping_server_writes_what_has_ended(tmp_path: Path) -> None:
    async def scene() -> None:
        traces = Traces(Keeper(), TraceFiles(tmp_path), lambda: 0.0)
        traces.watch("c1", "call")
        traces.observe("call", LiveEvent("status", {"status": "failed", "endedReason": None}))
        await traces.flush()

    asyncio.run(scene())
    assert [path.name for path in tmp_path.iterdir()] == ["call.jsonl.gz"]


def test_files_hold_no_credentials_and_survive_damage(tmp_path: Path) -> None:
    files = TraceFiles(tmp_path)
    files.write("call", CallTrace((packet(INVITE + b"\xff\x00"),), 7))
    back = files.read("call")
    assert back is not None
    assert (back.dropped, back.packets[0].at) == (7, packet().at)
    assert back.packets[0].data == INVITE.replace(b'"5ec4e7"', b"********") + b"\xff\x00"
    path = tmp_path / "call.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    assert files.read("call") is None
    path.write_bytes(b"rubbish")
    assert files.read("call") is None


def test_the_ladder_can_be_read() -> None:
    shown = ladder(CallTrace((packet(INVITE), packet(RINGING, ">", 1500)), 3)).splitlines()
    assert shown[0] == "(3 older messages were not kept)"
    assert "0.000  192.0.2.9:5070/udp  ─" in shown[1]
    assert "▶  192.0.2.1:5060  (1 INVITE)" in shown[1]
    assert "1.500  192.0.2.9:5070/udp  ◀─" in shown[2]
    assert "180 Ringing" in shown[2]
    assert ladder(CallTrace()) == "(no messages were kept)\n"


@given(st.binary(max_size=400))
def test_a_glance_never_fails(data: bytes) -> None:
    for sent in (data, INVITE[:40] + data, b"SIP/2.0 200 " + data):
        seen = glance(sent)
        assert seen is None or (seen.kind and seen.summary is not None)


def tap(level: str = "info", known: str = "192.0.2.9") -> Wiretap:
    assert level in ("debug", "info", "warning")
    return Wiretap(
        lambda: 0,
        lambda: 0.0,
        lambda _: ("192.0.2.1", 5060),
        lambda host: host == known,
        (),
        level,  # type: ignore[arg-type]
    )


def test_one_line_for_each_message_and_never_its_text() -> None:
    wiretap = tap()
    with structlog.testing.capture_logs() as lines:
        wiretap.received(INVITE, Source("udp", "192.0.2.9", 5070))
        wiretap.sent(RINGING, Target("udp", "192.0.2.9", 5070))
    common = {"event": "sip", "log_level": "info", "peer": "192.0.2.9:5070/udp", "sip_call_id": "c1"}
    assert lines == [
        {**common, "direction": "<", "message": "INVITE", "size": len(INVITE)},
        {**common, "direction": ">", "message": "180", "cseq": "1 INVITE", "size": len(RINGING)},
    ]
    assert wiretap.messages == {("<", "INVITE"): 1, (">", "1xx"): 1}


def test_whole_messages_at_debug_without_credentials_and_in_one_line() -> None:
    with structlog.testing.capture_logs() as lines:
        tap("debug").received(INVITE, Source("udp", "192.0.2.9", 5070))
    whole = lines[1]["text"]
    assert whole.startswith("INVITE sip:")
    assert "5ec4e7" not in whole
    assert "\n" not in whole


@pytest.mark.parametrize(("level", "expected"), [("info", 50), ("warning", 0)])
def test_strangers_cannot_fill_the_log(level: str, expected: int) -> None:
    wiretap = tap(level)
    with structlog.testing.capture_logs() as lines:
        for i in range(1000):
            wiretap.received(INVITE, Source("udp", f"203.{i // 250}.{i % 250}.9", 5060))
    assert len(lines) == expected
    assert wiretap.messages["<", "INVITE"] == 1000


def test_labels_are_not_for_strangers_to_invent() -> None:
    wiretap = tap("warning")
    for i in range(100):
        wiretap.received(text(f"METHOD{i} sip:x SIP/2.0"), Source("udp", "192.0.2.9", 5070))
    assert wiretap.messages == {("<", "other"): 100}
