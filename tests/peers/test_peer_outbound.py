"""The server rings SIPp: trunks that challenge, callees who are busy, gone, or do not hear it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from tests.peers.sipp import Sipp, Transport, needs_sipp
from tests.peers.switchboard import Switchboard

pytestmark = [pytest.mark.peer, needs_sipp]
USER, PASSWORD = "trunk7", "s3cret, with spaces"
WITH_REGISTER = ("-m", "2")
"""To SIPp, the REGISTER that comes before the INVITE is a call of its own."""
FAREWELL = {"start": "bye", "steps": {"bye": {"say": "Goodbye.", "end": True}}}


def registered(peer: Sipp, transport: Transport = "udp") -> dict[str, Any]:
    """A trunk with credentials: the machine on which SIPp listens."""
    return {
        "sipMode": "registration",
        "sipUsername": USER,
        "sipPassword": PASSWORD,
        "sipProxy": peer.host,
        "sipPort": peer.port,
        "sipRegisterTransport": transport,
    }


def place(board: Switchboard, peer: Sipp, trunk: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Call SIPp; the call when it is over, and SIPp content."""

    async def call() -> dict[str, Any]:
        await peer.start()
        try:
            await peer.listens()
            line = await board.line(FAREWELL, trunk)
            placed = await board.analysed(await board.dial(line, **more))
            await peer.done()
            return placed
        finally:
            await peer.stop()

    return board.run(call())


both = pytest.mark.parametrize("transport", ["udp", "tcp"])


@both
def test_a_registrars_challenge_is_answered(switchboard: Switchboard, tmp_path: Path, transport: Transport) -> None:
    """SIPp itself works out whether the answer is right, and refuses a wrong one with 403."""
    texts = {"user": USER, "password": PASSWORD}
    peer = Sipp("uas_401.xml", tmp_path, transport=transport, texts=texts, options=WITH_REGISTER)
    spoke(place(switchboard, peer, registered(peer, transport)))


@both
def test_a_proxys_challenge_is_answered(switchboard: Switchboard, tmp_path: Path, transport: Transport) -> None:
    peer = Sipp("uas_407.xml", tmp_path, transport=transport, options=WITH_REGISTER)
    spoke(place(switchboard, peer, registered(peer, transport)))
    answer, *_ = re.findall(r"^Proxy-Authorization: Digest (.*?)\r?$", peer.told(), re.MULTILINE)
    fields = dict(re.findall(r'(\w+)="?([^",]*)', answer))
    assert (fields["username"], fields["realm"], fields["qop"]) == (USER, "trunk.example", "auth")
    assert fields["response"] == digest(fields, PASSWORD)


def spoke(call: dict[str, Any]) -> None:
    """The call was taken, and the agent has said its sentence."""
    assert (call["status"], call["endedReason"], call["direction"]) == ("completed", "agent_ended", "outbound")
    assert [item["content"] for item in call["transcript"]] == ["Goodbye."]


def digest(fields: dict[str, str], password: str) -> str:
    """RFC 7616 section 3.4.1, for MD5 and qop auth."""

    def md5(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()

    who = md5(fields["username"], fields["realm"], password)
    what = md5("INVITE", fields["uri"])
    return md5(who, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], what)


@pytest.mark.parametrize(
    ("status", "came_of_it", "reason"),
    [
        (486, "failed", "busy"),
        (603, "failed", "rejected"),
        (404, "failed", "invalid_number"),
        (480, "no_answer", "no_answer"),
    ],
)
def test_a_refusal_says_why(
    switchboard: Switchboard, tmp_path: Path, status: int, came_of_it: str, reason: str
) -> None:
    peer = Sipp("uas_refuses.xml", tmp_path, texts={"status": str(status)})
    trunk = {"sipMode": "ip_allowlist", "sipIp": peer.host, "sipPort": peer.port}
    call = place(switchboard, peer, trunk)
    assert (call["status"], call["endedReason"], call["sip"]["code"]) == (came_of_it, reason, status)
    assert (call["startedAt"], call["transcript"]) == (None, [])


def test_a_call_that_nobody_takes_is_cancelled(switchboard: Switchboard, tmp_path: Path) -> None:
    peer = Sipp("uas_rings.xml", tmp_path)
    trunk = {"sipMode": "ip_allowlist", "sipIp": peer.host, "sipPort": peer.port}
    call = place(switchboard, peer, trunk, ringTimeoutSeconds=5)
    assert (call["status"], call["endedReason"]) == ("no_answer", "no_answer")
