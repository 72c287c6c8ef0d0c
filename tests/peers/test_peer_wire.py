"""What the server puts on the wire and on the disk, read by tshark and ffprobe."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.peers import scripts
from tests.peers.capture import Capture, Packet, needs_capture, needs_ffprobe, probed
from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.speech import spoken, timeline, write_mu_law
from tests.peers.switchboard import PATIENCE, Switchboard

pytestmark = [pytest.mark.peer, needs_sipp, *needs_capture]
SAMPLES = 160
TICK = 0.02
ENVIRONMENT = {"ANTIPHON__TRACE__RTP": "true"}
LATE = 0.25
"""Seconds that a packet may be late on a machine that does much else; on an idle one it is a thousandth of that."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A call, and what was captured of it. `media_port` is the peer's."""

    call: dict[str, Any]
    capture: Capture
    media_port: int
    folder: Path


async def ring(board: Switchboard, folder: Path, scenario: str, script: dict[str, Any], **texts: str) -> Captured:
    line = await board.line(script)
    peer = Sipp(scenario, folder, board.sip, line.number, texts=texts)
    async with Capture(folder / "call.pcapng", board.node.sip[1], peer.media_port) as capture:
        await peer.run()
        call = await board.finished(line)
    return Captured(call, capture, peer.media_port, folder)


@pytest.fixture(scope="module")
def talked(switchboard: Switchboard, tmp_path_factory: pytest.TempPathFactory) -> Captured:
    """A call of two turns, until the agent's BYE."""
    folder = tmp_path_factory.mktemp("talked")

    async def call() -> Captured:
        wish, day = await spoken("I would like to move my appointment.", "I can come on Friday.")
        pcm = timeline([2.5, wish, 4.0, day, 4.0])
        speech = write_mu_law(folder / "caller.ulaw", pcm)
        return await ring(
            switchboard,
            folder,
            "uac_talks.xml",
            scripts.appointment(),
            speech=speech,
            patience=str(int(PATIENCE * 1000)),
        )

    return switchboard.run(call())


def ours(captured: Captured) -> str:
    return f"udp.dstport == {captured.media_port}"


def test_packets_come_without_a_gap_until_the_bye(switchboard: Switchboard, talked: Captured) -> None:
    packets = switchboard.run(talked.capture.rtp(ours(talked)))
    assert len(packets) > 300
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(packets[0].ssrc, 0)}
    assert steps(packets) == {(1, SAMPLES): len(packets) - 1}
    length = packets[-1].at - packets[0].at
    assert (len(packets) - 1) / length == pytest.approx(50, rel=0.02)
    assert max(after.at - before.at for before, after in pairwise(packets)) < LATE

    (bye,) = switchboard.run(talked.capture.fields('sip.Method == "BYE"', "frame.time_epoch", "udp.srcport"))
    assert int(bye[1]) == switchboard.node.sip[1]
    assert -LATE < float(bye[0]) - packets[-1].at < TICK + LATE


def test_tshark_counts_no_lost_packet(switchboard: Switchboard, talked: Captured) -> None:
    """Losses and problems are strict. Delta and jitter are this machine's too: their bounds are what one late packet may come to."""
    table = switchboard.run(talked.capture.streams())
    row = re.search(rf" {talked.media_port} +0x[0-9A-F]+ .*", table)
    assert row is not None
    assert "g711U" in row[0]
    times = re.search(r" 0 \(0\.0%\) +(.*)", row[0])
    assert times is not None, row[0]
    # Smallest, mean and largest delta, then those of the jitter, in milliseconds; an X would tell of problems.
    _, delta, longest, _, jitter, _, *problems = times[1].split()
    assert problems == [], row[0]
    assert float(delta) == pytest.approx(TICK * 1000, rel=0.02), row[0]
    assert float(longest) < LATE * 1000, row[0]
    assert float(jitter) < LATE * 1000 / 16, row[0]


def test_the_trace_has_the_packets_that_were_on_the_wire_and_nothing_said_in_them(
    switchboard: Switchboard, talked: Captured, tmp_path: Path
) -> None:
    """tshark reads our capture file beside its own: the same RTP packets at nearly the same times, without their payload."""
    board = switchboard
    path = tmp_path / "trace.pcap"
    assert board.node.http is not None
    path.write_bytes(board.run(board.node.http.get(f"/v1/calls/{talked.call['id']}/trace?format=pcap")).content)
    traced = Capture(path, board.node.sip[1], talked.media_port)
    for chosen in (ours(talked), f"udp.srcport == {talked.media_port}"):
        seen, wire = board.run(traced.rtp(chosen)), board.run(talked.capture.rtp(chosen))
        kept = {packet.sequence: packet for packet in seen}
        assert len(kept) == len(seen) > 300
        assert len([packet for packet in wire if packet.sequence not in kept]) <= 2
        for packet in wire:
            if (ours_of_it := kept.get(packet.sequence)) is not None:
                assert (ours_of_it.timestamp, ours_of_it.ssrc) == (packet.timestamp, packet.ssrc)
                assert abs(ours_of_it.at - packet.at) < LATE
    assert " 0 (0.0%) " in board.run(traced.streams())
    lengths = board.run(traced.fields("rtp", "frame.len", "frame.cap_len"))
    assert {(int(whole), int(kept)) for whole, kept in lengths} == {(14 + 20 + 8 + 172, 14 + 20 + 8 + 12)}
    assert board.run(traced.fields("sip.Method", "sip.Method"))[0] == ["INVITE"]


def test_every_message_is_well_formed_sip(switchboard: Switchboard, talked: Captured) -> None:
    port = switchboard.node.sip[1]
    run = switchboard.run
    assert run(talked.capture.fields("_ws.malformed", "frame.number")) == []
    answers = run(talked.capture.fields(f"sip.Status-Code and udp.srcport == {port}", "sip.Status-Code", "sip.CSeq"))
    # A 100 comes only where nothing else came soon.
    assert [one for one in answers if one[0] != "100"] == [["180", "1 INVITE"], ["200", "1 INVITE"]]
    session = run(talked.capture.fields(f"sdp and udp.srcport == {port}", "sdp.media", "sdp.version"))
    assert [row[1] for row in session] == ["0"]


def test_sender_reports_tell_of_the_stream(switchboard: Switchboard, talked: Captured) -> None:
    """RFC 3550 section 6.4.1: what our reports count is what was sent, and they name the same source."""
    packets = switchboard.run(talked.capture.rtp(ours(talked)))
    chosen = f"rtcp.pt == 200 and udp.dstport == {talked.media_port + 1}"
    names = ("frame.time_epoch", "rtcp.senderssrc", "rtcp.sender.packetcount")
    reports = switchboard.run(talked.capture.fields(chosen, *names))
    assert reports
    for at, source, count in reports:
        assert source == packets[0].ssrc
        sent = sum(packet.at <= float(at) for packet in packets)
        assert int(count) == pytest.approx(sent, abs=2)


@needs_ffprobe
@pytest.mark.parametrize("fmt", ["wav", "mp3", "ogg"])
def test_the_recording_is_stereo_and_as_long_as_the_call(switchboard: Switchboard, talked: Captured, fmt: str) -> None:
    async def read() -> tuple[int, float]:
        return await probed(await switchboard.recording(talked.call, fmt, talked.folder))

    packets = switchboard.run(talked.capture.rtp(ours(talked)))
    channels, seconds = switchboard.run(read())
    assert channels == 2
    assert seconds == pytest.approx(len(packets) * TICK, abs=0.1)


def test_on_hold_packets_stop_and_the_clock_runs_on(switchboard: Switchboard, tmp_path: Path) -> None:
    """RFC 3264 section 8.4: the peer sends only, so we send nothing; afterwards the stream goes on where time has got to."""

    async def call() -> Captured:
        (wish,) = await spoken("I would like to move my appointment.")
        speech = write_mu_law(tmp_path / "caller.ulaw", timeline([1.0, wish, 10.0]))
        return await ring(switchboard, tmp_path, "uac_holds.xml", scripts.appointment(), speech=speech)

    held = switchboard.run(call())
    packets = switchboard.run(held.capture.rtp(ours(held)))
    answers = switchboard.run(
        held.capture.fields(
            f"sip.Status-Code == 200 and sip.CSeq.method == INVITE and udp.srcport == {switchboard.node.sip[1]}",
            "frame.time_epoch",
        )
    )
    _, hold, back = (float(row[0]) for row in answers)
    gaps = [(before, after) for before, after in pairwise(packets) if after.at - before.at > 1]
    ((before, after),) = gaps
    assert -TICK < before.at - hold < LATE
    assert -TICK < after.at - back < LATE
    assert (after.sequence - before.sequence) % 2**16 == 1
    elapsed = (after.timestamp - before.timestamp) % 2**32
    assert elapsed % SAMPLES == 0
    assert elapsed / 8000 == pytest.approx(after.at - before.at, abs=LATE)
    assert steps(packets) == {(1, SAMPLES): len(packets) - 2, (1, elapsed): 1}
    assert packets[-1].at - back > 1.5
    assert (held.call["status"], held.call["endedReason"]) == ("completed", "customer_ended")


def steps(packets: list[Packet]) -> dict[tuple[int, int], int]:
    """How often sequence number and timestamp went on by how much."""
    return Counter(
        ((after.sequence - before.sequence) % 2**16, (after.timestamp - before.timestamp) % 2**32)
        for before, after in pairwise(packets)
    )
