"""Binding says which address it was that could not be had."""

from __future__ import annotations

import socket

import pytest

from sipserver.transport.bind import bind


@pytest.mark.parametrize(("kind", "name"), [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
def test_a_port_in_use_is_named(kind: socket.SocketKind, name: str) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port} \({name}\): Address already in use"):
            bind("127.0.0.1", port, ("udp", "tcp"))


def test_a_free_port_is_one_for_both() -> None:
    bound = bind("127.0.0.1", 0, ("udp", "tcp"))
    assert bound.udp is not None
    assert bound.tcp is not None
    with bound.udp, bound.tcp:
        assert bound.udp.getsockname()[1] == bound.tcp.getsockname()[1] == bound.port
