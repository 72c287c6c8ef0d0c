"""Phone numbers over HTTP, and the trunks behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import trunks
from control_api.store.trunks import TrunkRow
from tests.control_api.installation import Installation, add_agent, add_call, add_number, run

REGISTRATION = {
    "sipMode": "registration",
    "sipUsername": "alice",
    "sipPassword": "s3cret",
    "sipProxy": "sip.example.com",
}


async def all_trunks(made: Installation) -> list[TrunkRow]:
    async def read(connection: AsyncConnection) -> list[TrunkRow]:
        return await trunks.all_trunks(connection)

    return await made.store.read(read)


def test_a_number_with_an_allow_list(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            number = await add_number(client, agentId=agent["id"], name="Main", metadata={"team": "a"})
            shown = (await client.get(f"/v1/phone-numbers/{number['id']}")).json()["data"]
        assert shown == number
        assert {name: number[name] for name in ("number", "name", "provider", "sipMode", "agentId", "metadata")} == {
            "number": "+12025550100",
            "name": "Main",
            "provider": "sip",
            "sipMode": "ip_allowlist",
            "agentId": agent["id"],
            "metadata": {"team": "a"},
        }
        assert number["sip"] == {
            "username": None,
            "proxy": None,
            "outboundProxy": None,
            "authUser": None,
            "ip": "192.0.2.10, 198.51.100.0/24",
            "port": 5060,
            "transport": "udp",
        }
        trunk = made.directory.trunk_of_number(number["id"])
        assert trunk is not None
        assert (trunk.host, trunk.port, trunk.sources) == ("192.0.2.10", 5060, ("192.0.2.10", "198.51.100.0/24"))

    run(tmp_path, test)


def test_a_registration_keeps_its_password_to_itself(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            body = {"number": "+12025550101", **REGISTRATION, "sipAuthUser": "auth", "sipRegisterTransport": "tcp"}
            answer = await client.post("/v1/phone-numbers", json=body)
            assert answer.status_code == 201, answer.text
            listed = await client.get("/v1/phone-numbers")
        assert "s3cret" not in answer.text + listed.text
        (row,) = await all_trunks(made)
        assert row.password is not None
        assert "s3cret" not in row.password
        trunk = made.directory.trunk_of_number(answer.json()["data"]["id"])
        assert trunk is not None
        assert (trunk.username, trunk.auth_user, trunk.password) == ("alice", "auth", "s3cret")
        assert (trunk.host, trunk.port, trunk.transport) == ("sip.example.com", 5060, "tcp")
        assert "s3cret" not in repr(trunk)

    run(tmp_path, test)


def test_numbers_of_one_registration_share_a_trunk(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            first = await add_number(client, "+12025550101", **REGISTRATION)
            second = await add_number(client, "+12025550102", **{**REGISTRATION, "sipPassword": "newer"})
            assert first["trunkId"] == second["trunkId"]
            (row,) = await all_trunks(made)
            assert made.services.box.open_optional(row.password) == "newer"
            third = await add_number(client, "+12025550103", **{**REGISTRATION, "sipUsername": "bob"})
            assert third["trunkId"] != first["trunkId"]
            for number, left in ((first, 2), (second, 1), (third, 0)):
                assert (await client.delete(f"/v1/phone-numbers/{number['id']}")).status_code == 204
                assert len(await all_trunks(made)) == left

    run(tmp_path, test)


def test_changing_sip_fields_moves_the_number_to_another_trunk(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            number = await add_number(client, **REGISTRATION)
            path = f"/v1/phone-numbers/{number['id']}"
            moved = (await client.patch(path, json={"sipProxy": "sip.example.net", "sipPassword": "********"})).json()[
                "data"
            ]
            assert moved["sip"]["proxy"] == "sip.example.net"
            trunk = made.directory.trunk_of_number(number["id"])
            assert trunk is not None
            assert trunk.password == "s3cret"
            assert len(await all_trunks(made)) == 1
            refused = await client.patch(path, json={"sipMode": "ip_allowlist"})
            assert refused.json()["details"] == [
                {"field": "sipIp", "message": "is required when sipMode is ip_allowlist"}
            ]
            listed = await client.patch(path, json={"sipMode": "ip_allowlist", "sipIp": "203.0.113.5"})
            assert listed.json()["data"]["sip"]["username"] is None
            back = await client.patch(path, json={**REGISTRATION, "sipPassword": "********"})
            assert back.status_code == 400

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "sipUsername"),
        ({**REGISTRATION, "sipProxy": None}, "sipProxy"),
        ({"sipMode": "ip_allowlist"}, "sipIp"),
        ({"sipMode": "ip_allowlist", "sipIp": "192.0.2.300"}, "sipIp"),
        ({"sipMode": "ip_allowlist", "sipIp": "192.0.2.0/33"}, "sipIp"),
        ({"sipMode": "ip_allowlist", "sipIp": "bad host!"}, "sipIp"),
        ({"sipMode": "ip_allowlist", "sipIp": " , "}, "sipIp"),
        ({"sipMode": "ip_allowlist", "sipIp": "192.0.2.1", "sipPort": 0}, "sipPort"),
        ({"sipMode": "ip_allowlist", "sipIp": "192.0.2.1", "sipPort": 65536}, "sipPort"),
        ({"sipMode": "ip_allowlist", "sipIp": "192.0.2.1", "sipProtocol": "sctp"}, "sipProtocol"),
        ({**REGISTRATION, "sipRegisterTransport": "ws"}, "sipRegisterTransport"),
        ({**REGISTRATION, "sipUsername": "x" * 61}, "sipUsername"),
        ({**REGISTRATION, "sipUsername": "a\r\nb"}, "sipUsername"),
        ({**REGISTRATION, "sipProxy": "sip.example.com:5060"}, "sipProxy"),
        ({**REGISTRATION, "sipPassword": "********"}, "sipPassword"),
        ({**REGISTRATION, "number": "2025550100"}, "number"),
        ({**REGISTRATION, "number": "+123456"}, "number"),
        ({**REGISTRATION, "number": "+1234567890123456"}, "number"),
        ({**REGISTRATION, "provider": "carrier"}, "provider"),
    ],
)
def test_what_cannot_work_is_refused_with_its_field(tmp_path: Path, body: dict[str, Any], field: str) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            answer = await client.post("/v1/phone-numbers", json={"number": "+12025550100", **body})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"] == "Validation failed"
        assert field in [item["field"] for item in answer.json()["details"]]

    run(tmp_path, test)


@pytest.mark.parametrize(
    "fields",
    [
        {"sipMode": "ip_allowlist", "sipIp": "192.0.2.1", "sipProtocol": "tls"},
        {**REGISTRATION, "sipRegisterTransport": "tls"},
    ],
)
def test_a_trunk_may_speak_tls(tmp_path: Path, fields: dict[str, Any]) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            answer = await client.post("/v1/phone-numbers", json={"number": "+12025550100", **fields})
        assert answer.status_code == 201, answer.text
        number = answer.json()["data"]
        assert number["sip"]["transport"] == "tls"
        trunk = made.directory.trunk_of_number(number["id"])
        assert trunk is not None
        assert trunk.transport == "tls"

    run(tmp_path, test)


@pytest.mark.parametrize(
    "body",
    [
        {"provider": "twilio"},
        {"provider": "voximplant"},
        {"provider": "jambonz"},
        {**REGISTRATION, "twilioAccountSid": "AC1"},
    ],
)
def test_hosted_providers_are_refused_with_one_sentence(tmp_path: Path, body: dict[str, Any]) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            answer = await client.post("/v1/phone-numbers", json={"number": "+12025550100", **body})
        assert answer.status_code == 400
        assert answer.json()["details"] == []
        assert answer.json()["error"].endswith("SIP trunk and use provider `sip`.")

    run(tmp_path, test)


def test_a_number_is_in_use_until_it_is_deleted(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client, made.client("other") as stranger:
            number = await add_number(client)
            path = f"/v1/phone-numbers/{number['id']}"
            for other in (client, stranger):
                again = await other.post("/v1/phone-numbers", json={"number": "+12025550100", **REGISTRATION})
                assert again.status_code == 409, again.text
            second = await add_number(client, "+12025550105")
            taken = await client.patch(f"/v1/phone-numbers/{second['id']}", json={"number": "+12025550100"})
            assert taken.status_code == 409
            call = await add_call(client, phoneNumberId=number["id"])
            assert (await client.delete(path)).status_code == 409
            await client.post(f"/v1/calls/{call['id']}/end")
            assert (await client.delete(path)).status_code == 204
            await add_number(client)

    run(tmp_path, test)


def test_an_agent_must_be_ones_own(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client, made.client("other") as stranger:
            agent = await add_agent(stranger)
            answer = await client.post(
                "/v1/phone-numbers", json={"number": "+12025550100", **REGISTRATION, "agentId": agent["id"]}
            )
            assert answer.status_code == 404
            assert await all_trunks(made) == []

    run(tmp_path, test)


def test_a_number_that_was_read_can_be_sent_back(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            number = await add_number(client, **REGISTRATION)
            answer = await client.patch(f"/v1/phone-numbers/{number['id']}", json=number)
            assert answer.status_code == 200, answer.text
            assert "warnings" not in answer.json()
            assert {**answer.json()["data"], "updatedAt": ""} == {**number, "updatedAt": ""}

    run(tmp_path, test)
