"""Agents over HTTP: every field of the contract, its default and its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from control_api.profiles import agent_of
from control_api.store import agents
from tests.control_api.installation import RAIN, VOICE, Installation, add_agent, add_call, add_number, run

DEFAULTS: dict[str, Any] = {
    "systemPrompt": "",
    "slmModelId": None,
    "voiceId": None,
    "voiceSpeed": 1,
    "voiceStability": 0.5,
    "turnEndpointDelay": 100,
    "minTurnDuration": 50,
    "minInterruptionDuration": 100,
    "frameActivationThreshold": 0.35,
    "postSpeechCooldown": 400,
    "ultravadEotThreshold": 0.1,
    "speculativeSilenceMs": 150,
    "fallbackSilenceMs": 3000,
    "allowEndCall": True,
    "isActive": True,
    "postCallSummaryEnabled": False,
    "postCallExtractionSchema": [],
    "postCallWebhookUrl": None,
    "postCallWebhookSecret": None,
    "firstSpeaker": "user",
    "agentGreeting": None,
    "agentGreetingEnabled": False,
    "firstMessageUninterruptible": False,
    "firstMessageDelay": 0,
    "maxCallDurationSeconds": 600,
    "languageHint": None,
    "knowledgeSearchInstructions": None,
    "backgroundSoundId": None,
    "backgroundSoundVolume": 0.15,
    "holdMessage": None,
    "holdMusicUrl": None,
    "transferMaxSeconds": 14_400,
    "script": None,
    "disclosure": None,
    "silence": {"promptAfterMs": 8000, "prompts": [], "endAfter": 2},
    "voicemail": {"action": "hangup", "message": None},
    "recording": {"enabled": True, "afterDisclosure": False, "format": "mp3", "retentionDays": None},
    "timezone": None,
    "toolIds": [],
    "transferTargets": [],
    "readiness": {"ok": True, "problems": []},
}

LIMITS = [
    ("name", [1, 255], [0, 256]),
    ("systemPrompt", [0, 32_000], [32_001]),
    ("agentGreeting", [1000], [1001]),
    ("languageHint", [10], [11]),
    ("knowledgeSearchInstructions", [2000], [2001]),
    ("holdMessage", [500], [501]),
    ("disclosure", [1000], [1001]),
]

RANGES = [
    ("voiceSpeed", [0.6, 1, 1.5], [0.59, 1.51]),
    ("voiceStability", [0, 1], [-0.1, 1.1]),
    ("turnEndpointDelay", [50, 2000, None], [49, 2001]),
    ("minTurnDuration", [0, 2000, None], [-1, 2001]),
    ("minInterruptionDuration", [0, 2000, None], [-1, 2001]),
    ("frameActivationThreshold", [0, 1, None], [-0.01, 1.01]),
    ("postSpeechCooldown", [0, 5000, None], [-1, 5001]),
    ("ultravadEotThreshold", [0, 1, None], [-0.01, 1.01]),
    ("speculativeSilenceMs", [0, 5000, None], [-1, 5001]),
    ("fallbackSilenceMs", [0, 10_000, None], [-1, 10_001]),
    ("firstSpeaker", ["user", "agent"], ["nobody", None]),
    ("firstMessageDelay", [0, 10_000], [-1, 10_001]),
    ("maxCallDurationSeconds", [30, 3600], [29, 3601, None]),
    ("transferMaxSeconds", [60, 86_400], [59, 86_401, None]),
    (
        "transferTargets",
        [[], [{"type": "phone", "number": "+12025550177", "label": "desk", "mode": "cold"}]],
        [
            [{"type": "phone", "number": "+12025550177", "label": "desk"}],
            [{"type": "phone", "label": "desk", "mode": "cold"}],
            [{"type": "phone", "number": "112", "label": "desk", "mode": "cold"}],
            [{"type": "phone", "sipUri": "desk@example.com", "label": "desk", "mode": "cold"}],
            [{"type": "agent", "number": "+12025550177"}],
            [{"type": "agent", "targetAgentId": "7b9f4d0e-0000-5000-8000-00000000dead"}],
            [{"type": "phone", "number": "+12025550177", "label": "desk", "mode": "cold"}] * 2,
            [{"type": "fax", "number": "+12025550177", "label": "desk", "mode": "cold"}],
        ],
    ),
    ("backgroundSoundVolume", [0, 1], [-0.1, 1.1]),
    ("backgroundSoundId", [RAIN.id, None], ["7b9f4d0e-0000-5000-8000-00000000dead", "rain"]),
    ("timezone", ["Europe/Berlin", None], ["Mars/Base", "../etc/passwd", ""]),
    ("isActive", [True, False], [None, 1, "true"]),
    ("postCallWebhookUrl", ["https://x.example/hook", None], ["http://x.example", "https://10.0.0.1/x", "x"]),
    ("holdMusicUrl", ["https://x.example/m.mp3", None], ["http://x.example/m", f"https://x.example/{'m' * 500}", "x"]),
    ("voiceId", [VOICE.id, None], ["7b9f4d0e-0000-5000-8000-00000000dead", "slt"]),
    ("slmModelId", [None], ["7b9f4d0e-0000-5000-8000-00000000dead"]),
    ("toolIds", [[]], [["7b9f4d0e-0000-5000-8000-00000000dead"]]),
    (
        "postCallExtractionSchema",
        [[{"name": "a", "type": "enum", "options": ["x"]}]],
        [[{"name": "a", "type": "enum"}]],
    ),
    ("script", [{"start": "a"}, None], [{}, [], "text"]),
]


def test_only_a_name_is_needed_and_every_field_is_there(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
        own = {name: agent.pop(name) for name in ("id", "organizationId", "name", "createdAt", "updatedAt")}
        assert agent == DEFAULTS
        assert own["name"] == "Reception"
        assert own["createdAt"] == own["updatedAt"] == "2026-01-01T00:00:00Z"

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("field", "good", "bad"), RANGES + [(n, ["x" * g for g in gs], ["x" * b for b in bs]) for n, gs, bs in LIMITS]
)
def test_values_within_their_limits_are_kept_and_others_are_refused(
    tmp_path: Path, field: str, good: list[Any], bad: list[Any]
) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            for value in good:
                answer = await client.patch(f"/v1/agents/{agent['id']}", json={field: value})
                assert answer.status_code == 200, answer.text
                shown = answer.json()["data"][field]
                if isinstance(value, list | dict) and value:
                    assert shown
                else:
                    assert shown == value
            for value in bad:
                answer = await client.patch(f"/v1/agents/{agent['id']}", json={field: value})
                assert answer.status_code == 400, (value, answer.text)
                assert answer.json()["error"] == "Validation failed"
                assert answer.json()["details"][0]["field"].startswith(field)

    run(tmp_path, test)


def test_an_agent_that_was_read_can_be_sent_back(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client, postCallWebhookSecret="whsec_c2VjcmV0", languageHint="en")
            assert agent["postCallWebhookSecret"] == "********"
            answer = await client.patch(f"/v1/agents/{agent['id']}", json=agent)
            assert answer.status_code == 200, answer.text
            assert "warnings" not in answer.json()
            assert {**answer.json()["data"], "updatedAt": ""} == {**agent, "updatedAt": ""}
        row = await made.store.read(lambda connection: agents.get_any(connection, agent["id"]))
        assert row is not None
        assert row.webhook_secret is not None
        assert "whsec" not in row.webhook_secret
        assert made.services.box.open(row.webhook_secret) == "whsec_c2VjcmV0"

    run(tmp_path, test)


def test_a_secret_can_be_changed_and_removed(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client, postCallWebhookSecret="one")
            path = f"/v1/agents/{agent['id']}"
            for sent, kept in (("two", "two"), ("********", "two"), (None, None)):
                shown = (await client.patch(path, json={"postCallWebhookSecret": sent})).json()["data"]
                row = await made.store.read(lambda connection: agents.get_any(connection, agent["id"]))
                assert row is not None
                assert made.services.box.open_optional(row.webhook_secret) == kept
                assert shown["postCallWebhookSecret"] == (None if kept is None else "********")

    run(tmp_path, test)


def test_unknown_fields_are_named_or_refused(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        body = {
            "name": "A",
            "colour": "red",
            "silence": {"loud": 1},
            "postCallExtractionSchema": [{"key": "k", "type": "date", "x": 1}],
        }
        async with made.client() as client:
            answer = await client.post("/v1/agents", json=body)
            assert answer.status_code == 201
            assert sorted(answer.json()["warnings"]) == ["colour", "postCallExtractionSchema.0.x", "silence.loud"]
            assert "colour" not in answer.json()["data"]
            assert answer.json()["data"]["postCallExtractionSchema"][0]["name"] == "k"
            assert "x" not in answer.json()["data"]["postCallExtractionSchema"][0]
            strict = await client.post("/v1/agents", json=body, headers={"Prefer": "respond-async, handling=strict"})
            assert strict.status_code == 400
            assert {item["field"] for item in strict.json()["details"]} == set(answer.json()["warnings"])

    run(tmp_path, test)


def test_what_is_wrong_with_a_script_is_named_with_its_place(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            answer = await client.post(
                "/v1/agents", json={"name": "A", "script": {"steps": {}}, "voiceId": made.keys["read"][:36]}
            )
            assert answer.status_code == 400
            answer = await client.post("/v1/agents", json={"name": "A", "script": {"steps": {}}})
            assert answer.json()["details"] == [
                {"field": "script.steps.confirm.listen.0", "message": "nothing can be heard"}
            ]

    run(tmp_path, test)


def test_an_alias_of_a_hosted_platform_stands_for_our_voice(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client, voiceId="00000000-0000-4000-8000-0000000000AA")
            assert agent["voiceId"] == VOICE.id
            answer = await client.patch(
                f"/v1/agents/{agent['id']}", json={"voiceId": "7b9f4d0e-0000-5000-8000-00000000dead"}
            )
            assert "GET /v1/voices" in answer.json()["details"][0]["message"]

    run(tmp_path, test)


def test_an_unknown_background_sound_is_refused_with_the_list_to_look_in(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client, backgroundSoundId=RAIN.id, backgroundSoundVolume=0.3)
            answer = await client.patch(f"/v1/agents/{agent['id']}", json={"backgroundSoundId": VOICE.id})
            assert answer.status_code == 400
            assert [detail["field"] for detail in answer.json()["details"]] == ["backgroundSoundId"]
            assert "GET /v1/background-sounds" in answer.json()["details"][0]["message"]
            kept = (await client.get(f"/v1/agents/{agent['id']}")).json()["data"]
            assert (kept["backgroundSoundId"], kept["backgroundSoundVolume"]) == (RAIN.id, 0.3)
        known = made.services.directory.agent(agent["id"])
        assert known is not None
        assert (known.background_sound_id, known.background_sound_volume) == (RAIN.id, 0.3)

    run(tmp_path, test)


def test_readiness_is_that_of_the_moment(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            made.checks.problems = ("There is no recogniser.",)
            shown = (await client.get(f"/v1/agents/{agent['id']}")).json()["data"]
            assert shown["readiness"] == {"ok": False, "problems": ["There is no recogniser."]}

    run(tmp_path, test)


def test_a_changed_agent_is_known_to_the_directory(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            await client.patch(f"/v1/agents/{agent['id']}", json={"turnEndpointDelay": None, "fallbackSilenceMs": 900})
        known = made.directory.agent(agent["id"])
        assert known is not None
        assert (known.turn.endpoint_delay_ms, known.turn.fallback_silence_ms) == (100, 900)

    run(tmp_path, test)


def test_deleting_is_refused_while_somebody_needs_the_agent(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            path = f"/v1/agents/{agent['id']}"
            number = await add_number(client, agentId=agent["id"])
            refused = await client.delete(path)
            assert refused.status_code == 409
            assert "+12025550100" in refused.json()["error"]
            await client.patch(f"/v1/phone-numbers/{number['id']}", json={"agentId": None})
            call = await add_call(client, agentId=agent["id"], phoneNumberId=number["id"])
            assert (await client.delete(path)).status_code == 409
            await client.post(f"/v1/calls/{call['id']}/end")
            gone = await client.delete(path)
            assert (gone.status_code, gone.content) == (204, b"")
            assert (await client.get(path)).status_code == 404
            assert (await client.delete(path)).status_code == 404
            assert (await client.get("/v1/agents")).json()["pagination"]["total"] == 0
        row = await made.store.read(lambda connection: agents.get_any(connection, agent["id"]))
        assert row is not None
        assert agent_of(row).name == "Reception"
        assert made.directory.agent(agent["id"]) is None

    run(tmp_path, test)


def test_an_installation_moves_with_its_ids(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client, id="7B9F4D0E-0000-4000-8000-000000000001")
            assert agent["id"] == "7b9f4d0e-0000-4000-8000-000000000001"
            again = await client.post("/v1/agents", json={"name": "B", "id": agent["id"]})
            assert again.status_code == 409

    run(tmp_path, test)
