"""What others read of ours: `tshark` our capture files; our HEP a decoder strict to the byte, for tshark has none."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from sipserver.trace.export import HepExport
from sipserver.trace.hep import Agent, encoded
from sipserver.trace.pcap import pcap
from tests.sipserver.trace.sip_packets import INVITE, RINGING, START, packet, text

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
FIELDS = ["frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport"]
SIP = ["sip.Method", "sip.Status-Code", "sip.Call-ID", "sip.auth.digest.response", "_ws.expert.message"]


def tshark(path: Path, fields: Sequence[str], *options: str) -> list[list[str]]:
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|", *options]
    checks = ["-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    done = subprocess.run(
        [*command, *checks, *(part for name in fields for part in ("-e", name))],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split("|") for line in done.stdout.splitlines()]


LADDER = [
    packet(INVITE),
    packet(RINGING, ">", 20),
    packet(text("SIP/2.0 200 OK"), ">", 1000, "tcp"),
    packet(text("BYE sip:b@x SIP/2.0", cseq="2 BYE"), "<", 2000, "tls", "2001:db8::1", "2001:db8::9"),
]


@needs_tshark
def test_tshark_reads_the_capture(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    path.write_bytes(pcap(LADDER))
    four, six = ["192.0.2.9", "192.0.2.1", "", ""], ["", "", "2001:db8::9", "2001:db8::1"]
    back = ["192.0.2.1", "192.0.2.9", "", ""]
    assert tshark(path, [*FIELDS, *SIP]) == [
        ["1767225600.000000000", *four, "5070", "5060", "INVITE", "", "c1", "********", ""],
        ["1767225600.020000000", *back, "5060", "5070", "", "180", "c1", "", ""],
        ["1767225601.000000000", *back, "5060", "5070", "", "200", "c1", "", ""],
        ["1767225602.000000000", *six, "5070", "5060", "BYE", "", "c1", "", ""],
    ]


def test_a_message_too_long_for_a_datagram_is_cut() -> None:
    whole = pcap([packet(INVITE + b"x" * 70_000)])
    assert struct.unpack_from("<II", whole, 24 + 8) == (65_535 + 14, 65_535 + 14)


def decoded(datagram: bytes) -> dict[int, bytes]:
    """The chunks of a HEPv3 datagram."""
    assert datagram[:4] == b"HEP3"
    assert struct.unpack_from("!H", datagram, 4) == (len(datagram),)
    chunks, at = {}, 6
    while at < len(datagram):
        vendor, kind, length = struct.unpack_from("!HHH", datagram, at)
        assert vendor == 0
        chunks[kind] = datagram[at + 6 : at + length]
        at += length
    assert at == len(datagram)
    return chunks


def test_hep_says_who_sent_what_when() -> None:
    chunks = decoded(encoded(packet(RINGING, ">", 20), Agent(2001, "pw")))
    assert chunks.pop(15) == RINGING
    assert chunks == {
        1: b"\x02",
        2: b"\x11",
        3: bytes([192, 0, 2, 1]),
        4: bytes([192, 0, 2, 9]),
        7: (5060).to_bytes(2, "big"),
        8: (5070).to_bytes(2, "big"),
        9: (START // 1_000_000).to_bytes(4, "big"),
        10: (20_000).to_bytes(4, "big"),
        11: b"\x01",
        12: (2001).to_bytes(4, "big"),
        14: b"pw",
        17: b"c1",
    }


def test_hep_speaks_ipv6_and_tells_no_credentials() -> None:
    sent = packet(INVITE, transport="tls", local="2001:db8::1", peer="2001:db8::9")
    chunks = decoded(encoded(sent, Agent(1)))
    assert (chunks[1], chunks[2], chunks[5][-1], chunks[6][-1]) == (b"\x0a", b"\x06", 9, 1)
    assert 14 not in chunks
    assert b"5ec4e7" not in chunks[15]
    assert len(chunks[15]) == len(INVITE)


def test_the_export_sends_and_never_fails() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(30)
        export = HepExport(*collector.getsockname(), Agent(7))
        export.send(packet())
        assert decoded(collector.recv(65535))[12] == (7).to_bytes(4, "big")
    for _ in range(3):
        export.send(packet())
    export.close()
    assert export.counters["sent"] >= 1
    assert export.counters.total() == 4
    assert export.counters["lost"] >= 1, "nobody is there any more, and that is all"
