"""A child process of the server is killed in the middle of a call: the call ends properly or goes on, and the next one is answered."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from sipserver.demo.scenario import Voice
from tests.acceptance.house import LONG, House, recording, said, sent, speaks_for, until

CALLER = "+12025550124"


def test_a_killed_media_process_ends_its_calls_and_takes_the_next(runner: asyncio.Runner, shared: House) -> None:
    async def test() -> None:
        await shared.agent("+12025550120")
        call = await shared.ring_until_answered("+12025550120", CALLER)
        await call.line.agent_ends(20)
        await call.line.press("1")
        await speaks_for(call, 2.0)
        _kill(shared, "media.process")
        assert await call.until_ended(5) == "bye"
        await call.close()
        found = await shared.recorded(await shared.newest(CALLER))
        assert (found["status"], found["endedReason"]) == ("completed", "error")
        assert [(problem["part"], problem["message"]) for problem in found["problems"]] == [
            ("media", "The media process was ended by SIGKILL.")
        ]
        assert said(found, "user") == ["[key 1]"]
        assert found["transcript"][-1]["role"] == "assistant"
        assert found["transcript"][-1]["interrupted"]
        sound = await recording(found)
        assert abs(sound.seconds - sent(call)) < 0.3
        await shared.good_call("+12025550120", CALLER)

    runner.run(test())


def test_a_killed_recogniser_costs_an_utterance_and_no_call(runner: asyncio.Runner, shared: House) -> None:
    async def test() -> None:
        ids = await shared.agent("+12025550121")
        async with Voice() as say:
            sentence = await say("I would like to move my appointment.")
        call = await shared.ring_until_answered("+12025550121", CALLER)
        await call.line.agent_ends(20)
        speaking = asyncio.create_task(call.line.say(sentence))
        await asyncio.sleep(len(sentence) / 8000 / 2)
        _kill(shared, "--role stt")
        lost = await speaking
        await call.line.agent_begins_after(lost.end, 20)
        await call.line.agent_ends(20)
        again = await call.line.say(sentence)
        await call.line.agent_begins_after(again.end, 20)
        await call.line.press("2")
        assert await call.until_ended(20) == "bye"
        await call.close()
        found = await shared.over(await shared.newest(CALLER))
        assert {problem["part"] for problem in found["problems"]} == {"stt"}
        assert (found["status"], found["endedReason"]) == ("completed", "agent_ended")
        assert "i would like to move my appointment" in said(found, "user")
        await until(lambda: _is_ready(shared, ids[0]), "a new worker has taken over")
        await shared.good_call("+12025550121", CALLER)

    runner.run(test())


def test_a_killed_voice_costs_no_call_without_a_word_about_it(runner: asyncio.Runner, shared: House) -> None:
    """What was synthesised is still said; what comes next is said by a new worker, or the call ends and says why in its problems."""

    async def test() -> None:
        ids = await shared.agent("+12025550122")
        call = await shared.ring_until_answered("+12025550122", CALLER)
        await call.line.agent_ends(20)
        await call.line.press("1")
        await speaks_for(call, 2.0)
        _kill(shared, "--role tts")
        await call.line.press("2")
        assert await call.until_ended(20) == "bye"
        found = await shared.over(await shared.newest(CALLER))
        assert LONG.startswith(said(found, "assistant")[1])
        assert found["status"] == "completed"
        if found["endedReason"] == "agent_ended":
            assert said(found, "assistant")[2] == "Goodbye."
        else:
            assert found["endedReason"] == "error"
            assert {problem["part"] for problem in found["problems"]} == {"tts"}
        await until(lambda: _is_ready(shared, ids[0]), "a new worker has taken over")
        await shared.good_call("+12025550122", CALLER)

    runner.run(test())


async def _is_ready(home: House, agent_id: str) -> bool:
    """An agent whose engine is just being started again takes messages instead of calls."""
    agent = await home.node.get(f"/v1/agents/{agent_id}")
    return bool(agent["readiness"]["ok"])


def _kill(home: House, command: str) -> None:
    pids = [pid for pid, line in home.node.children().items() if command in line]
    if not pids:
        pytest.fail(f"no child process runs {command}")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
