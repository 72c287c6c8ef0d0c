"""Secure calls under simulated time: nothing is learnt, heard or counted that is not authentic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from media.codecs.g711 import decode, encode
from media.frames import Codec, CryptoSuite, DigitHeard, MediaTimeout, RtpFormat, RtpRemote, SrtpKeys
from media.records import COMMAND
from media.rtp import RtpPacket
from media.srtp import Incoming, Outgoing, SrtpError
from tests.media.process.line import FORMAT, PEER, Line, frames, open_line

NAT = ("198.51.100.9", 40404)
ATTACKER = ("203.0.113.66", 6666)
SUITE = CryptoSuite.AES_CM_128_HMAC_SHA1_80
OURS, THEIRS, NEW, UNKNOWN = (bytes([n]) + bytes(28) + bytes([n]) for n in (1, 2, 3, 4))
KEYS = SrtpKeys(SUITE, OURS, THEIRS)


class SecurePeer:
    """The peer of a line whose packets are secured: what it says, and what of ours it can read."""

    def __init__(self, line: Line, keys: SrtpKeys) -> None:
        self.line = line
        self.key(keys)

    def key(self, keys: SrtpKeys) -> None:
        """New keys, streams that begin anew."""
        self.outgoing = Outgoing(keys.suite, keys.remote)
        self.incoming = Incoming(keys.suite, keys.local)

    def deliver(self, packet: RtpPacket, source: tuple[str, int] = PEER) -> bytes:
        secure = self.outgoing.protect(bytes(packet))
        self.line.plane.deliver(self.line.call, secure, source)
        return secure

    async def say(self, value: int, ticks: int, source: tuple[str, int] = PEER) -> None:
        for _ in range(ticks):
            self.deliver(self.line.packet(value), source)
            await self.tick()

    async def tick(self, ticks: int = 1) -> list[tuple[RtpPacket, tuple[str, int]]]:
        """What we send meanwhile, opened, and where to."""
        sent = []
        for _ in range(ticks):
            await self.line.plane.tick()
            for packet in self.line.plane.take_sent():
                if packet.port == self.line.call.port:
                    sent.append((RtpPacket.parse(self.incoming.unprotect(packet.data)), packet.address))
                else:
                    self.line.control.append(self.incoming.unprotect_control(packet.data))
        return sent

    @property
    def unauthentic(self) -> int:
        return int(self.line.plane.link.rings.process.packets_unauthentic[0])

    def heard(self) -> list[int]:
        """What the agent heard that was loud: the distinct levels, roughly."""
        return sorted({round(int(np.median(frame.pcm)), -3) for frame in self.line.heard if not frame.concealed} - {0})


def on_a_secure_line(
    test: Callable[[SecurePeer], Coroutine[Any, Any, None]], keys: SrtpKeys = KEYS, **settings: Any
) -> None:
    async def run() -> None:
        async with open_line(**settings) as line:
            peer = SecurePeer(line, keys)
            await secure(line, keys)
            await test(peer)

    asyncio.run(run())


async def secure(line: Line, keys: SrtpKeys | None, remote: tuple[str, int] = PEER, fmt: RtpFormat = FORMAT) -> None:
    await line.plane.during(line.call.connect(RtpRemote(*remote), fmt, srtp=keys))
    line.plane.take_sent()


@pytest.mark.parametrize("suite", list(CryptoSuite))
def test_both_ways_in_every_suite(suite: CryptoSuite) -> None:
    """Zeros at the end of a key must not be lost on its way."""
    keys = SrtpKeys(suite, OURS[: suite.key_octets], THEIRS[: suite.key_octets - 2] + bytes(2))

    async def test(peer: SecurePeer) -> None:
        peer.line.call.play(frames(3))
        sent = await peer.tick(6)
        assert [to for _, to in sent] == [PEER] * 6
        loud = [
            packet
            for packet, _ in sent
            # In its second half, where the voice that has ended is gone.
            if int(decode(np.frombuffer(packet.payload, np.uint8), Codec.PCMU)[80:].max()) > 4000
        ]
        assert len(loud) == 3
        await peer.say(8000, 10)
        await peer.tick(5)
        assert peer.heard() == [8000]
        assert peer.unauthentic == 0

    on_a_secure_line(test, keys)


def test_forgeries_are_not_learnt_heard_or_counted() -> None:
    """Five consecutive packets of one stream would be learnt on a plain call."""

    async def test(peer: SecurePeer) -> None:
        forger = Outgoing(SUITE, UNKNOWN)
        for number in range(10):
            plain = bytes(peer.line.packet(20000, number))
            peer.line.plane.deliver(peer.line.call, plain, ATTACKER)
            peer.line.plane.deliver(peer.line.call, forger.protect(plain), ATTACKER)
            peer.line.plane.deliver(peer.line.call, forger.protect(plain), PEER)
            assert {to for _, to in await peer.tick()} <= {PEER}
        assert (peer.unauthentic, peer.heard()) == (30, [])
        await peer.say(8000, 10)
        await peer.tick(5)
        assert peer.heard() == [8000]
        report = await peer.line.plane.during(peer.line.call.close())
        assert (report.packets_received, report.packets_lost) == (10, 0)

    on_a_secure_line(test)


def test_an_authentic_peer_behind_a_nat_is_learnt() -> None:
    async def test(peer: SecurePeer) -> None:
        await peer.say(8000, 5, NAT)
        assert {to for _, to in await peer.tick(2)} == {NAT}

    on_a_secure_line(test)


def test_who_repeats_packets_from_elsewhere_is_not_learnt() -> None:
    async def test(peer: SecurePeer) -> None:
        for _ in range(10):
            secure = peer.deliver(peer.line.packet(8000), NAT)
            peer.line.plane.deliver(peer.line.call, secure, ATTACKER)
            await peer.tick()
        assert {to for _, to in await peer.tick(2)} == {NAT}

    on_a_secure_line(test)


def test_a_packet_repeated_from_elsewhere_first_is_still_heard() -> None:
    """Of a call with a known address, what comes from elsewhere must not use up the index."""

    async def test(peer: SecurePeer) -> None:
        await peer.say(8000, 3)
        packet = peer.outgoing.protect(bytes(peer.line.packet(8000)))
        peer.line.plane.deliver(peer.line.call, packet, ATTACKER)
        peer.line.plane.deliver(peer.line.call, packet, PEER)
        await peer.tick(3)
        assert peer.unauthentic == 0
        assert (await peer.line.plane.during(peer.line.call.close())).packets_received == 4

    on_a_secure_line(test)


def test_forgeries_do_not_keep_a_dead_call_alive() -> None:
    async def test(peer: SecurePeer) -> None:
        await peer.say(8000, 3)
        for _ in range(55):
            peer.line.deliver(peer.line.packet(8000))
            await peer.tick()
        assert len(peer.line.of(MediaTimeout)) == 1

    on_a_secure_line(test, timeout_s=1.0)


def test_keys_pressed_are_secure_both_ways() -> None:
    async def test(peer: SecurePeer) -> None:
        for end, duration in ((0, 160), (0, 320), (128, 480), (128, 480), (128, 480)):
            event = bytes([5, end | 10]) + duration.to_bytes(2, "big")
            peer.line.sequence += 1
            peer.deliver(RtpPacket(101, peer.line.sequence & 0xFFFF, 12345, 77, event))
            await peer.tick()
        assert [digit.digit for digit in peer.line.of(DigitHeard)] == ["5"]
        sending = asyncio.ensure_future(peer.line.call.send_digits("7"))
        sent = await peer.tick(12)
        await sending
        assert {packet.payload[0] for packet, _ in sent if packet.payload_type == 101} == {7}

    on_a_secure_line(test)


def test_long_packets_are_secure_too() -> None:
    async def test(peer: SecurePeer) -> None:
        await secure(peer.line, KEYS, fmt=RtpFormat(Codec.PCMU, 0, 101, ptime=60))
        sent = await peer.tick(9)
        assert [len(packet.payload) for packet, _ in sent] == [480] * 3
        for number in range(4):
            peer.deliver(
                RtpPacket(0, 5000 + number, 480 * number, 9, encode(np.full(480, 8000, np.int16), Codec.PCMU).tobytes())
            )
            await peer.tick(3)
        await peer.tick(3)
        assert peer.heard() == [8000]

    on_a_secure_line(test)


def test_reports_are_secure_both_ways() -> None:
    async def test(peer: SecurePeer) -> None:
        await peer.say(8000, 400)
        assert len(peer.line.control) >= 1
        assert {packet[1] for packet in peer.line.control} == {200}
        control = (PEER[0], PEER[1] + 1)
        plane, call = peer.line.plane, peer.line.call
        plane.deliver(call, peer.line.control[0], control, control=True)
        await peer.tick()
        assert peer.unauthentic == 1
        plane.deliver(call, peer.outgoing.protect_control(peer.line.control[0]), control, control=True)
        await peer.tick()
        assert peer.unauthentic == 1

    on_a_secure_line(test)


# -- re-INVITE --------------------------------------------------------------------------------------------------------------


def test_the_same_keys_again_keep_the_counters_over_a_wrap() -> None:
    async def test(peer: SecurePeer) -> None:
        for number, index in enumerate((65500, 65534, 65535, 65536, 65537)):
            if number == 4:
                await secure(peer.line, KEYS)
            packet = bytes(RtpPacket(0, index & 0xFFFF, index * 160, 5, bytes(160)))
            peer.line.plane.deliver(peer.line.call, peer.outgoing.protect(packet), PEER)
            await peer.tick()
        assert peer.unauthentic == 0
        assert len(await peer.tick(3)) == 3

    on_a_secure_line(test)


def test_a_new_key_of_the_peer_while_its_old_packets_still_come() -> None:
    async def test(peer: SecurePeer) -> None:
        await peer.say(8000, 5)
        await secure(peer.line, SrtpKeys(SUITE, OURS, NEW))
        await peer.say(8000, 3)
        old, peer.outgoing = peer.outgoing, Outgoing(SUITE, NEW)
        await peer.say(16000, 5)
        assert peer.unauthentic == 0
        peer.line.plane.deliver(peer.line.call, old.protect(bytes(peer.line.packet(4000))), PEER)
        assert len(await peer.tick(4)) == 4
        assert (peer.unauthentic, peer.heard()) == (1, [8000, 16000])

    on_a_secure_line(test)


def test_another_key_of_ours_begins_at_zero() -> None:
    """It is for another peer (Replaces), who cannot know how often the sequence of the call has wrapped."""

    async def test(peer: SecurePeer) -> None:
        for sequence in (0x7FFF, 0xFFF0):
            peer.line.plane.engine._mouth.sender._sequence[peer.line.call.row] = sequence
            assert len(await peer.tick(20)) == 20
        other = SrtpKeys(SUITE, UNKNOWN, NEW)
        await secure(peer.line, other)
        peer.key(other)
        sent = await peer.tick(5)
        assert [packet.sequence < 50 for packet, _ in sent] == [True] * 5

    on_a_secure_line(test)


def test_another_source_of_the_peer() -> None:
    """The PBX put somebody else on the line: another SSRC with the same key, and ours stays."""

    async def test(peer: SecurePeer) -> None:
        await peer.say(8000, 5)
        before = {packet.ssrc for packet, _ in await peer.tick(2)}
        for number in range(8):
            peer.deliver(
                RtpPacket(
                    0, 100 + number, 160 * number, 4711, encode(np.full(160, 16000, np.int16), Codec.PCMU).tobytes()
                )
            )
            await peer.tick()
        assert {packet.ssrc for packet, _ in await peer.tick(2)} == before
        assert (peer.unauthentic, peer.heard()) == (0, [8000, 16000])

    on_a_secure_line(test)


def test_a_call_may_become_secure_and_plain_again() -> None:
    async def test(peer: SecurePeer) -> None:
        await secure(peer.line, None)
        await peer.line.say(8000, 5)
        assert peer.line.sent[-1].payload_type == 0
        await secure(peer.line, SrtpKeys(SUITE, NEW, UNKNOWN))
        peer.key(SrtpKeys(SUITE, NEW, UNKNOWN))
        await peer.say(16000, 5)
        assert len(await peer.tick(3)) == 3
        assert (peer.unauthentic, peer.heard()) == (0, [8000, 16000])

    on_a_secure_line(test)


# -- secrets ----------------------------------------------------------------------------------------------------------------


def test_the_ring_of_commands_keeps_no_key() -> None:
    async def test(peer: SecurePeer) -> None:
        left = peer.line.plane.link.rings.commands._records
        assert left.dtype == COMMAND
        assert OURS not in left.tobytes()
        assert not left["local_key"].tobytes().strip(b"\0")

    on_a_secure_line(test)


def test_plain_calls_are_plain_beside_secure_ones() -> None:
    async def test() -> None:
        async with open_line() as line:
            other = await line.plane.during(line.plane.open("secure", None))
            await line.plane.during(other.connect(RtpRemote("192.0.2.2", 5000), FORMAT, srtp=KEYS))
            line.plane.take_sent()
            line.deliver(line.packet(8000))
            await line.plane.tick()
            sent = {packet.port: packet.data for packet in line.plane.take_sent()}
            assert len(sent[line.call.port]) == 172
            assert RtpPacket.parse(Incoming(SUITE, OURS).unprotect(sent[other.port])).payload_type == 0
            with pytest.raises(SrtpError):
                Incoming(SUITE, OURS).unprotect(sent[line.call.port])
            await line.plane.during(other.close())
            line.plane.take_sent()

    asyncio.run(test())
