"""SIGTERM lets calls run to their end and takes no new ones; a second one ends them. Either way nothing is left behind."""

from __future__ import annotations

import asyncio
import signal
import wave
from pathlib import Path

from tests.acceptance.house import CALLER, NUMBER, House, house, query, sent, speaks_for, until
from tests.acceptance.test_node_killed import alive
from tests.acceptance.wire import refusal


def test_a_signal_drains_and_a_second_one_ends_the_calls(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as home:
            ids = await home.agent()
            await _drains(home, ids)
            await home.node.start()
            await _is_ended(home)
            assert "Traceback" not in home.log()

    runner.run(test())


async def _drains(home: House, ids: tuple[str, str]) -> None:
    """The call ends when its parties end it; the server then."""
    call = await home.ring()
    await call.line.agent_ends(20)
    children = home.node.children()
    assert home.node.http is not None
    home.node.signal(signal.SIGTERM)
    await until(lambda: _readyz(home), "the server says that it takes no calls")
    answer = await refusal(home.node.sip, NUMBER)
    assert answer.status == 503
    assert int(str(answer.headers.get("Retry-After"))) > 0
    placed = await home.node.http.post(
        "/v1/calls", json={"agentId": ids[0], "phoneNumberId": ids[1], "to": "+12025550191"}
    )
    assert (placed.status_code, placed.headers["retry-after"]) == (503, "10")
    assert not call.ended.is_set()
    await call.line.press("2")
    assert await call.until_ended(20) == "bye"
    await _gone(home, children)
    assert _row(home) == ("completed", "agent_ended")


async def _is_ended(home: House) -> None:
    """The second signal ends the call with BYE."""
    call = await home.ring()
    await call.line.agent_ends(20)
    await call.line.press("1")
    await speaks_for(call, 1.5)
    children = home.node.children()
    home.node.signal(signal.SIGTERM)
    await until(lambda: _readyz(home), "the server says that it takes no calls")
    assert not call.ended.is_set()
    home.node.signal(signal.SIGTERM)
    assert await call.until_ended(10) == "bye"
    await _gone(home, children)
    assert _row(home) == ("completed", "node_lost")
    assert abs(_recorded(home) - sent(call)) < 0.5
    said = query(home.node.folder, "SELECT role, content FROM utterances ORDER BY id")
    assert said[-1][0] == "assistant"
    assert said[-1][1]


async def _gone(home: House, children: dict[int, str]) -> None:
    """The server has ended well, and so has everything that it had started."""
    async with asyncio.timeout(20):
        assert await home.node.wait() == 0
    assert len(children) == 3
    assert not [command for pid, command in children.items() if alive(pid)]


async def _readyz(home: House) -> bool:
    assert home.node.http is not None
    answer = await home.node.http.get("/readyz")
    return answer.status_code == 503 and answer.json()["reasons"] == ["The node is going down."]


def _row(home: House) -> tuple[str, str]:
    rows = query(
        home.node.folder, "SELECT status, ended_reason FROM calls WHERE customer_number = ? ORDER BY created_at", CALLER
    )
    return rows[-1][0], rows[-1][1]


def _recorded(home: House) -> float:
    """Seconds of the newest recording, as it lies in the folder."""
    newest = max((home.node.folder / "recordings").glob("*.wav"), key=lambda file: file.stat().st_mtime_ns)
    with wave.open(str(newest)) as file:
        return file.getnframes() / 8000
