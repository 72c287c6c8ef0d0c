"""Opening hours, fallback and blocked callers of a number, and the catch-all agent of a trunk: from the API to the route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sipserver.protocols import Fallback, OpeningHours
from tests.control_api.installation import Installation, add_agent, add_number, run

HOURS: dict[str, Any] = {
    "timezone": "Europe/Vienna",
    "days": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "sat": [["00:00", "24:00"]]},
}


WRONG: list[tuple[dict[str, Any], int]] = [
    ({"openingHours": {**HOURS, "timezone": "Vienna"}}, 400),
    ({"openingHours": {**HOURS, "days": {"mon": [["17:00", "09:00"]]}}}, 400),
    ({"openingHours": {**HOURS, "days": {"mon": [["09:00", "12:00"], ["11:00", "13:00"]]}}}, 400),
    ({"openingHours": {**HOURS, "days": {"mon": [["9:00", "12:00"]]}}}, 400),
    ({"openingHours": {**HOURS, "closedAgentId": "0b9f4d0e-0000-4000-8000-00000000000e"}}, 404),
    ({"fallback": {}}, 400),
    ({"fallback": {"number": "+12025550199", "sipUri": "sip:a@b.example"}}, 400),
    ({"fallback": {"number": "+12025550199", "when": []}}, 400),
    ({"fallback": {"number": "+19005550199"}}, 403),
    ({"fallback": {"agentId": "0b9f4d0e-0000-4000-8000-00000000000e"}}, 404),
    ({"blockedCallers": ["*"]}, 400),
    ({"blockedCallers": ["2025550100"]}, 400),
    ({"blockedCallers": ["Anonymous"]}, 400),
]


def test_what_a_number_says_of_its_callers_reaches_the_route(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            number = await add_number(
                client,
                openingHours={**HOURS, "closedAgentId": agent["id"]},
                fallback={"number": "+12025550199", "when": ["closed", "limit"]},
                blockedCallers=["+1900*", "+12025550666", "anonymous"],
            )
            assert number["openingHours"]["days"]["mon"] == HOURS["days"]["mon"]
            assert number["openingHours"]["days"]["sun"] == []
            assert number["fallback"]["number"] == "+12025550199"
            trunks = made.directory.trunks_of("192.0.2.10")
            made.checks.problems = ("There is no voice.",)
            route = await made.directory.route("+12025550100", trunks)
            assert route is not None
            known = made.directory.agent(agent["id"])
            days = (((540, 720), (780, 1020)), (), (), (), (), ((0, 1440),), ())
            assert route.opening == OpeningHours("Europe/Vienna", days, known, ("There is no voice.",))
            assert route.fallback == Fallback(frozenset({"closed", "limit"}), "+12025550199")
            assert route.blocked == ("+1900*", "+12025550666", "anonymous")
            assert (await client.delete(f"/v1/agents/{agent['id']}")).status_code == 409
            path = f"/v1/phone-numbers/{number['id']}"
            again = await client.patch(path, json=number)
            assert {**again.json()["data"], "updatedAt": number["updatedAt"]} == number
            cleared = {"openingHours": None, "fallback": None, "blockedCallers": []}
            await client.patch(path, json=cleared)
            route = await made.directory.route("+12025550100", trunks)
            assert route is not None
            assert (route.opening, route.fallback, route.blocked) == (None, None, ())

    run(tmp_path, test)


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        number = {"number": "+12025550100", "sipMode": "ip_allowlist", "sipIp": "192.0.2.10"}
        async with made.client() as client:
            for body, status in WRONG:
                answer = await client.post("/v1/phone-numbers", json={**number, **body})
                assert answer.status_code == status, (body, answer.text)

    run(tmp_path, test)


def test_the_fallback_of_an_extension_may_be_a_number_of_its_trunks_region(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        trunk = {"sipMode": "ip_allowlist", "sipIp": "192.0.2.10", "numberFormat": "raw"}
        async with made.client() as client:
            for host, region, status in ((11, "US", 201), (12, "DE", 403), (13, None, 403)):
                own = {**trunk, "sipIp": f"192.0.2.{host}", "region": region}
                made_trunk = (await client.post("/v1/trunks", json=own)).json()["data"]
                number = {"number": "101", "trunkId": made_trunk["id"], "fallback": {"number": "+12025550199"}}
                answer = await client.post("/v1/phone-numbers", json=number)
                assert answer.status_code == status, (region, answer.text)
                if status == 201:
                    path = f"/v1/phone-numbers/{answer.json()['data']['id']}"
                    abroad = await client.patch(path, json={"fallback": {"number": "+493023125077"}})
                    assert abroad.status_code == 403
                    assert (await client.delete(path)).status_code == 204

    run(tmp_path, test)


def test_a_catch_all_agent_answers_what_is_no_number(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            trunk = {"sipMode": "ip_allowlist", "sipIp": "192.0.2.10", "catchAllAgentId": agent["id"]}
            answer = await client.post("/v1/trunks", json=trunk)
            assert answer.status_code == 201, answer.text
            nobody = {**trunk, "catchAllAgentId": "0b9f4d0e-0000-4000-8000-00000000000e", "sipIp": "192.0.2.11"}
            assert (await client.post("/v1/trunks", json=nobody)).status_code == 404
        trunks = made.directory.trunks_of("192.0.2.10")
        assert await made.directory.route("+12025550123", trunks) is None
        route = await made.directory.catch_all(("+12025550123", "2025550123"), trunks)
        assert route is not None
        assert (route.phone_number_id, route.number) == (None, "+12025550123")
        assert route.agent is not None
        assert route.agent.id == agent["id"]
        assert await made.directory.catch_all(("+12025550123",), ()) is None

    run(tmp_path, test)
