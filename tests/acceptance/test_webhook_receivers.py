"""Receivers of webhooks that are down, slow, redirecting or gone: each delivery comes as it should, word for word, under one id."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.responses import Response

from sipserver.demo.node import free_port
from sipserver.demo.receiver import Received, Receiver
from tests.acceptance.house import SECRET, House, query, until

NUMBERS = {name: f"+1202555017{digit}" for digit, name in enumerate(("down", "slow", "moved", "gone"))}


def test_receivers_that_fail_get_their_webhook_again(runner: asyncio.Runner, shared: House) -> None:
    """The shared server gives a receiver one second to answer; the second attempt follows after five."""

    async def test() -> None:
        async with AsyncExitStack() as stack:
            receivers = {name: await stack.enter_async_context(Receiver(SECRET)) for name in ("slow", "moved", "gone")}
            elsewhere = await stack.enter_async_context(Receiver(SECRET))
            receivers["slow"].answers.append(None)
            receivers["moved"].answers.append(Response(status_code=307, headers={"location": elsewhere.url}))
            receivers["gone"].answers.append(Response(status_code=410))
            port = free_port()
            urls = {name: receiver.url for name, receiver in receivers.items()}
            urls["down"] = f"http://127.0.0.1:{port}/hook"
            await asyncio.gather(*(shared.agent(number, urls[name]) for name, number in NUMBERS.items()))
            calls = dict(
                zip(NUMBERS, await asyncio.gather(*map(shared.good_call, NUMBERS.values(), CALLERS)), strict=True)
            )

            attempt = await until(lambda: _attempted(shared, calls["down"]), "the receiver that is down is tried")
            assert attempt[:2] == ("pending", None)
            assert "ConnectError" in attempt[2]
            up = await stack.enter_async_context(Receiver(SECRET, port))
            deliveries = {"down": [await up.next(10)]}
            for name in ("slow", "moved"):
                deliveries[name] = [await receivers[name].next(10), await receivers[name].next(10)]
            deliveries["gone"] = [await receivers["gone"].next(10)]

            for name, received in deliveries.items():
                await _delivered(shared, calls[name], received, gone=name == "gone")
            for nobody in (elsewhere, receivers["gone"]):
                with pytest.raises(TimeoutError):
                    await nobody.next(0)

    runner.run(test())


CALLERS = [f"+1202555018{digit}" for digit in range(len(NUMBERS))]


async def _delivered(home: House, call: dict[str, Any], received: list[Received], *, gone: bool) -> None:
    """One id and one text, signed each time; and the books say what came of it."""
    assert {(hook.webhook_id, hook.body, hook.verified) for hook in received} == {
        (received[0].webhook_id, received[0].body, True)
    }
    assert received[0].payload["callId"] == call["id"]
    state, status = ("failed", 410) if gone else ("delivered", 204)
    attempts = 1 if gone else 2
    row = await until(lambda: _attempted(home, call, attempts), "the attempt is written down")
    assert row == (state, status, None)
    jobs = "SELECT state FROM jobs WHERE kind = 'webhook' AND payload LIKE ?"
    assert query(home.node.folder, jobs, f"%{received[0].webhook_id}%") == [("dead" if gone else "done",)]


def _attempted(home: House, call: dict[str, Any], attempts: int = 1) -> tuple[Any, ...] | None:
    rows = query(
        home.node.folder,
        "SELECT state, last_status, last_error FROM webhook_deliveries WHERE call_id = ? AND attempts = ?",
        call["id"],
        attempts,
    )
    return rows[0] if rows else None
