"""SIPp rings the server: what is answered, what is refused and how, and what happens while it rings."""

from __future__ import annotations

import socket
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.peers import scripts
from tests.peers.sipp import Sipp, Transport, needs_sipp
from tests.peers.switchboard import Switchboard

pytestmark = [pytest.mark.peer, needs_sipp]
ENVIRONMENT = {"ANTIPHON__SIP__RING_SECONDS": "1.5"}
ELSEWHERE = "127.0.0.2"
"""An address of this machine that belongs to no trunk."""
both = pytest.mark.parametrize("transport", ["udp", "tcp"])
QUESTION = scripts.asking("How can I help you?", ["please call me back"])


def ring(board: Switchboard, folder: Path, scenario: str, transport: Transport) -> dict[str, Any]:
    """Ring a line of one's own, and say what came of it."""

    async def call() -> dict[str, Any]:
        line = await board.line(QUESTION)
        await Sipp(scenario, folder, board.sip, line.number, transport=transport).run()
        return await board.finished(line)

    return board.run(call())


def refused(board: Switchboard, folder: Path, number: str, status: int, host: str = "127.0.0.1") -> None:
    texts = {"status": str(status)}
    board.run(Sipp("uac_refused.xml", folder, board.sip, number, host, texts=texts).run())


@both
def test_a_call_is_answered_and_hung_up(switchboard: Switchboard, tmp_path: Path, transport: Transport) -> None:
    call = ring(switchboard, tmp_path, "uac_hangs_up.xml", transport)
    assert (call["status"], call["endedReason"], call["direction"]) == ("completed", "customer_ended", "inbound")
    assert call["durationSeconds"] in {1, 2}


@both
def test_a_caller_gives_up_while_it_rings(switchboard: Switchboard, tmp_path: Path, transport: Transport) -> None:
    call = ring(switchboard, tmp_path, "uac_cancels.xml", transport)
    assert (call["status"], call["endedReason"]) == ("failed", "canceled")
    assert (call["startedAt"], call["durationSeconds"]) == (None, 0)


def test_a_number_that_nobody_has_is_404(switchboard: Switchboard, tmp_path: Path) -> None:
    switchboard.run(switchboard.line(QUESTION))
    refused(switchboard, tmp_path, "+12025550000", 404)


def test_an_agent_that_is_not_active_is_480(switchboard: Switchboard, tmp_path: Path) -> None:
    line = switchboard.run(switchboard.line(QUESTION, isActive=False))
    refused(switchboard, tmp_path, line.number, 480)


def test_an_unknown_source_is_403_whatever_it_asks_for(switchboard: Switchboard, tmp_path: Path) -> None:
    line = switchboard.run(switchboard.line(QUESTION))
    for number in (line.number, "+12025550000"):
        refused(switchboard, tmp_path, number, 403, ELSEWHERE)
    assert switchboard.run(switchboard.calls(line)) == []


@both
@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", "200"), (ELSEWHERE, "403")])
def test_options_are_answered_to_those_who_are_known(
    switchboard: Switchboard, tmp_path: Path, transport: Transport, host: str, status: str
) -> None:
    switchboard.run(switchboard.line(QUESTION))
    texts = {"status": status}
    switchboard.run(Sipp("options.xml", tmp_path, switchboard.sip, "", host, transport, texts).run())


def test_media_follow_a_caller_who_moves_and_its_session_timer_is_kept(
    switchboard: Switchboard, tmp_path: Path
) -> None:
    """RFC 3264 section 8.3.1: from the re-INVITE on RTP goes to the new port. RFC 4028: each 2xx repeats what was asked for."""

    async def call() -> tuple[dict[str, Any], list[int]]:
        line = await switchboard.line(QUESTION)
        caller = Sipp("uac_moves.xml", tmp_path, switchboard.sip, line.number)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as moved:
            moved.bind(("127.0.0.1", caller.media_port + 4))
            moved.setblocking(False)
            caller.texts = {"moved": str(caller.media_port + 4)}
            await caller.run()
            return await switchboard.finished(line), waiting(moved)

    ended, packets = switchboard.run(call())
    assert ended["endedReason"] == "customer_ended"
    assert len(packets) > 20
    assert {(after - before) % 2**16 for before, after in pairwise(packets)} == {1}


def waiting(sock: socket.socket) -> list[int]:
    """The sequence numbers of the RTP packets that have come."""
    numbers = []
    try:
        while True:
            numbers.append(int.from_bytes(sock.recv(2048)[2:4], "big"))
    except BlockingIOError:
        return numbers
