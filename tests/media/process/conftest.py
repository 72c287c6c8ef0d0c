"""Helpers of the media process's tests."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture
def port_range() -> tuple[int, int]:
    """The first and last of twenty UDP ports that were free just now, below the range that the kernel hands out."""
    for first in range(21000, 31000, 20):
        if all(_is_free(port) for port in range(first, first + 20)):
            return first, first + 19
    pytest.fail("There are no twenty free UDP ports in a row.")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
