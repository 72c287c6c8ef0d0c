"""Packets that are looked at: each one's header is told, of the calls that were asked for, while they were."""

from __future__ import annotations

from itertools import pairwise

from media.frames import LINE_SAMPLES
from media.inprocess import InProcessPlane
from media.rings import RTP_SEENS, SharedRings
from media.rtp import RtpPacket
from media.seen import RtpSeen
from media.sockets.looked_at import LookedAt
from media.sockets.memory import MemorySockets
from media.sockets.ports import PortPairs
from tests.media.process.line import PEER, Line, on_a_line


def test_the_header_of_every_packet_is_told_and_nothing_of_what_is_said() -> None:
    async def test(line: Line) -> None:
        told: list[RtpSeen] = []
        await line.say(500, 3)
        line.call.look(told.append)
        await line.tick()
        sent = len(line.sent)
        await line.say(500, 5)
        line.call.look(None)
        await line.tick()
        more = len(line.sent)
        await line.say(500, 5)
        came = [seen for seen in told if not seen.sent]
        left = [seen for seen in told if seen.sent]
        assert len(came) == 5
        # What left in the tick before nobody looked any more is not told, for that is told with the tick after it.
        assert {(seen.host, seen.port, seen.length) for seen in told} == {
            (PEER[0].encode(), PEER[1], 12 + LINE_SAMPLES)
        }
        assert [seen.head for seen in left] == [bytes(packet)[:12] for packet in line.sent[sent - 1 : more - 2]]
        numbers = [RtpPacket.parse(seen.head).sequence for seen in came]
        assert numbers == [(numbers[0] + number) & 0xFFFF for number in range(5)]
        assert {after.at_us - before.at_us for before, after in pairwise(left)} == {20_000}

    on_a_line(test)


def test_the_next_call_on_the_row_is_not_looked_at() -> None:
    async def test(line: Line) -> None:
        told: list[RtpSeen] = []
        line.call.look(told.append)
        await line.say(500, 2)
        await line.plane.during(line.call.close())
        before = len(told)
        following = await line.plane.during(line.plane.open("next", None))
        line.plane.deliver(following, bytes(line.packet(500)), PEER)
        await line.tick(3)
        assert len(told) == before > 0

    on_a_line(test)


def test_what_the_ring_has_no_room_for_is_not_told_and_goes_its_way() -> None:
    rings = SharedRings.create(1)
    rings.close_fd()
    inner = MemorySockets(PortPairs(20000, 20099))
    sockets = LookedAt(inner, rings.seen, rings.row.generation, lambda: 7)
    port = sockets.open(0)
    sockets.look(0, on=True)
    packet = bytes(RtpPacket(0, 1, 2, 3, bytes(160)))
    for _ in range(RTP_SEENS + 5):
        sockets.send([0], [memoryview(packet)], [PEER])
    assert len(inner.take_sent()) == RTP_SEENS + 5
    assert len(rings.seen.drain()) == RTP_SEENS
    inner.deliver(port, packet[:5], PEER)
    assert len(sockets.receive().rows) == 1
    (short,) = rings.seen.drain()
    assert (short.sent, short.length, short.head, short.at_us) == (0, 5, packet[:5] + bytes(7), 7)


def test_nobody_looks_unless_asked() -> None:

    async def test(line: Line) -> None:
        assert isinstance(line.plane, InProcessPlane)
        await line.say(500, 5)
        assert not line.plane.link.rings.seen.waiting()

    on_a_line(test)
