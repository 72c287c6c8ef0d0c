"""Calls over trunks that lead nowhere end in bounded time, each with the reason that the contract has for it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from sipserver.demo.node import free_port
from tests.acceptance.house import House

UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM


@contextmanager
def _black_hole(kind: socket.SocketKind) -> Iterator[int]:
    """The port of a peer that takes whatever comes and never answers."""
    with socket.socket(socket.AF_INET, kind) as hole:
        hole.bind(("127.0.0.1", 0))
        if kind is TCP:
            hole.listen(5)
        yield hole.getsockname()[1]


def test_every_trunk_that_leads_nowhere_fails_its_call_in_time(runner: asyncio.Runner, shared: House) -> None:
    down, silent = ("failed", "trunk_unavailable"), ("no_answer", "no_answer")
    with _black_hole(UDP) as udp_hole, _black_hole(TCP) as tcp_hole:
        trunks: list[tuple[Mapping[str, Any], tuple[str, str]]] = [
            ({"sipPort": free_port()}, down),
            ({"sipPort": free_port(), "sipProtocol": "tcp"}, down),
            ({"sipIp": "nobody.invalid"}, down),
            ({"sipPort": udp_hole}, silent),
            ({"sipPort": tcp_hole, "sipProtocol": "tcp"}, silent),
        ]

        async def test() -> None:
            async with asyncio.timeout(20):
                await asyncio.gather(*(_fails(shared, n, *case) for n, case in enumerate(trunks)))

        runner.run(test())


async def _fails(home: House, number: int, trunk: Mapping[str, Any], expected: tuple[str, str]) -> None:
    ids = await home.agent(f"+1202555014{number}", trunk=trunk)
    call = await home.over(await home.place(ids, f"+1202555016{number}", ringTimeoutSeconds=5), 15)
    assert (call["status"], call["endedReason"]) == expected, trunk
    assert (call["startedAt"], call["durationSeconds"], call["transcript"]) == (None, 0, []), trunk
    if expected[1] == "trunk_unavailable":
        assert call["sip"] is not None
        assert call["sip"]["code"] == 503, trunk


def test_a_trunk_without_a_machine_is_refused_before_anything_is_dialled(runner: asyncio.Runner, shared: House) -> None:
    async def test() -> None:
        ids = await shared.agent("+12025550149", trunk={"sipIp": "127.0.0.0/30"})
        with pytest.raises(Exception, match=r"409.*no machine to send a call to"):
            await shared.place(ids, "+12025550169")

    runner.run(test())
