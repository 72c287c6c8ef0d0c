"""From the socket to the 503: an endpoint that is slower than what comes refuses new calls, and takes them again when it has caught up."""

from __future__ import annotations

import asyncio
import socket
import time

import structlog

from sipserver.legs import Leg, Source
from sipserver.locate import Target
from sipserver.message import Response, parse
from sipserver.useragent import SipEndpoint
from tests.sipserver.transcripts import OFFER, Everybody

SLOW = 0.02
"""Seconds that each message takes that is read."""
CALLS = 60


class Trusting(Everybody):
    """A guard whose peers are trunks."""

    def trusts(self, source: Source) -> bool:
        return True


class SlowWire:
    """Holds the loop up, as work on a call does."""

    def __init__(self) -> None:
        self.read = 0

    def received(self, data: bytes, source: Source) -> bool:
        self.read += 1
        until = time.monotonic() + SLOW
        while time.monotonic() < until:
            pass
        return True

    def sent(self, data: bytes, target: Target) -> None:
        """Costs nothing."""


def invite(number: int) -> bytes:
    return (
        f"INVITE sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{number};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:a@127.0.0.1>;tag={number}\r\nTo: <sip:us@127.0.0.1>\r\nCall-ID: {number}\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:a@127.0.0.1>\r\nContent-Type: application/sdp\r\nContent-Length: {len(OFFER)}\r\n\r\n"
    ).encode() + OFFER


async def first_answers(peer: socket.socket, calls: set[int]) -> dict[int, int]:
    """The first status that each of these calls gets."""
    loop, found = asyncio.get_running_loop(), dict[int, int]()
    async with asyncio.timeout(20):
        while set(found) != calls:
            message = parse(await loop.sock_recv(peer, 65_535))
            if isinstance(message, Response):
                found.setdefault(int(message.call_id), message.status)
    return found


def test_what_comes_faster_than_it_can_be_taken_is_refused_until_it_is_caught_up_with() -> None:
    async def main() -> None:
        async def rings(leg: Leg) -> None:
            leg.ring()

        wire = SlowWire()
        endpoint = SipEndpoint("127.0.0.1", 0, transports=("udp",), guard=Trusting(), wire=wire)
        await endpoint.start(rings)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, structlog.testing.capture_logs() as logs:
            peer.bind(("127.0.0.1", 0))
            peer.setblocking(False)
            for number in range(CALLS):
                peer.sendto(invite(number), ("127.0.0.1", endpoint.port))
            answers = await first_answers(peer, set(range(CALLS)))
            refused = [number for number, status in answers.items() if status == 503]
            assert 0 not in refused
            assert refused[-1] == CALLS - 1
            assert endpoint.counters["overload"] == len(refused) == CALLS - wire.read
            assert [line["event"] for line in logs].count("sip_overload") == 1
            peer.sendto(invite(CALLS), ("127.0.0.1", endpoint.port))
            assert (await first_answers(peer, {CALLS}))[CALLS] < 200
        await endpoint.stop()

    asyncio.run(main())
