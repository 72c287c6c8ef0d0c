"""Calls over HTTP: placing, listing, reading, ending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.dialling import DiallingPolicy
from control_api.store import calls, jobs, transcripts
from control_api.store.tables import jobs as jobs_table
from sipserver.protocols import CallEnd, CallStatus, ConversationEnd, EndedReason, InboundCall, Problem, Utterance
from tests.control_api.installation import START, Installation, add_agent, add_call, add_number, run

SECOND = 1_000_000
UNKNOWN = "7b9f4d0e-0000-4000-8000-00000000dead"


async def jobs_of(made: Installation, call_id: str) -> list[tuple[str, str]]:
    async def read(connection: AsyncConnection) -> list[tuple[str, str]]:
        rows = await connection.execute(sa.select(jobs_table).order_by(sa.text("rowid")))
        return [(row.kind, row.state) for row in rows if row.payload["callId"] == call_id]

    return await made.store.read(read)


def test_what_an_inbound_caller_told_is_shown_as_context_variables(tmp_path: Path) -> None:
    told = {"caller_id_raw": "sip:+12025550199@x", "caller_name": "Ada L", "user_to_user": "order 7"}

    async def test(made: Installation) -> None:
        async with made.client() as client:
            number = await add_number(client, agentId=(await add_agent(client))["id"])
            route = await made.directory.route(number["number"], made.directory.trunks_of("192.0.2.10"))
            assert route is not None
            await made.log.begin(InboundCall(UNKNOWN, route, "+12025550199", "sip-1", START, told))
            call = (await client.get(f"/v1/calls/{UNKNOWN}")).json()["data"]
        assert (call["direction"], call["customerNumber"]) == ("inbound", "+12025550199")
        assert call["contextVariables"] == told

    run(tmp_path, test)


def test_a_call_is_queued_with_every_field(tmp_path: Path) -> None:
    poked = []

    async def test(made: Installation) -> None:
        async with made.client("calls") as client, made.client() as admin:
            agent, number = await add_agent(admin), await add_number(admin)
            fields = {"contextVariables": {"day": "Monday"}, "metadata": {"order": 7}}
            call = await add_call(client, agentId=agent["id"], phoneNumberId=number["id"], **fields)
            assert (await client.get(f"/v1/calls/{call['id']}")).json()["data"] == call
        assert call == {
            "id": call["id"],
            "organizationId": agent["organizationId"],
            "agentId": agent["id"],
            "phoneNumberId": number["id"],
            "callSid": None,
            "provider": "sip",
            "direction": "outbound",
            "status": "queued",
            "customerNumber": "+12025550123",
            "durationSeconds": None,
            "cost": None,
            "recordingUrl": None,
            "turnCount": 0,
            "transcript": [],
            "analysis": None,
            "endedReason": None,
            "contextVariables": {"day": "Monday"},
            "metadata": {"order": 7},
            "parentCallId": None,
            "transferType": None,
            "transferStatus": None,
            "transferCalls": [],
            "startedAt": None,
            "endedAt": None,
            "createdAt": "2026-01-01T00:00:00Z",
            "costBreakdown": None,
            "sip": None,
            "quality": None,
            "latency": None,
            "toolCalls": [],
            "retryOf": None,
            "optOut": False,
            "problems": [],
        }
        assert await jobs_of(made, call["id"]) == [("dial", "ready"), ("expire", "ready")]
        assert poked == [True]

    run(tmp_path, test, poke_jobs=lambda: poked.append(True))


def test_a_call_goes_from_ringing_to_its_end(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call_id = (await add_call(client))["id"]
            path = f"/v1/calls/{call_id}"
            await made.store.write(lambda connection: calls.begin_dialling(connection, call_id, "node", START))
            await made.log.ringing(call_id, "a@b", START + SECOND)
            assert (await client.get(path)).json()["data"]["status"] == "ringing"
            await made.log.answered(call_id, "a@b", START + 5 * SECOND)
            await made.log.utterance(call_id, Utterance("assistant", "Hello.", 0, 700, interrupted=True))
            await made.log.utterance(call_id, Utterance("user", "Hi.", 900, 1200))
            await made.log.problem(call_id, Problem(START + 6 * SECOND, "stt", "slow"))
            end = CallEnd(
                CallStatus.COMPLETED,
                EndedReason.AGENT_ENDED,
                START + 42 * SECOND + 999_999,
                sip_code=200,
                sip_reason="OK",
                conversation=ConversationEnd(EndedReason.AGENT_ENDED, {"yes": True}, 3, (300, 100, 200), opt_out=True),
            )
            await made.log.ended(call_id, end)
            call = (await client.get(path)).json()["data"]
            said = (await client.get(f"{path}/transcript")).json()["data"]
            (item,) = (await client.get("/v1/calls")).json()["data"]
        assert (call["status"], call["endedReason"], call["callSid"]) == ("completed", "agent_ended", "a@b")
        assert (call["startedAt"], call["endedAt"]) == ("2026-01-01T00:00:05Z", "2026-01-01T00:00:42Z")
        assert (call["durationSeconds"], call["turnCount"], call["optOut"]) == (37, 3, True)
        assert call["latency"] == {"turnP50Ms": 200, "turnP95Ms": 300}
        assert call["sip"] == {"code": 200, "reason": "OK"}
        assert call["problems"] == [{"at": "2026-01-01T00:00:06Z", "part": "stt", "message": "slow"}]
        assert call["transcript"][0] == {
            "role": "assistant",
            "content": "Hello.",
            "startMs": 0,
            "endMs": 700,
            "interrupted": True,
        }
        assert said == {"callId": call_id, "transcript": call["transcript"]}
        assert {*call} - {*item} == {"transcript", "analysis", "toolCalls"}
        assert {name: call[name] for name in item} == item

    run(tmp_path, test)


def test_a_final_call_stays_as_it_is(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call_id = (await add_call(client))["id"]
            end = CallEnd(CallStatus.NO_ANSWER, EndedReason.NO_ANSWER, START, sip_code=480, sip_call_id="first@here")
            await made.log.ended(call_id, end)
            before = (await client.get(f"/v1/calls/{call_id}")).json()["data"]
            await made.log.ringing(call_id, "a@b", START)
            await made.log.answered(call_id, "a@b", START)
            await made.log.utterance(call_id, Utterance("user", "late", 0, 1))
            await made.log.captured(call_id, {"late": True})
            await made.log.problem(call_id, Problem(START, "sip", "late"))
            await made.log.ended(call_id, CallEnd(CallStatus.COMPLETED, EndedReason.ERROR, START))
            assert (await client.get(f"/v1/calls/{call_id}")).json()["data"] == before
        assert before["durationSeconds"] == 0
        assert before["callSid"] == "first@here"
        assert [kind for kind, _ in await jobs_of(made, call_id)] == ["dial", "expire", "analyse"]

    run(tmp_path, test)


def test_ending_a_queued_call_cancels_it_and_its_job(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call_id = (await add_call(client))["id"]
            answer = await client.post(f"/v1/calls/{call_id}/end")
            assert answer.status_code == 200
            assert (answer.json()["data"]["status"], answer.json()["data"]["endedReason"]) == ("failed", "canceled")
            again = await client.post(f"/v1/calls/{call_id}/end")
            assert again.json()["data"] == answer.json()["data"]
        assert await jobs_of(made, call_id) == [("dial", "done"), ("expire", "done"), ("analyse", "ready")]
        assert made.phone.hung_up == []
        late = await made.store.write(lambda connection: calls.begin_dialling(connection, call_id, "node", START))
        assert late is None

    run(tmp_path, test)


def test_ending_a_live_call_hangs_up(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call_id = (await add_call(client))["id"]
            await made.store.write(lambda connection: calls.begin_dialling(connection, call_id, "node", START))
            early = await client.post(f"/v1/calls/{call_id}/end")
            assert early.status_code == 409
            made.phone.live.add(call_id)
            assert (await client.post(f"/v1/calls/{call_id}/end")).status_code == 200
            assert made.phone.hung_up == [call_id, call_id]

    run(tmp_path, test)


def test_a_call_is_dialled_at_most_once(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call_id = (await add_call(client))["id"]
        first = await made.store.write(lambda connection: calls.begin_dialling(connection, call_id, "node", START))
        again = await made.store.write(lambda connection: calls.begin_dialling(connection, call_id, "node", START))
        assert first is not None
        assert again is None
        order = made.directory.order(first)
        assert order is not None
        assert (order.to, order.from_number, order.trunk.host) == ("+12025550123", "+12025550100", "192.0.2.10")

    run(tmp_path, test)


def test_a_scheduled_call_waits_for_its_time(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call = await add_call(
                client, scheduledAt="2026-01-01T02:00:00+01:00", maxQueueSeconds=60, ringTimeoutSeconds=9
            )
            bad = {"agentId": call["agentId"], "phoneNumberId": call["phoneNumberId"], "to": "+12025550123"}
            for value in ("2027-06-01T00:00:00Z", "2026-01-01T00:00:00", "tomorrow", 5):
                answer = await client.post("/v1/calls", json={**bad, "scheduledAt": value})
                assert answer.json()["details"][0]["field"] == "scheduledAt"
        hour = START + 3600 * SECOND
        claim = lambda now: made.store.write(lambda c: jobs.claim(c, "n", ["dial"], 5, now=now, lease=1))  # noqa: E731
        assert await claim(hour - 1) == []
        assert [job.payload for job in await claim(hour)] == [{"callId": call["id"]}]
        row = await made.store.read(lambda connection: calls.get_any(connection, call["id"]))
        assert row is not None
        assert (row.expires_at, row.ring_timeout_seconds) == (hour + 60 * SECOND, 9)

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"agentId": UNKNOWN}, 404, "agent"),
        ({"phoneNumberId": UNKNOWN}, 404, "phone number"),
        ({"agentId": "x"}, 400, "Validation failed"),
        ({"to": "+123"}, 400, "Validation failed"),
        ({"to": "sip:bob@example.com"}, 400, "Validation failed"),
        ({"to": ""}, 400, "Validation failed"),
        ({"to": "911"}, 403, "Emergency"),
        ({"to": "+12025550100"}, 403, "dialling.allow_own_numbers"),
        ({"to": "+4915112345678"}, 403, "dialling.allow_countries"),
        ({"to": "+19005551234"}, 403, "Premium"),
        ({"retry": {"maxAttempts": 2}}, 400, "Validation failed"),
        ({"callingWindow": {"start": "09:00", "end": "20:00"}}, 400, "Validation failed"),
        ({"maxQueueSeconds": 0}, 400, "Validation failed"),
        ({"ringTimeoutSeconds": 4}, 400, "Validation failed"),
        ({"contextVariables": []}, 400, "Validation failed"),
        ({"metadata": {"a": "\0"}}, 400, "Validation failed"),
    ],
)
def test_calls_that_are_refused(tmp_path: Path, change: dict[str, Any], status: int, says: str) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent, number = await add_agent(client), await add_number(client)
            body = {"agentId": agent["id"], "phoneNumberId": number["id"], "to": "+12025550123", **change}
            answer = await client.post("/v1/calls", json=body)
            assert answer.status_code == status, answer.text
            assert says in answer.json()["error"]
            assert (await client.get("/v1/calls")).json()["pagination"]["total"] == 0

    run(tmp_path, test)


def test_what_is_not_available_yet_says_so(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        body = {"agentId": UNKNOWN, "phoneNumberId": UNKNOWN, "to": "+12025550123", "retry": {}, "callingWindow": {}}
        async with made.client() as client:
            answer = await client.post("/v1/calls", json=body)
        assert answer.json()["details"] == [
            {"field": "retry", "message": "is not available yet"},
            {"field": "callingWindow", "message": "is not available yet"},
        ]

    run(tmp_path, test)


def test_agents_that_cannot_serve_place_no_calls(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent, number = await add_agent(client), await add_number(client)
            body = {"agentId": agent["id"], "phoneNumberId": number["id"], "to": "+12025550123"}
            made.checks.problems = ("There is no recogniser.",)
            answer = await client.post("/v1/calls", json=body)
            assert (answer.status_code, "no recogniser" in answer.json()["error"]) == (409, True)
            made.checks.problems = ()
            await client.patch(f"/v1/agents/{agent['id']}", json={"isActive": False})
            assert (await client.post("/v1/calls", json=body)).status_code == 409

    run(tmp_path, test)


def test_a_full_queue_and_a_node_that_goes_down_say_when_to_come_again(tmp_path: Path) -> None:
    going_down = []

    async def test(made: Installation) -> None:
        async with made.client() as client:
            call = await add_call(client)
            body = {"agentId": call["agentId"], "phoneNumberId": call["phoneNumberId"], "to": "+12025550123"}
            full = await client.post("/v1/calls", json=body)
            assert (full.status_code, full.headers["retry-after"]) == (503, "10")
            going_down.append(True)
            drained = await client.post("/v1/calls", json=body)
            assert drained.status_code == 503
            assert "going down" in drained.json()["error"]
            assert (await client.get("/readyz")).json()["reasons"] == ["The node is going down."]

    run(tmp_path, test, dialling=DiallingPolicy(max_queue=1), draining=lambda: bool(going_down))


def test_the_list_is_filtered_and_newest_first(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            first = await add_call(client, metadata={"campaign": "spring", "row": 1, "vip": True, "a-b": "x"})
            same = {"agentId": first["agentId"], "phoneNumberId": first["phoneNumberId"]}
            made.clock.at += 10 * SECOND
            second = await add_call(client, "+12025550124", metadata={"campaign": "autumn", "row": "1"}, **same)
            made.clock.at += 10 * SECOND
            third = await add_call(
                client, "+12025550125", agentId=(await add_agent(client))["id"], phoneNumberId=same["phoneNumberId"]
            )
            await client.post(f"/v1/calls/{third['id']}/end")
            one, two, three = first["id"], second["id"], third["id"]
            for query, expected in (
                ({}, [three, two, one]),
                ({"status": "queued"}, [two, one]),
                ({"status": "failed"}, [three]),
                ({"direction": "inbound"}, []),
                ({"agentId": first["agentId"].upper()}, [two, one]),
                ({"phoneNumberId": same["phoneNumberId"]}, [three, two, one]),
                ({"customerNumber": "+12025550124"}, [two]),
                ({"createdAfter": "2026-01-01T00:00:10Z"}, [three, two]),
                ({"createdBefore": "2026-01-01T00:00:10Z"}, [one]),
                ({"createdAfter": "2026-01-01T00:00:10Z", "createdBefore": "2026-01-01T00:00:20Z"}, [two]),
                ({"metadata.campaign": "spring"}, [one]),
                ({"metadata.row": "1"}, [two, one]),
                ({"metadata.vip": "true"}, [one]),
                ({"metadata.a-b": "x"}, [one]),
                ({"metadata.campaign": "spring", "metadata.row": "2"}, []),
            ):
                answer = (await client.get("/v1/calls", params=query)).json()
                assert [item["id"] for item in answer["data"]] == expected, query
                assert answer["pagination"] == {"total": len(expected), "limit": 50, "offset": 0}
            page = (await client.get("/v1/calls", params={"limit": 1, "offset": 1})).json()
            assert ([item["id"] for item in page["data"]], page["pagination"]["total"]) == ([two], 3)

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "1.0"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "9" * 30}, "offset"),
        ({"status": "ended"}, "status"),
        ({"agentId": "x"}, "agentId"),
        ({"createdAfter": "yesterday"}, "createdAfter"),
        ({"createdAfter": "2026-01-01T00:00:00"}, "createdAfter"),
        ({"metadata.": "x"}, "metadata."),
        ({'metadata.a"b': "x"}, 'metadata.a"b'),
        ({"metadata.$.a": "x"}, "metadata.$.a"),
        ({"metadata.a.b": "x"}, "metadata.a.b"),
        ({"metadata.0": "x"}, "metadata.0"),
    ],
)
def test_parameters_out_of_range_are_refused(tmp_path: Path, query: dict[str, str], field: str) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            answer = await client.get("/v1/calls", params=query)
        assert answer.status_code == 400
        assert [item["field"] for item in answer.json()["details"]] == [field]

    run(tmp_path, test)


def test_other_organizations_see_nothing(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client, made.client("other") as stranger:
            call = await add_call(client)
            paths = [
                f"/v1/calls/{call['id']}",
                f"/v1/calls/{call['id']}/transcript",
                f"/v1/agents/{call['agentId']}",
                f"/v1/phone-numbers/{call['phoneNumberId']}",
            ]
            for path in paths:
                assert (await client.get(path)).status_code == 200
                assert (await stranger.get(path)).status_code == 404
            for path in paths[2:]:
                assert (await stranger.patch(path, json={"name": "Mine"})).status_code == 404
                assert (await stranger.delete(path)).status_code == 404
            assert (await stranger.post(f"{paths[0]}/end")).status_code == 404
            body = {"agentId": call["agentId"], "phoneNumberId": call["phoneNumberId"], "to": "+12025550123"}
            assert (await stranger.post("/v1/calls", json=body)).status_code == 404
            for path in ("/v1/calls", "/v1/agents", "/v1/phone-numbers"):
                assert (await stranger.get(path)).json()["pagination"]["total"] == 0

    run(tmp_path, test)


def test_a_signed_link_opens_its_transcript_and_nothing_else(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client, made.client("nobody") as nobody:
            first = await add_call(client)
            same = {"agentId": first["agentId"], "phoneNumberId": first["phoneNumberId"]}
            second = await add_call(client, **same)
            path = f"/v1/calls/{first['id']}/transcript"
            link = made.services.links.link(path, made.clock.at + 60 * SECOND)
            assert link.startswith("https://calls.example.com/v1/calls/")
            query = link.partition("?")[2]
            assert (await nobody.get(f"{path}?{query}")).status_code == 200
            for wrong in (
                path,
                f"/v1/calls/{second['id']}/transcript?{query}",
                f"/v1/calls/{first['id']}?{query}",
                f"{path}?{query}x",
                f"{path}?{query.replace('expires=', 'expires=9')}",
            ):
                assert (await nobody.get(wrong)).status_code == 401, wrong
            made.clock.at += 61 * SECOND
            assert (await nobody.get(f"{path}?{query}")).status_code == 401

    run(tmp_path, test)


def test_the_transcript_is_kept_in_order(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call_id = (await add_call(client))["id"]
        for number in range(5):
            await made.log.utterance(call_id, Utterance("user", str(number), 0, number))
        said = await made.store.read(lambda connection: transcripts.of_call(connection, call_id))
        assert [item.text for item in said] == ["0", "1", "2", "3", "4"]

    run(tmp_path, test)
