"""UDP: the drain loop, and what the network says of targets that are not there."""

from __future__ import annotations

import asyncio
import socket

from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.transport.udp import UdpTransport
from tests.sipserver.waiting import until


def bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def test_every_datagram_comes_in_its_order_with_its_source() -> None:
    async def main() -> None:
        came: list[tuple[bytes, Source]] = []
        sock, peer = bound(), bound()
        transport = UdpTransport(
            asyncio.get_running_loop(), sock, lambda data, source: came.append((data, source)), lambda target: None
        )
        for number in range(600):
            peer.sendto(b"%d" % number, sock.getsockname())
        await until(lambda: len(came) == 600)
        assert [data for data, _ in came] == [b"%d" % number for number in range(600)]
        assert came[0][1] == Source("udp", "127.0.0.1", peer.getsockname()[1])
        transport.close()
        peer.close()

    asyncio.run(main())


def test_a_closed_port_is_told_and_does_not_disturb_the_others() -> None:
    async def main() -> None:
        gone: list[Target] = []
        sock, peer, closed = bound(), bound(), bound()
        nobody = Target("udp", "127.0.0.1", closed.getsockname()[1])
        closed.close()
        transport = UdpTransport(asyncio.get_running_loop(), sock, lambda data, source: None, gone.append)
        peer.settimeout(5)
        for _ in range(3):
            transport.send(b"anybody?", nobody)
            transport.send(b"hello", Target("udp", *peer.getsockname()))
        assert [peer.recv(100) for _ in range(3)] == [b"hello"] * 3
        await until(lambda: len(gone) == 3)
        assert set(gone) == {nobody}
        transport.close()
        peer.close()

    asyncio.run(main())
