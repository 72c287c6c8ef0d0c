"""Extended reports (RFC 3611) on a simulated line: who gets them, what they tell, and what a peer's do; and tshark's word for them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from media.call_report import MediaReport
from media.frames import RtpRemote
from media.rtcp import ExtendedReport, ReceiverReport, ReportBlock, compound, parse_compound
from media.xr import VoipMetrics
from sipserver.trace.packet import Packet
from sipserver.trace.pcap import pcap
from tests.media.process.line import PEER, Line, on_a_line

ASKS = RtpRemote(*PEER, xr=True)
CONTROL = (PEER[0], PEER[1] + 1)
GONE = {*range(10, 700, 20), *range(411, 420)}
"""Of 800 packets, one of twenty and a burst: what `test_line_quality` counts too."""


async def speak(line: Line) -> None:
    for number in range(800):
        if number not in GONE:
            line.deliver(line.packet(9000, number))
        await line.tick()


def extended(line: Line) -> list[VoipMetrics]:
    """The blocks of our reports so far."""
    packets = [packet for datagram in line.control for packet in parse_compound(datagram)]
    return [block for packet in packets if isinstance(packet, ExtendedReport) for block in packet.blocks]


async def report(line: Line) -> MediaReport:
    return await line.plane.during(line.call.close())


def test_a_peer_that_asks_is_told_how_it_was_heard() -> None:
    async def test(line: Line) -> None:
        await line.connect(remote=ASKS)
        await speak(line)
        before = len(extended(line))
        told = await report(line)
        line.collect()
        assert 2 <= before < len(extended(line)), "every few seconds, and with the BYE"
        last, heard = extended(line)[-1], told.quality.heard
        assert heard is not None
        assert told.mos is not None
        assert (last.ssrc, last.loss, last.discarded) == (77, 256 * len(GONE) // 800, 0)
        assert (last.burst_ms, last.burst_density) == (heard.burst_ms, int(2.56 * heard.burst_percent))
        assert last.gap_ms == heard.gap_ms
        assert abs(last.mos_listening / 10 - heard.mos_listening) <= 0.05
        assert abs(last.mos_conversational / 10 - told.mos) <= 0.05
        assert 50 < last.rating < 93
        assert last.g_min == 16

    on_a_line(test)


def test_a_peer_that_does_not_ask_or_asks_no_more_gets_none() -> None:
    async def test(line: Line) -> None:
        await line.say(9000, 400)
        assert extended(line) == []
        await line.connect(remote=ASKS)
        await line.say(9000, 400)
        assert extended(line) != []
        await line.connect()
        line.control.clear()
        await line.say(9000, 400)
        assert (line.control != [], extended(line)) == (True, [])

    on_a_line(test)


def test_the_score_that_a_peer_gives_us_is_the_calls() -> None:
    async def test(line: Line) -> None:
        await line.say(9000, 50)
        ours, blank = line.sent[-1].ssrc, [0] * 8
        blocks = (
            VoipMetrics(ours ^ 1, *blank, mos_conversational=11),
            VoipMetrics(ours, *blank, mos_conversational=37),
        )
        told = compound([ReceiverReport(9, (ReportBlock(ours, 0, 0, 100, 40),)), ExtendedReport(9, blocks)])
        line.plane.deliver(line.call, told, CONTROL, control=True)
        await line.tick()
        unknown = compound([ReceiverReport(9), ExtendedReport(9, (VoipMetrics(ours, *blank),))])
        line.plane.deliver(line.call, unknown, CONTROL, control=True)
        await line.tick()
        peer = (await report(line)).quality.peer
        assert peer is not None
        assert (peer.mos, peer.jitter_ms) == (3.7, 5.0)

    on_a_line(test)


NAMES = (
    "pt", "xr.bt", "xr.voipmetrics.burstduration", "xr.voipmetrics.gmin", "xr.voipmetrics.rfactor", "xr.voipmetrics.moslq",
    "xr.voipmetrics.moscq", "xr.voipmetrics.esdelay", "xr.voipmetrics.jbmax", "xr.voipmetrics.plc", "xr.voipmetrics.signallevel",
)  # fmt: skip


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_what_we_send(tmp_path: Path) -> None:
    datagrams: list[bytes] = []
    metrics: list[VoipMetrics] = []

    async def test(line: Line) -> None:
        await line.connect(remote=ASKS)
        await speak(line)
        await report(line)
        line.collect()
        datagrams.extend(line.control)
        metrics.extend(extended(line))

    on_a_line(test)
    path, local = tmp_path / "control.pcap", ("192.0.2.7", 5005)
    path.write_bytes(pcap(Packet(at, ">", "udp", local, CONTROL, datagram) for at, datagram in enumerate(datagrams)))
    command = ["tshark", "-r", str(path), "-d", f"udp.port=={CONTROL[1]},rtcp", "-T", "fields", "-E", "separator=|"]
    fields = [part for name in NAMES for part in ("-e", f"rtcp.{name}")]
    done = subprocess.run([*command, *fields, "-e", "_ws.malformed"], capture_output=True, text=True, check=True)
    read, last = done.stdout.splitlines()[-1].split("|"), metrics[-1]
    scores = [f"{last.mos_listening / 10:g}", f"{last.mos_conversational / 10:g}"]
    assert read == [
        "200,202,207,203", "7", str(last.burst_ms), "16", str(last.rating), *scores, "40", "640", "2", "127", "",
    ]  # fmt: skip
