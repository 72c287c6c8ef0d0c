"""Trunks as a resource: settings checked and kept, numbers that name one, and what the calls see of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from control_api.models.trunk import OPTIONS
from sipserver.protocols import CheckFailure, CheckStep, RegistrationState, TrialCall, Trunk, TrunkHealth, TrunkOptions
from tests.control_api.installation import OTHER_ORGANIZATION, START, Installation, add_agent, add_number, run

REGISTRATION = {
    "sipMode": "registration",
    "sipUsername": "alice",
    "sipPassword": "s3cret",
    "sipProxy": "sip.example.com",
}
LISTED = {"sipMode": "ip_allowlist", "sipIp": "192.0.2.10, 198.51.100.0/24"}
EVERYTHING: dict[str, Any] = {
    "numberFormat": "national",
    "region": "AT",
    "fromUser": "main",
    "identity": "pai",
    "identityFormat": "digits",
    "privacy": True,
    "headers": [{"name": "X-Account", "value": "4711"}],
    "codecs": ["PCMA"],
    "ptime": 30,
    "srtp": "preferred",
    "sessionTimer": 90,
    "reliable100": "required",
    "maxChannels": 2,
    "maxCallsPerSecond": 0.5,
    "ringTimeoutSeconds": 45,
    "advertisedAddress": "sip.example.org",
    "localNets": ["10.0.0.0/8", "fd00::/8"],
    "acceptRefer": True,
    "callerId": "from",
    "contextHeaders": ["X-Ticket"],
    "followRedirects": True,
    "failoverHosts": ["sip2.example.org", "192.0.2.99"],
    "rtcpXr": True,
    "authRealm": "sip.example.org",
}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sipIp": None}, "sipIp"),
    ({"transport": "sctp"}, "transport"),
    ({"numberFormat": "national"}, ""),
    ({"region": "XX"}, "region"),
    ({"fromUser": "a\r\nb"}, "fromUser"),
    ({"identity": "rpid"}, "identity"),
    ({"identityFormat": "raw"}, "identityFormat"),
    ({"headers": [{"name": "Via", "value": "x"}]}, "headers.0.name"),
    ({"headers": [{"name": "m", "value": "x"}]}, "headers.0.name"),
    ({"headers": [{"name": "content-type", "value": "x"}]}, "headers.0.name"),
    ({"headers": [{"name": "X:Y", "value": "x"}]}, "headers.0.name"),
    ({"headers": [{"name": "X-Y", "value": "x\r\nVia: y"}]}, "headers.0.value"),
    ({"codecs": []}, "codecs"),
    ({"codecs": ["G729"]}, "codecs.0"),
    ({"codecs": ["PCMU", "PCMU"]}, "codecs"),
    ({"ptime": 15}, "ptime"),
    ({"ptime": 70}, "ptime"),
    ({"sessionTimer": 89}, "sessionTimer"),
    ({"maxChannels": 0}, "maxChannels"),
    ({"maxCallsPerSecond": 0}, "maxCallsPerSecond"),
    ({"ringTimeoutSeconds": 4}, "ringTimeoutSeconds"),
    ({"advertisedAddress": "a host"}, "advertisedAddress"),
    ({"localNets": ["10.0.0.1/8"]}, "localNets.0"),
    ({"contextHeaders": ["Authorization"]}, "contextHeaders.0"),
    ({"callerId": "to"}, "callerId"),
    ({"authRealm": "a\nb"}, "authRealm"),
    ({"failoverHosts": ["192.0.2.0/24"]}, "failoverHosts.0"),
]


async def add_trunk(client: Any, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/trunks", json={**LISTED, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


def test_a_trunk_lives_without_numbers_and_keeps_its_password(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            answer = await client.post("/v1/trunks", json={**REGISTRATION, "name": "Carrier", "transport": "auto"})
            assert answer.status_code == 201, answer.text
            trunk = answer.json()["data"]
            shown = await client.get(f"/v1/trunks/{trunk['id']}")
            listed = await client.get("/v1/trunks")
            assert shown.json()["data"] == trunk
            assert listed.json()["data"] == [trunk]
            assert "s3cret" not in answer.text + shown.text + listed.text
            assert (trunk["name"], trunk["numbers"], trunk["sipPassword"]) == ("Carrier", 0, "********")
            number = await add_number(client, sipMode="registration", sipIp=None, trunkId=trunk["id"])
            await client.delete(f"/v1/phone-numbers/{number['id']}")
            assert (await client.get(f"/v1/trunks/{trunk['id']}")).status_code == 200
            (known,) = made.directory._picture.trunks.values()
            assert (known.transport, known.password, known.options) == ("auto", "s3cret", TrunkOptions())
            # What was read can be sent back, and nothing changes.
            same = await client.patch(f"/v1/trunks/{trunk['id']}", json=trunk)
            assert {**same.json()["data"], "updatedAt": trunk["updatedAt"]} == trunk
            assert "warnings" not in same.json()
            (known,) = made.directory._picture.trunks.values()
            assert known.password == "s3cret"
            assert (await client.delete(f"/v1/trunks/{trunk['id']}")).status_code == 204
            assert (await client.get(f"/v1/trunks/{trunk['id']}")).status_code == 404

    run(tmp_path, test)


def test_every_option_reaches_the_calls(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            given = {**EVERYTHING, "catchAllAgentId": agent["id"]}
            assert set(given) == OPTIONS
            trunk = await add_trunk(client, **given)
            assert {name: trunk[name] for name in given} == given
            (known,) = made.directory._picture.trunks.values()
            assert known.options == TrunkOptions(
                number_format="national",
                region="AT",
                from_user="main",
                identity="pai",
                identity_format="digits",
                privacy=True,
                headers=(("X-Account", "4711"),),
                codecs=("PCMA",),
                ptime=30,
                srtp="preferred",
                session_timer=90,
                reliable100="required",
                max_channels=2,
                max_calls_per_second=0.5,
                ring_timeout_seconds=45,
                advertised_address="sip.example.org",
                local_nets=("10.0.0.0/8", "fd00::/8"),
                accept_refer=True,
                catch_all_agent_id=agent["id"],
                caller_id="from",
                context_headers=("X-Ticket",),
                follow_redirects=True,
                failover_hosts=("sip2.example.org", "192.0.2.99"),
                rtcp_xr=True,
                auth_realm="sip.example.org",
            )
            assert made.directory.trunks_of("192.0.2.99") == (known,), "calls may come from all its hosts"
            path = f"/v1/trunks/{trunk['id']}"
            changed = (await client.patch(path, json={"sessionTimer": None, "sipPort": 5080})).json()["data"]
            assert (changed["sessionTimer"], changed["sipPort"], changed["region"]) == (None, 5080, "AT")
            (known,) = made.directory._picture.trunks.values()
            assert (known.id, known.port, known.options.session_timer) == (trunk["id"], 5080, None)
            assert (await client.patch(path, json={"region": None})).status_code == 400
            refused = await client.delete(f"/v1/agents/{agent['id']}")
            assert refused.status_code == 409

    run(tmp_path, test)


def test_what_cannot_work_is_refused_with_its_field(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            for body, field in WRONG:
                answer = await client.post("/v1/trunks", json={**LISTED, **body})
                assert answer.status_code == 400, (body, answer.text)
                assert field in [item["field"] for item in answer.json()["details"]], body

    run(tmp_path, test)


def test_one_registration_is_one_trunk(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            trunk = await add_trunk(client, **REGISTRATION, srtp="required", name="Carrier")
            again = await client.post("/v1/trunks", json=REGISTRATION)
            assert again.status_code == 409
            assert trunk["id"] in again.json()["error"]
            # A number that brings the same SIP fields shares it, and leaves its options as they are.
            number = await add_number(client, **REGISTRATION)
            assert number["trunkId"] == trunk["id"]
            shown = (await client.get(f"/v1/trunks/{trunk['id']}")).json()["data"]
            assert (shown["srtp"], shown["name"], shown["numbers"]) == ("required", "Carrier", 1)
            assert (await client.delete(f"/v1/trunks/{trunk['id']}")).status_code == 409
            other = await add_trunk(client)
            moved = await client.patch(f"/v1/trunks/{other['id']}", json=REGISTRATION)
            assert moved.status_code == 409

    run(tmp_path, test)


def test_a_number_names_its_trunk(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            trunk, other = await add_trunk(client), await add_trunk(client, sipIp="203.0.113.9")
            body = {"number": "+12025550100", "trunkId": trunk["id"]}
            beside = await client.post("/v1/phone-numbers", json={**body, **LISTED})
            assert [item["field"] for item in beside.json()["details"]] == ["sipIp"]
            answer = await client.post("/v1/phone-numbers", json={**body, "sipMode": "ip_allowlist"})
            assert answer.status_code == 201, answer.text
            number = answer.json()["data"]
            assert number["sip"]["ip"] == LISTED["sipIp"]
            path = f"/v1/phone-numbers/{number['id']}"
            assert (await client.patch(path, json=number)).json()["data"]["trunkId"] == trunk["id"]
            moved = (await client.patch(path, json={"trunkId": other["id"]})).json()["data"]
            assert (moved["trunkId"], moved["sip"]["ip"]) == (other["id"], "203.0.113.9")
            # An inline trunk goes with its number, these two stay.
            assert (await client.get("/v1/trunks")).json()["pagination"]["total"] == 2
            nobody = await client.patch(path, json={"trunkId": OTHER_ORGANIZATION})
            assert nobody.status_code == 404
        async with made.client("other") as stranger:
            assert (await stranger.get(f"/v1/trunks/{trunk['id']}")).status_code == 404
            assert (
                await stranger.post("/v1/phone-numbers", json={**body, "number": "+12025550101"})
            ).status_code == 404

    run(tmp_path, test)


def test_extensions_are_numbers_of_raw_trunks(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            trunk = await add_trunk(client, numberFormat="raw")
            plain = await add_trunk(client, sipIp="203.0.113.9")
            answer = await client.post("/v1/phone-numbers", json={"number": "101", "trunkId": trunk["id"]})
            assert answer.status_code == 201, answer.text
            refused = await client.post("/v1/phone-numbers", json={"number": "102", "trunkId": plain["id"]})
            assert [item["field"] for item in refused.json()["details"]] == ["number"]
        trunks = made.directory.trunks_of("192.0.2.10")
        route = await made.directory.route("101", trunks)
        assert route is not None
        assert route.number == "101"
        assert await made.directory.route("00101", trunks) is None

    run(tmp_path, test)


def test_how_a_trunk_is_doing(tmp_path: Path) -> None:
    class States:
        def registration(self, trunk_id: str) -> RegistrationState | None:
            return RegistrationState("registered", START, None)

        def health(self, trunk_id: str) -> TrunkHealth | None:
            return TrunkHealth("up", START, 12.5, None)

    async def test(made: Installation) -> None:
        async with made.client() as client:
            listed, registered = await add_trunk(client), await add_trunk(client, **REGISTRATION)
        assert listed["registration"] is None
        assert listed["health"]["roundTripMs"] == 12.5
        assert registered["registration"]["status"] == "registered"

    run(tmp_path, test, trunk_states=States())


class Checker:
    """Finds what it is told to find."""

    def __init__(self, *steps: CheckStep) -> None:
        self.steps = steps
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.calls: list[TrialCall | None] = []

    async def check(self, trunk: Trunk, call: TrialCall | None = None) -> tuple[CheckStep, ...]:
        self.calls.append(call)
        self.begun.set()
        await self.go_on.wait()
        return self.steps


def test_a_trunk_is_tried_out_once_at_a_time(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        tester = Checker(
            CheckStep("dns", True, 1.5, "192.0.2.1:5060/udp"),
            CheckStep("options", False, 9.0, "No answer came.", host="192.0.2.9"),
        )
        i.services = replace(i.services, trunk_tester=tester)
        async with i.client() as client, i.client("read") as reader, i.client("other") as other:
            made = await client.post("/v1/trunks", json={"sipMode": "ip_allowlist", "sipIp": "192.0.2.1"})
            path = f"/v1/trunks/{made.json()['data']['id']}/test"
            first = asyncio.create_task(client.post(path))
            await tester.begun.wait()
            assert (await client.post(path)).status_code == 409
            assert (await reader.post(path)).status_code == 403
            assert (await other.post(path)).status_code == 404
            tester.go_on.set()
            found = (await first).json()["data"]
            assert (await client.post(path)).status_code == 200
        assert found == {
            "ok": False,
            "steps": [
                {"name": "dns", "ok": True, "ms": 1.5, "detail": "192.0.2.1:5060/udp", "failure": None, "host": None},
                {
                    "name": "options",
                    "ok": False,
                    "ms": 9.0,
                    "detail": "No answer came.",
                    "failure": None,
                    "host": "192.0.2.9",
                },
            ],
        }

    run(tmp_path, test)


INBOUND = {"sipMode": "ip_allowlist", "inboundUsername": "branch7", "inboundPassword": "s3cret"}


def test_inbound_credentials_stand_for_an_address_and_are_never_shown(tmp_path: Path) -> None:
    async def body(made: Installation) -> None:
        async with made.client() as admin, made.client("other") as other:
            answer = await admin.post("/v1/trunks", json=INBOUND)
            trunk = answer.json()["data"]
            assert (trunk["inboundUsername"], trunk["inboundPassword"], trunk["sipIp"]) == ("branch7", "********", None)
            known = made.directory.inbound_users()["branch7"]
            assert (known.id, known.inbound_password, known.sources) == (trunk["id"], "s3cret", ())
            path = f"/v1/trunks/{trunk['id']}"
            assert (await admin.patch(path, json=trunk)).status_code == 200, "what was read is sent back"
            assert made.directory.inbound_users()["branch7"].inbound_password == "s3cret"
            assert (await other.post("/v1/trunks", json=INBOUND)).status_code == 409
            changed = await admin.patch(path, json={"inboundPassword": "another", "sipIp": "192.0.2.10"})
            assert changed.status_code == 200
            assert made.directory.inbound_users()["branch7"].inbound_password == "another"
            gone = await admin.patch(path, json={"inboundUsername": None, "inboundPassword": None})
            assert (gone.status_code, gone.json()["data"]["inboundPassword"]) == (200, None)
            assert made.directory.inbound_users() == {}

    run(tmp_path, body)


def test_inbound_credentials_go_together(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**INBOUND, "inboundPassword": None}, "inboundPassword"),
        ({**LISTED, "inboundPassword": "x"}, "inboundPassword"),
        ({**INBOUND, "inboundPassword": "********"}, "inboundPassword"),
        ({"sipMode": "ip_allowlist"}, "sipIp"),
    ]

    async def body(made: Installation) -> None:
        async with made.client() as admin:
            for fields, named in wrong:
                answer = await admin.post("/v1/trunks", json=fields)
                assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, named), fields
            trunk = (await admin.post("/v1/trunks", json=INBOUND)).json()["data"]
            alone = await admin.patch(
                f"/v1/trunks/{trunk['id']}", json={"inboundUsername": None, "inboundPassword": None}
            )
            assert alone.json()["details"][0]["field"] == "sipIp", "nobody could call by it"
            number = await add_number(admin, sipIp=None, sipMode="ip_allowlist", trunkId=trunk["id"])
            assert (number["trunkId"], number["sip"]["ip"]) == (trunk["id"], "")

    run(tmp_path, body)


def test_a_trial_call_is_one_that_may_be_dialled(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        busy = CheckStep("answer", False, 20.0, "486 Busy Here", CheckFailure.BUSY)
        tester = Checker(busy)
        tester.go_on.set()
        i.services = replace(i.services, trunk_tester=tester)
        async with i.client() as client:
            trunk = await add_trunk(client, numberFormat="raw", region="US")
            path = f"/v1/trunks/{trunk['id']}/test"
            assert (await client.post(path, json={"to": "+12025550123"})).status_code == 409
            await client.post("/v1/phone-numbers", json={"number": "+12025550100", "trunkId": trunk["id"]})
            await client.post("/v1/phone-numbers", json={"number": "101", "trunkId": trunk["id"]})
            for to, status in (("+19005550123", 403), ("+493023125077", 403), ("911", 403), ("nobody", 400)):
                answer = await client.post(path, json={"to": to})
                assert answer.status_code == status, (to, answer.text)
            assert tester.calls == []
            for to in ("+12025550123", "43"):
                found = (await client.post(path, json={"to": to})).json()["data"]
                assert found["steps"][0]["failure"] == "busy"
            assert tester.calls == [TrialCall("+12025550123", "+12025550100"), TrialCall("43", "+12025550100")]

    run(tmp_path, test)
