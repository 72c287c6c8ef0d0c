"""What is a burst, and what is more than can be taken."""

from __future__ import annotations

import asyncio
import socket
import time

from sipserver.transport.lateness import INTERVAL, TARGET, Lateness
from sipserver.transport.udp import UdpTransport


def late_at(*datagrams: tuple[float, float]) -> list[float]:
    """(when it is taken, how long it waited): the times of those that are late."""
    lateness, found = Lateness(), []
    for now, waited in datagrams:
        lateness.took(waited, now)
        if lateness.is_late:
            found.append(now)
    return found


def test_a_burst_that_is_worked_off_in_time_is_not_late() -> None:
    """A hundred calls at once, 2.5 ms each: the last has waited a quarter of a second, but none for longer than the interval."""
    assert late_at(*((number * 0.0025, number * 0.0025) for number in range(100))) == []


def test_what_waits_long_without_exception_is_late() -> None:
    """Twice as much comes as can be taken."""
    late = late_at(*((at / 100, at / 200) for at in range(200)))
    assert late[0] > 2 * TARGET + INTERVAL
    assert late[0] < 2 * TARGET + INTERVAL + 0.03
    assert late == [at / 100 for at in range(200) if at / 100 >= late[0]]


def test_one_that_came_in_time_ends_it() -> None:
    assert late_at((0, 0.5), (0.5, 0.5), (0.6, TARGET), (0.7, 0.5), (0.8, 0.5), (1.0, 0.5)) == [0.5, 1.0]


def test_nothing_left_ends_it() -> None:
    lateness = Lateness()
    lateness.took(1, 0)
    lateness.took(1, 1)
    assert lateness.is_late
    lateness.drained()
    assert not lateness.is_late


def test_a_loop_that_stood_still_is_not_an_overload() -> None:
    """Two seconds, and then all that came meanwhile is taken within the interval."""
    assert late_at(*((2 + number / 1000, 2 - number / 100) for number in range(190))) == []


def test_the_kernel_tells_how_long_a_datagram_waited() -> None:
    """A loop whose clock and ours are the machine's: what was sent before it ran has waited since then."""

    async def main() -> None:
        loop, taken = asyncio.get_running_loop(), asyncio.Event()
        ours, theirs = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        with ours, theirs:
            ours.bind(("127.0.0.1", 0))
            transport = UdpTransport(loop, ours, lambda data, source: taken.set(), lambda target: None)
            theirs.sendto(b"INVITE", ours.getsockname())
            until = time.monotonic() + TARGET + 0.05
            while time.monotonic() < until:
                pass  # The loop stands still, as under a long piece of work.
            seen: list[float] = []
            transport._lateness.took = lambda waited, now: seen.append(waited)  # type: ignore[method-assign]
            await asyncio.wait_for(taken.wait(), 5)
            assert TARGET < seen[0] < 60
            transport.close()

    asyncio.run(main())
