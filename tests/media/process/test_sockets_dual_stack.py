"""Sockets bound to `::`: RTP of both families on one pair of ports."""

from __future__ import annotations

import asyncio
import socket

import numpy as np
import pytest

from media.peer_host import numeric
from media.sockets import source_key
from media.sockets.choice import BACKENDS
from tests.media.process.backends import backend as backend_of


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_packets_of_both_families_go_both_ways(
    port_range: tuple[int, int], family: int, host: str, backend: str
) -> None:
    sockets = backend_of(backend, "::", port_range)
    try:
        port = sockets.open(0)
        with socket.socket(family, socket.SOCK_DGRAM) as peer:
            peer.settimeout(5)
            peer.bind((host, 0))
            peer.sendto(b"heard", (host, port))
            received = sockets.receive()
            # What the description says of the peer, and what its packets show, is the same address to us.
            described = asyncio.run(numeric(host, "::"))
            assert [bytes(data[:5]) for data in received.data] == [b"heard"]
            assert list(received.addresses) == [(described, peer.getsockname()[1])]
            assert received.sources.tolist() == [source_key((described, peer.getsockname()[1]))]
            sockets.send([0], [memoryview(b"said")], received.addresses)
            assert peer.recv(100) == b"said"
            sockets.aim(0, received.addresses[0])
            sockets.send_rows(np.array([0]), np.full((1, 20), 7, np.uint8))
            assert peer.recv(100) == bytes([7] * 20)
    finally:
        sockets.shut()


def test_what_a_description_says_of_a_peer() -> None:
    async def all_of(*pairs: tuple[str, str]) -> list[str]:
        return [await numeric(host, ours) for host, ours in pairs]

    found = asyncio.run(
        all_of(
            ("192.0.2.1", "::"), ("2001:db8::1", "::"), ("0.0.0.0", "::"), ("::", "::"),
            ("192.0.2.1", "2001:db8::5"), ("2001:db8::1", "192.0.2.5"), ("192.0.2.1", "0.0.0.0"), ("nobody.invalid", "::"),
        )
    )  # fmt: skip
    assert found == ["::ffff:192.0.2.1", "2001:db8::1", "", "", "", "", "192.0.2.1", ""]
