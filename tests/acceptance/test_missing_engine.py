"""A server without a recogniser, or without a voice, says so wherever it is asked, and takes messages instead of calls."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sipserver.demo.phone import CallRefused
from tests.acceptance.house import CALLER, NUMBER, House, house, recording, said
from tests.acceptance.wire import refusal

DEAF, MUTE = "No speech recogniser is configured.", "No voice is configured."
SORRY = "I am sorry, I cannot help you right now. Please leave a message after the tone."
THANKS = "Thank you for your message. Goodbye."
PAIRS = 3


def test_without_a_recogniser_a_message_is_taken_and_without_ports_a_call_is_refused(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    """The server has RTP ports for three calls, and another program holds one of them."""

    async def test() -> None:
        with _rtp_ports() as ports:
            async with house(tmp_path, {"ANTIPHON__STT__WORKERS": "0"}, rtp_ports=ports) as home:
                ids = await home.agent(agentGreetingEnabled=True, agentGreeting="Good morning.")
                await _not_ready(home, ids, DEAF)
                spoken = await _message(home)
                assert spoken == [f"Good morning. {SORRY}", THANKS]
                await _ports_run_out(home)

    runner.run(test())


def test_without_a_voice_a_tone_asks_for_the_message(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path, {"ANTIPHON__TTS__WORKERS": "0"}) as home:
            ids = await home.agent(agentGreetingEnabled=True, agentGreeting="Good morning.")
            await _not_ready(home, ids, MUTE)
            assert await _message(home) == []
            call = await home.call(await home.newest())
            assert {problem["part"] for problem in call["problems"]} == {"tts"}

    runner.run(test())


async def _not_ready(home: House, ids: tuple[str, str], why: str) -> None:
    agent = await home.node.get(f"/v1/agents/{ids[0]}")
    assert agent["readiness"] == {"ok": False, "problems": [why]}
    with pytest.raises(Exception, match=f"409.*The agent is not ready: {why}"):
        await home.place(ids, "+12025550190")
    assert await home.node.get("/v1/calls") == []
    assert home.invited == {}


async def _message(home: House) -> list[str]:
    """Ring, leave a message, and be thanked. Returns what the agent said; what the caller said is in the recording."""
    call = await home.ring()
    await call.line.agent_ends(20)
    await call.line.say((8000 * np.sin(np.arange(12000) * 0.3)).astype(np.int16))
    await call.line.press("1")
    assert await call.until_ended(20) == "bye"
    found = await home.recorded(await home.newest())
    assert (found["status"], found["endedReason"]) == ("completed", "agent_ended")
    heard = np.frombuffer((await recording(found)).frames, "<i2").reshape(-1, 2)[:, 0].astype(float)
    assert np.sum(np.abs(heard) > 3000) > 0.5 * 12000
    return list(said(found, "assistant"))


async def _ports_run_out(home: House) -> None:
    held = [await home.ring(caller=f"+1202555019{n}") for n in range(PAIRS - 1)]
    answer = await refusal(home.node.sip, NUMBER)
    assert answer.status == 503
    assert int(str(answer.headers.get("Retry-After"))) > 0
    with pytest.raises(CallRefused, match="503"):
        await home.ring()
    await held[0].close()
    (await home.ring_until_answered(caller=CALLER)).leg.hang_up()
    assert "Traceback" not in home.log()


@contextmanager
def _rtp_ports() -> Iterator[str]:
    """A range of free ports for `PAIRS` calls, in the midst of which one is taken."""
    for first in range(31000, 32000, 2 * PAIRS):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            if all(_is_free(port) for port in range(first, first + 2 * PAIRS)):
                taken.bind(("127.0.0.1", first + 2))
                yield f"{first}-{first + 2 * PAIRS - 1}"
                return
    pytest.fail("there are no free ports")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_the_doctor_names_what_is_switched_off(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def test() -> None:
        off = {"ANTIPHON__STT__WORKERS": "0", "ANTIPHON__TTS__WORKERS": "0", "COLUMNS": "200"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sipserver", "doctor", "--data-dir", str(tmp_path),
            stdout=asyncio.subprocess.PIPE, env={**os.environ, **off},
        )  # fmt: skip
        out, _ = await process.communicate()
        lines = [line for line in out.decode().splitlines() if "switched off" in line]
        assert ["recogniser" in lines[0], "voice" in lines[1]] == [True, True]

    runner.run(test())
