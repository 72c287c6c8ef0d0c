"""baresip as the other side: it echoes whatever it hears, or it says one thing and hangs up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sipserver.packaged import agent
from tests.peers import scripts
from tests.peers.baresip import ECHO, Baresip, needs_baresip
from tests.peers.speech import spoken, timeline, write_wav
from tests.peers.switchboard import CALLER, Switchboard, captured, said

pytestmark = [pytest.mark.peer, needs_baresip]
WISH = "I would like to move my appointment."
LONGEST = 35
"""Seconds. The reminder's sentences, said once each and asked again as often as its script allows, take half of that."""


def trunk(peer: Baresip) -> dict[str, Any]:
    return {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "sipPort": peer.port}


def test_an_agent_that_hears_its_own_echo_comes_to_an_end(switchboard: Switchboard, tmp_path: Path) -> None:
    """The shipped reminder, with all of its phrases, rings a loop: it says its sentences, understands nothing, and says goodbye."""
    reminder = agent("appointment_reminder")
    settings = {name: reminder[name] for name in ("agentGreeting", "agentGreetingEnabled")}
    variables = {"practice": "the clinic", "day": "Monday", "time": "ten o'clock"}

    async def ring() -> dict[str, Any]:
        async with Baresip(tmp_path, CALLER, ECHO) as peer:
            silence = {"promptAfterMs": 3000, "prompts": [], "endAfter": 2}
            line = await switchboard.line(reminder["script"], trunk(peer), silence=silence, **settings)
            call = await switchboard.analysed(await switchboard.dial(line, contextVariables=variables))
        assert any("terminated" in told for told in peer.log)
        return call

    call = switchboard.run(ring())
    assert (call["status"], call["direction"]) == ("completed", "outbound")
    assert call["endedReason"] in {"agent_ended", "silence_timeout"}
    assert call["durationSeconds"] < LONGEST
    assert captured(call) == {}
    assert 1 <= len(said(call, "assistant")) <= 6
    assert said(call, "assistant")[0].startswith("Hello, this is the assistant of the clinic.")
    assert call["quality"]["lossPercent"] == 0


async def spoken_file(folder: Path) -> str:
    (wish,) = await spoken(WISH)
    return write_wav(folder / "wish.wav", timeline([2.5, wish, 4.0]))


def understood(call: dict[str, Any], direction: str) -> None:
    """The wish was heard, answered, and then baresip's file was at its end."""
    assert (call["status"], call["endedReason"]) == ("completed", "customer_ended")
    assert (call["direction"], call["customerNumber"]) == (direction, CALLER)
    assert captured(call) == {"wish": "move"}
    assert [(item["role"], item["content"]) for item in call["transcript"]] == [
        ("assistant", "How can I help you?"),
        ("user", "i would like to move my appointment"),
        ("assistant", "Which day?"),
    ]


def test_a_softphone_that_rings_is_understood(switchboard: Switchboard, tmp_path: Path) -> None:
    async def ring() -> dict[str, Any]:
        source = f"aufile,{await spoken_file(tmp_path)}"
        line = await switchboard.line(scripts.appointment())
        async with Baresip(tmp_path, CALLER, source, dials=f"sip:{line.number}@{switchboard.sip}"):
            return await switchboard.finished(line)

    understood(switchboard.run(ring()), "inbound")


def test_a_softphone_that_is_rung_is_understood(switchboard: Switchboard, tmp_path: Path) -> None:
    async def ring() -> dict[str, Any]:
        source = f"aufile,{await spoken_file(tmp_path)}"
        async with Baresip(tmp_path, CALLER, source) as peer:
            line = await switchboard.line(scripts.appointment(), trunk(peer))
            return await switchboard.analysed(await switchboard.dial(line))

    understood(switchboard.run(ring()), "outbound")
