"""Ports for real peers, outside the server's RTP range and outside the range that the kernel gives to others."""

from __future__ import annotations

import random
import socket

FIRST, LAST = 10_000, 19_990


def free_block(length: int, host: str = "127.0.0.1") -> int:
    """The first of `length` neighbouring ports that are free for UDP and TCP now; it is even, as RTP's are (RFC 3550 section 11)."""
    while True:
        first = random.randrange(FIRST, LAST - length, 2)
        if all(_is_free(host, port) for port in range(first, first + length)):
            return first


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_STREAM) as tcp:
        try:
            udp.bind((host, port))
            tcp.bind((host, port))
        except OSError:
            return False
    return True
