"""Work for as long as the node lives does not end unnoticed."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from sipserver.background import Background


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _breaks() -> None:
    raise ValueError("a defect")


async def _returns() -> None:
    return


def test_what_ends_by_itself_is_told() -> None:
    async def run() -> None:
        background = Background()
        background.start(_for_ever(), "The good one")
        with capture_logs() as logs:
            background.start(_breaks(), "The worker")
            background.start(_returns(), "The look-up")
            for _ in range(3):
                await asyncio.sleep(0)
        assert background.ended == ["The worker has stopped.", "The look-up has stopped."]
        assert [(entry["task"], repr(entry["exc_info"])) for entry in logs] == [
            ("The worker", "ValueError('a defect')"),
            ("The look-up", "None"),
        ]
        await background.stop()
        assert len(background.ended) == 2

    asyncio.run(run())


def test_the_last_one_is_stopped_first() -> None:
    order: list[str] = []

    async def noted(name: str) -> None:
        try:
            await _for_ever()
        finally:
            order.append(name)

    async def run() -> None:
        background = Background()
        for name in ("a", "b"):
            background.start(noted(name), name)
        await asyncio.sleep(0)
        await background.stop()
        assert (order, background.ended) == (["b", "a"], [])

    asyncio.run(run())
