"""Transfers over HTTP: an agent's targets, the order to hand a call over, and what a call tells of its transfers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from control_api.dialling import DiallingPolicy
from control_api.transfer_desk import Desk
from sipserver.protocols import (
    CallEnd,
    CallStatus,
    EndedReason,
    TransferFailure,
    TransferMode,
    TransferOrder,
    TransferRecord,
    TransferStatus,
    TransferTarget,
    Utterance,
)
from tests.control_api.installation import START, Installation, add_agent, add_call, add_number, run

SECOND = 1_000_000
PERSON = {"type": "phone", "number": "+12025550177", "label": "reception", "mode": "warm"}
FIRST = "7b9f4d0e-0000-4000-8000-000000000001"
SECOND_ID = "7b9f4d0e-0000-4000-8000-000000000002"


def test_the_whole_list_of_targets_is_replaced_and_read(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            colleague = await add_agent(client, name="Accounts")
            agent = await add_agent(client, transferTargets=[PERSON])
            assert agent["transferTargets"][0]["label"] == "reception"
            path = f"/v1/agents/{agent['id']}"
            other = {"type": "agent", "targetAgentId": colleague["id"], "description": "bills"}
            sip = {"type": "phone", "sipUri": "sip:desk@pbx.example.com", "label": "desk", "mode": "cold", "colour": 1}
            answer = await client.put(f"{path}/transfer-targets", json={"transferTargets": [other, sip]})
            assert answer.json() == {"success": True, "warnings": ["transferTargets.1.colour"]}
            read = (await client.get(path)).json()["data"]
            assert [(item["type"], item["label"]) for item in read["transferTargets"]] == [
                ("agent", None),
                ("phone", "desk"),
            ]
            known = made.directory.agent(agent["id"])
            assert known is not None
            assert known.transfer_targets == (
                TransferTarget(colleague["id"], TransferMode.AGENT, agent_id=colleague["id"], description="bills"),
                TransferTarget("desk", TransferMode.COLD, sip_uri="sip:desk@pbx.example.com"),
            )
            again = await client.patch(path, json=read)
            assert again.json()["data"]["transferTargets"] == read["transferTargets"]

    run(tmp_path, test)


def test_targets_are_the_organizations_own_and_an_admins_business(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client, made.client("other") as other, made.client("calls") as calls:
            agent, theirs = await add_agent(client), await add_agent(other)
            path = f"/v1/agents/{agent['id']}/transfer-targets"
            for target, status in ((theirs["id"], 400), (agent["id"], 400)):
                given = {"transferTargets": [{"type": "agent", "targetAgentId": target}]}
                answer = await client.put(path, json=given)
                assert answer.status_code == status
                assert answer.json()["details"][0]["field"] == "transferTargets.0.targetAgentId"
            assert (await calls.put(path, json={"transferTargets": []})).status_code == 403
            assert (await other.put(path, json={"transferTargets": []})).status_code == 404

    run(tmp_path, test)


def test_a_script_transfers_only_to_labels_that_there_are(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            script = {"start": "a", "transfers": ["reception"]}
            refused = await client.post("/v1/agents", json={"name": "x", "script": script})
            assert refused.json()["details"] == [{"field": "script.steps.human.transfer", "message": "no reception"}]
            agent = await add_agent(client, script=script, transferTargets=[PERSON])
            path = f"/v1/agents/{agent['id']}"
            for answer in (
                await client.put(f"{path}/transfer-targets", json={"transferTargets": []}),
                await client.patch(path, json={"transferTargets": []}),
                await client.patch(path, json={"script": {**script, "transfers": ["accounts"]}}),
            ):
                assert answer.status_code == 400
                assert answer.json()["details"][0]["field"] == "script.steps.human.transfer"
            both = {"script": {**script, "transfers": ["desk"]}, "transferTargets": [{**PERSON, "label": "desk"}]}
            assert (await client.patch(path, json=both)).status_code == 200

    run(tmp_path, test)


async def live_call(made: Installation, **agent_fields: Any) -> tuple[dict[str, Any], str]:
    """A call that is answered, and its agent."""
    async with made.client() as client:
        agent = await add_agent(client, **agent_fields)
        call = await add_call(client, agentId=agent["id"])
    await made.log.answered(call["id"], "sip-1", START + SECOND)
    made.phone.live.add(call["id"])
    return agent, call["id"]


def test_a_call_is_handed_over_by_label_number_or_agent(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        agent, call_id = await live_call(made, transferTargets=[PERSON])
        reception = TransferTarget("reception", TransferMode.WARM, number="+12025550177")
        async with made.client("calls") as client, made.client() as admin:
            colleague = await add_agent(admin, name="Accounts")
            path = f"/v1/calls/{call_id}/transfer"
            for body, target in (
                ({"label": "reception"}, reception),
                ({"label": "reception", "mode": "cold"}, replace(reception, mode=TransferMode.COLD)),
                (
                    {"to": "+12025550188", "mode": "warm_briefing", "briefing": "b"},
                    TransferTarget("+12025550188", TransferMode.WARM_BRIEFING, number="+12025550188"),
                ),
                (
                    {"targetAgentId": colleague["id"]},
                    TransferTarget("Accounts", TransferMode.AGENT, agent_id=colleague["id"]),
                ),
            ):
                answer = await client.post(path, json=body)
                assert answer.status_code == 200, answer.text
                assert answer.json()["data"]["agentId"] == agent["id"]
                assert made.phone.transferred[-1] == (call_id, TransferOrder(target, body.get("briefing")))

    run(tmp_path, test)


def test_orders_that_cannot_be_carried_out_are_refused(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        _, call_id = await live_call(made, transferTargets=[PERSON])
        async with made.client("calls") as client, made.client("read") as reader, made.client("other") as other:
            path = f"/v1/calls/{call_id}/transfer"
            for body, status, says in (
                ({}, 400, "exactly one of"),
                ({"label": "reception", "number": "+12025550188", "mode": "cold"}, 400, "exactly one of"),
                ({"number": "+12025550188"}, 400, "a number needs a mode"),
                ({"targetAgentId": FIRST, "mode": "warm"}, 400, "not for agents"),
                ({"targetAgentId": FIRST}, 404, "agent"),
                ({"label": "accounts"}, 400, "no transfer target"),
                ({"number": "2025550188", "mode": "cold"}, 400, "E.164"),
                ({"number": "+4930123456", "mode": "cold"}, 403, "dialling.allow_countries"),
                ({"number": "+12025550100", "mode": "cold"}, 403, "dialling.allow_own_numbers"),
                ({"number": "911", "mode": "cold"}, 403, "Emergency"),
                ({"number": "+19005550188", "mode": "warm"}, 403, "Premium"),
            ):
                answer = await client.post(path, json=body)
                assert answer.status_code == status, (body, answer.text)
                assert says in answer.text
            good = {"label": "reception"}
            assert (await reader.post(path, json=good)).status_code == 403
            assert (await other.post(path, json=good)).status_code == 404
            made.phone.live.clear()
            assert (await client.post(path, json=good)).status_code == 409
        assert made.phone.transferred == []

    run(tmp_path, test)


def record(id_: str, status: TransferStatus, **changes: Any) -> TransferRecord:
    whole = {
        "mode": TransferMode.WARM_BRIEFING,
        "label": "reception",
        "to": "+12025550177",
        "created_at": START + 1,
        **changes,
    }
    return TransferRecord(id=id_, status=status, **whole)


def test_a_call_tells_of_its_transfers_while_they_go_on_and_afterwards(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        _, call_id = await live_call(made)

        async def told() -> dict[str, Any]:
            async with made.client("read") as client:
                data: dict[str, Any] = (await client.get(f"/v1/calls/{call_id}")).json()["data"]
                listed = (await client.get("/v1/calls")).json()["data"][0]
                assert listed["transferCalls"] == data["transferCalls"]
            return data

        busy = {"failure": TransferFailure.BUSY, "sip_code": 486, "ended_at": START + 9 * SECOND}
        await made.log.transfer(call_id, record(FIRST, TransferStatus.INITIATED))
        await made.log.transfer(call_id, record(FIRST, TransferStatus.FAILED, **busy))
        for status, at in (
            (TransferStatus.INITIATED, None),
            (TransferStatus.RINGING, None),
            (TransferStatus.ANSWERED, 1),
        ):
            started = None if at is None else START + 20 * SECOND
            await made.log.transfer(call_id, record(SECOND_ID, status, started_at=started, created_at=START + 2))
            data = await told()
            assert (data["transferType"], data["transferStatus"]) == ("warm_briefing", status)
            assert data["transferCalls"][1]["status"] == {"initiated": "queued", "answered": "in_progress"}.get(
                status, "ringing"
            )
        said = (Utterance("assistant", "A caller.", 0, 900),)
        bridged = record(
            SECOND_ID, TransferStatus.COMPLETED, started_at=START + 20 * SECOND, created_at=START + 2, transcript=said
        )
        await made.log.transfer(call_id, bridged)
        assert (await told())["transferCalls"][1]["status"] == "in_progress"
        await made.log.ended(call_id, CallEnd(CallStatus.COMPLETED, EndedReason.TRANSFERRED, START + 80 * SECOND))
        await made.log.transfer(call_id, record(SECOND_ID, TransferStatus.FAILED))
        first, second = (await told())["transferCalls"]
        assert (first["status"], first["failureReason"], first["durationSeconds"]) == ("failed", "busy", 0)
        assert second == {
            "id": SECOND_ID,
            "transferType": "warm_briefing",
            "transferStatus": "completed",
            "durationSeconds": 60,
            "customerNumber": "+12025550177",
            "recordingUrl": None,
            "transcript": [
                {"role": "assistant", "content": "A caller.", "startMs": 0, "endMs": 900, "interrupted": False}
            ],
            "startedAt": "2026-01-01T00:00:20Z",
            "endedAt": "2026-01-01T00:01:20Z",
            "cost": None,
            "status": "completed",
            "label": "reception",
            "failureReason": None,
        }

    run(tmp_path, test)


def test_what_is_under_way_when_a_call_ends_is_canceled(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        _, call_id = await live_call(made)
        await made.log.transfer(call_id, record(FIRST, TransferStatus.RINGING))
        await made.log.ended(call_id, CallEnd(CallStatus.COMPLETED, EndedReason.NODE_LOST, START + 80 * SECOND))
        async with made.client("read") as client:
            data = (await client.get(f"/v1/calls/{call_id}")).json()["data"]
        assert (data["transferStatus"], data["transferCalls"][0]["status"]) == ("canceled", "failed")
        assert data["transferCalls"][0]["endedAt"] == "2026-01-01T00:01:20Z"

    run(tmp_path, test)


def test_the_desk_knows_what_may_be_dialled_and_who_is_there(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        desk = Desk(DiallingPolicy(), made.directory, made.checks)
        async with made.client() as client:
            await add_number(client)
            agent = await add_agent(client)
            away = await add_agent(client, isActive=False)
        assert desk.refusal("+12025550177", "+12025550100") is None
        assert "allow_own_numbers" in (desk.refusal("+12025550100", "+12025550199") or "")
        for user, says in (
            ("200", None),
            ("sales.team", None),
            ("911", "Emergency"),
            ("9011442071838750", "E.164"),
            ("*72", "E.164"),
        ):
            refusal = desk.refusal(user, "+12025550100", extension=True)
            assert refusal is None if says is None else says in (refusal or ""), user
        assert "E.164" in (desk.refusal("200", "+12025550100") or "")
        assert "must be written in E.164" in (desk.refusal("2025550177", "+12025550100") or "")
        made.checks.problems = ("no voice",)
        found = await desk.colleague(agent["id"], agent["organizationId"])
        assert found is not None
        assert (found.agent.id, found.not_ready) == (agent["id"], ("no voice",))
        assert await desk.colleague(agent["id"], "another") is None
        assert await desk.colleague(away["id"], away["organizationId"]) is None

    run(tmp_path, test)
