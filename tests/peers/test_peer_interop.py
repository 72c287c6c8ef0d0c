"""Lines of docs/interop.md as whole exchanges with the server: SIPp is the carrier, the PBX, the registrar's mailbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.switchboard import Switchboard

pytestmark = [pytest.mark.peer, needs_sipp]
THANKS = "Thank you for calling us today, and goodbye."
FAREWELL = {"start": "bye", "steps": {"bye": {"say": THANKS, "end": True}}}


def test_a_carrier_with_a_private_contact_behind_two_record_routes(switchboard: Switchboard, tmp_path: Path) -> None:
    """Telnyx, Kamailio, Telekom: SIPp checks the Request-URI and the routes of our ACK and BYE; the 183's description holds."""
    peer = Sipp("uas_carrier.xml", tmp_path)

    async def call() -> dict[str, Any]:
        await peer.start()
        try:
            await peer.listens()
            trunk = {"sipMode": "ip_allowlist", "sipIp": peer.host, "sipPort": peer.port}
            placed = await switchboard.analysed(await switchboard.dial(await switchboard.line(FAREWELL, trunk)))
            await peer.done()
            return placed
        finally:
            await peer.stop()

    ended = switchboard.run(call())
    assert (ended["status"], ended["endedReason"]) == ("completed", "agent_ended")
    assert [item["content"] for item in ended["transcript"]] == [THANKS]


def test_a_pbx_with_a_late_offer_and_a_fax(switchboard: Switchboard, tmp_path: Path) -> None:
    """CUCM and FreeSWITCH, over TCP: the offer is in the 200, the fax gets 488, the agent says its sentence to the end."""

    async def call() -> dict[str, Any]:
        line = await switchboard.line(FAREWELL)
        await Sipp("uac_pbx.xml", tmp_path, switchboard.sip, line.number, transport="tcp").run()
        return await switchboard.finished(line)

    ended = switchboard.run(call())
    assert (ended["status"], ended["endedReason"]) == ("completed", "agent_ended")
    assert [item["content"] for item in ended["transcript"]] == [THANKS]


def test_a_notice_of_waiting_messages_after_a_register(switchboard: Switchboard, tmp_path: Path) -> None:
    async def tell() -> None:
        line = await switchboard.line(FAREWELL)
        await Sipp("notify_mwi.xml", tmp_path, switchboard.sip, line.number).run()

    switchboard.run(tell())
