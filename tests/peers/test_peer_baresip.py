"""baresip as the other side: it echoes whatever it hears, or it says one thing and hangs up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.peers import scripts
from tests.peers.baresip import ECHO, Baresip, needs_baresip
from tests.peers.speech import spoken, timeline, write_wav
from tests.peers.switchboard import CALLER, Switchboard, captured, said

pytestmark = [pytest.mark.peer, needs_baresip]
WISH = "I would like to move my appointment."
LONG = "Hello, this is the front desk of the Northside clinic. We are open from Monday to Friday. How can I help you?"
LONGEST = 120
"""Seconds. Its sentence takes 7, asking again 2, three times, a prompt and its silence 5, the farewell 3;
at each it may stop and start three times."""
PROMPTS = 2
"""How often a silence is asked about before the call ends. What is heard and not understood begins the count anew."""
MOST = 1 + (scripts.TIMES + 1) * PROMPTS + scripts.TIMES + 1
"""Sentences: its own; asking again, each time after as many prompts as there may be; and the farewell."""


def trunk(peer: Baresip) -> dict[str, Any]:
    return {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "sipPort": peer.port}


async def hear_itself(board: Switchboard, folder: Path) -> dict[str, Any]:
    """An agent with long sentences rings a loop."""
    silence = {"promptAfterMs": 3000, "prompts": [], "endAfter": PROMPTS}
    async with Baresip(folder, CALLER, ECHO) as peer:
        line = await board.line(scripts.asking(LONG, ["please call me back"]), trunk(peer), silence=silence)
        call = await board.analysed(await board.dial(line))
    assert any("terminated" in told for told in peer.log)
    return call


async def be_rung(board: Switchboard, folder: Path, source: str) -> dict[str, Any]:
    line = await board.line(scripts.appointment())
    async with Baresip(folder, CALLER, source, dials=f"sip:{line.number}@{board.sip}"):
        return await board.finished(line)


async def ring(board: Switchboard, folder: Path, source: str) -> dict[str, Any]:
    async with Baresip(folder, CALLER, source) as peer:
        line = await board.line(scripts.appointment(), trunk(peer))
        return await board.analysed(await board.dial(line))


async def try_out(board: Switchboard, folder: Path, source: str) -> list[dict[str, Any]]:
    """The steps of a trunk's test, with a call to a softphone that plays `source`."""
    async with Baresip(folder, CALLER, source) as peer:
        line = await board.line(scripts.appointment(), trunk(peer))
        number = await board.node.get(f"/v1/phone-numbers/{line.number_id}")
        found = await board.node.post(f"/v1/trunks/{number['trunkId']}/test", {"to": CALLER})
    steps: list[dict[str, Any]] = found["steps"]
    return steps


def test_a_trial_call_hears_its_tone_from_an_echo_and_from_nobody_else(
    switchboard: Switchboard, tmp_path: Path
) -> None:
    echo = switchboard.run(try_out(switchboard, tmp_path, ECHO))
    names = ["dns", "options", "codecs", "dial", "ringing", "answer", "codec", "first_packet", "loss", "jitter", "tone"]
    assert [step["name"] for step in echo] == names, echo
    assert all(step["ok"] for step in echo if step["name"] != "jitter"), echo
    assert "came back" in echo[-1]["detail"]
    silence = "aufile," + write_wav(tmp_path / "noise.wav", timeline([9.0]))
    steps = switchboard.run(try_out(switchboard, tmp_path, silence))
    assert "came back" not in steps[-1]["detail"], steps


@pytest.fixture(scope="module")
def calls(switchboard: Switchboard, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Three calls: the echo first, for it keeps the recogniser busy all the time."""
    folder = tmp_path_factory.mktemp("baresip")

    async def all_three() -> list[dict[str, Any]]:
        (wish,) = await spoken(WISH)
        source = "aufile," + write_wav(folder / "wish.wav", timeline([2.5, wish, 4.0]))
        echo = await hear_itself(switchboard, folder)
        return [
            echo,
            *await asyncio.gather(be_rung(switchboard, folder, source), ring(switchboard, folder, source)),
        ]

    return dict(zip(("echo", "inbound", "outbound"), switchboard.run(all_three()), strict=True))


def test_an_agent_that_hears_its_own_echo_comes_to_an_end(calls: dict[str, dict[str, Any]]) -> None:
    """It says its sentences, understands nothing of itself, and says goodbye."""
    call = calls["echo"]
    assert (call["status"], call["direction"]) == ("completed", "outbound")
    assert call["endedReason"] in {"agent_ended", "silence_timeout"}
    assert call["durationSeconds"] < LONGEST
    assert captured(call) == {}, call
    assert 1 <= len(said(call, "assistant")) <= MOST
    assert call["quality"]["lossPercent"] == 0


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_a_softphone_is_understood_whoever_rings(calls: dict[str, dict[str, Any]], direction: str) -> None:
    """Its wish is heard and answered; then its file is at its end, and it hangs up."""
    call = calls[direction]
    assert (call["status"], call["endedReason"]) == ("completed", "customer_ended")
    assert (call["direction"], call["customerNumber"]) == (direction, CALLER)
    assert captured(call) == {"wish": "move"}, call
    assert [(item["role"], item["content"]) for item in call["transcript"]] == [
        ("assistant", "How can I help you?"),
        ("user", "i would like to move my appointment"),
        ("assistant", "Which day?"),
    ]
