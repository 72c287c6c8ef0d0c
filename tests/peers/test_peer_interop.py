"""Lines of docs/interop.md as whole exchanges with the server: SIPp is the carrier, the PBX, the registrar's mailbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.switchboard import Switchboard

pytestmark = [pytest.mark.peer, needs_sipp]
THANKS = "Thank you for calling us today, and goodbye."
ENVIRONMENT = {"ANTIPHON__GUARD__DIGEST_ALGORITHMS": '["MD5"]'}
"""SIPp gives up at the first challenge that is not MD5."""
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


def test_what_the_trunk_tells_of_a_caller_is_shown_and_said(switchboard: Switchboard, tmp_path: Path) -> None:
    """A carrier with two asserted identities, a verdict, User-to-User in hex and a header of its own that the trunk lets through."""
    named = {"start": "bye", "steps": {"bye": {"say": "Goodbye {{user_to_user}}, and thank you.", "end": True}}}
    trunk = {
        "sipMode": "ip_allowlist",
        "sipIp": "127.0.0.1, 127.0.0.9",
        "contextHeaders": ["User-to-User", "X-Customer-Id"],
    }

    async def call() -> dict[str, Any]:
        made = await switchboard.node.post("/v1/trunks", trunk)
        line = await switchboard.line(named, {"sipMode": "ip_allowlist", "trunkId": made["id"]})
        await Sipp("uac_is_told_of.xml", tmp_path, switchboard.sip, line.number).run()
        return await switchboard.finished(line)

    ended = switchboard.run(call())
    assert ended["customerNumber"] == "+12025550177"
    assert ended["contextVariables"] == {
        "caller_id_raw": "sip:+12025550177@carrier.example;verstat=TN-Validation-Passed-A",
        "caller_name": "Ada L",
        "caller_verstat": "TN-Validation-Passed-A",
        "user_to_user": "Ada",
        "x_customer_id": "4711",
    }
    assert [item["content"] for item in ended["transcript"]] == ["Goodbye Ada, and thank you."]


def test_a_notice_of_waiting_messages_after_a_register(switchboard: Switchboard, tmp_path: Path) -> None:
    async def tell() -> None:
        line = await switchboard.line(FAREWELL)
        await Sipp("notify_mwi.xml", tmp_path, switchboard.sip, line.number).run()

    switchboard.run(tell())


def test_a_peer_whose_address_nobody_knows_shows_its_credentials(switchboard: Switchboard, tmp_path: Path) -> None:
    """Vonage and others: digest on each INVITE instead of an address."""
    trunk = {"sipMode": "ip_allowlist", "inboundUsername": "branch7", "inboundPassword": "s3cret"}

    async def call() -> dict[str, Any]:
        made = await switchboard.node.post("/v1/trunks", trunk)
        line = await switchboard.line(FAREWELL, {"sipMode": "ip_allowlist", "trunkId": made["id"]})
        texts = {"user": "branch7", "password": "s3cret"}
        caller = Sipp("uac_is_challenged.xml", tmp_path, switchboard.sip, line.number, host="127.0.0.3", texts=texts)
        await caller.run()
        ended = await switchboard.finished(line)
        # Strangers are not challenged in the tests that follow.
        for path in (f"/v1/phone-numbers/{line.number_id}", f"/v1/trunks/{made['id']}"):
            assert switchboard.node.http is not None
            (await switchboard.node.http.delete(path)).raise_for_status()
        return ended

    ended = switchboard.run(call())
    assert (ended["status"], ended["endedReason"]) == ("completed", "agent_ended")
    assert [item["content"] for item in ended["transcript"]] == [THANKS]
