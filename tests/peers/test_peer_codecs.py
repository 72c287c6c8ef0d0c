"""baresip with each codec: it echoes a trial call's tone, which has to come back through both coders."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.peers import scripts
from tests.peers.baresip import ECHO, Baresip, needs_baresip
from tests.peers.switchboard import CALLER, Switchboard

pytestmark = [pytest.mark.peer, needs_baresip]
CODECS = {
    "PCMU": "PCMU/8000",
    "PCMA": "PCMA/8000",
    "G722": "G722/16000",
    "opus": "opus/48000/2",
    "L16": "L16/16000/1",
}


async def try_out(board: Switchboard, folder: Path, codec: str) -> dict[str, dict[str, Any]]:
    """The steps of a trunk's test, with a call to a softphone that knows this codec only."""
    async with Baresip(folder, CALLER, ECHO, codec=CODECS[codec]) as peer:
        sip = {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "sipPort": peer.port}
        trunk = await board.node.post(
            "/v1/trunks", {"name": codec, **sip, "codecs": list(dict.fromkeys(["PCMU", codec]))}
        )
        await board.line(scripts.appointment(), {"trunkId": trunk["id"]})
        found = await board.node.post(f"/v1/trunks/{trunk['id']}/test", {"to": CALLER})
    return {step["name"]: step for step in found["steps"]}


def test_a_softphone_of_each_codec_hears_us_and_is_heard(switchboard: Switchboard, tmp_path: Path) -> None:
    async def each() -> list[dict[str, dict[str, Any]]]:
        return await asyncio.gather(*(try_out(switchboard, tmp_path, codec) for codec in CODECS))

    for codec, steps in zip(CODECS, switchboard.run(each()), strict=True):
        assert steps["codec"]["detail"].startswith(codec), steps
        assert "came back" in steps["tone"]["detail"], steps
