"""The jumping clock itself."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.virtual_time import DeadEnd, microseconds, now, run


def test_an_hour_takes_no_time_and_timers_fire_in_order() -> None:
    fired: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        fired.append((name, now()))

    async def main() -> int:
        await asyncio.gather(sleeper("late", 3600), sleeper("early", 0.02), sleeper("same", 0.02))
        return microseconds()

    began = time.monotonic()
    assert run(main()) == 3_600_000_000
    assert time.monotonic() - began < 5
    assert fired == [("early", 0.02), ("same", 0.02), ("late", 3600.0)]


def test_a_test_that_would_wait_for_ever_fails() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadEnd):
        run(main())


def test_sockets_work() -> None:
    async def main() -> bytes:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            read = await reader.read()
            writer.close()
            await writer.wait_closed()
            return read

    assert run(main()) == b""
