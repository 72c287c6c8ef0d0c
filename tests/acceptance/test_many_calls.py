"""As many calls at once as the node takes, and some more: each is answered, recorded and kept, or refused at once."""

from __future__ import annotations

import asyncio

from sipserver.demo.phone import CallRefused, PhoneCall
from tests.acceptance.conftest import MAX_CALLS
from tests.acceptance.house import HELLO, House, recording, sent, until

TOO_MANY = 5
NUMBER = "+12025550130"


def test_a_full_node_keeps_its_calls_and_refuses_more(runner: asyncio.Runner, shared: House) -> None:
    async def test() -> None:
        await shared.agent(NUMBER)
        callers = [f"+1202555{number:04}" for number in range(200, 200 + MAX_CALLS + TOO_MANY)]
        rung = [result for few in _in_fives(callers) for result in await _rung(shared, few)]
        answered = [call for call in rung if isinstance(call, PhoneCall)]
        refused = [str(refusal) for refusal in rung if isinstance(refusal, CallRefused)]
        assert (len(answered), refused) == (MAX_CALLS, ["503 Service Unavailable"] * TOO_MANY)
        full = await _readyz(shared)
        assert full == (503, ["Every channel is taken."])
        await asyncio.gather(*(_talk(call) for call in answered))
        await until(lambda: _is_ready(shared), "calls are taken again", 5)
        for caller, call in zip(callers, rung, strict=True):
            if isinstance(call, PhoneCall):
                await _was_kept(shared, caller, call)
            else:
                assert await shared.node.get(f"/v1/calls?customerNumber=%2B{caller[1:]}") == []

    runner.run(test())


def _in_fives(callers: list[str]) -> list[list[str]]:
    """A node that is behind with its datagrams refuses calls too: that is another promise, and another test."""
    return [callers[first : first + 5] for first in range(0, len(callers), 5)]


async def _rung(home: House, callers: list[str]) -> list[PhoneCall | BaseException]:
    return await asyncio.gather(*(home.ring(NUMBER, caller) for caller in callers), return_exceptions=True)


async def _talk(call: PhoneCall) -> None:
    await call.line.agent_ends(30)
    await call.line.press("2")
    assert await call.until_ended(30) == "bye"


async def _was_kept(home: House, caller: str, call: PhoneCall) -> None:
    found = await home.recorded(await home.newest(caller))
    assert (found["status"], found["endedReason"], found["problems"]) == ("completed", "agent_ended", [])
    first, *rest = [item["content"] for item in found["transcript"]]
    # On a machine that does much else the key may come before the last word.
    assert HELLO.startswith(first.rstrip())
    assert rest == ["[key 2]", "Goodbye."]
    sound = await recording(found)
    assert abs(sound.seconds - sent(call)) < 0.5
    assert call.line.received.sequence_gaps == 0


async def _readyz(home: House) -> tuple[int, list[str]]:
    assert home.node.http is not None
    answer = await home.node.http.get("/readyz")
    return answer.status_code, answer.json()["reasons"]


async def _is_ready(home: House) -> bool:
    return (await _readyz(home))[0] == 200
