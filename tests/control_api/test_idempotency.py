"""`Idempotency-Key`: done once, answered as often as asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

from control_api.idempotency import LIFETIME
from tests.control_api.installation import Installation, add_agent, add_number, run

KEY = {"Idempotency-Key": "order 66"}


def test_the_first_answer_comes_again(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent, number = await add_agent(client), await add_number(client)
            body = {"agentId": agent["id"], "phoneNumberId": number["id"], "to": "+12025550123", "hue": 1}
            first = await client.post("/v1/calls", json=body, headers=KEY)
            again = await client.post("/v1/calls", json=body, headers=KEY)
            assert (first.status_code, again.status_code) == (201, 201)
            assert first.content == again.content
            assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
            assert first.json()["warnings"] == ["hue"]
            assert (await client.get("/v1/calls")).json()["pagination"]["total"] == 1

    run(tmp_path, test)


def test_of_many_at_once_one_is_done(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            answers = await asyncio.gather(
                *(client.post("/v1/agents", json={"name": "A"}, headers=KEY) for _ in range(8))
            )
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.content for answer in answers}) == 1
            assert (await client.get("/v1/agents")).json()["pagination"]["total"] == 1

    run(tmp_path, test)


def test_another_request_under_the_same_key_is_refused(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client, made.client("other") as stranger:
            await client.post("/v1/agents", json={"name": "A"}, headers=KEY)
            assert (await client.post("/v1/agents", json={"name": "B"}, headers=KEY)).status_code == 422
            assert (await client.post("/v1/keys", json={"name": "A"}, headers=KEY)).status_code == 422
            assert (await stranger.post("/v1/agents", json={"name": "B"}, headers=KEY)).status_code == 201

    run(tmp_path, test)


def test_a_refusal_is_not_kept(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            body = {"number": "+12025550100", "sipMode": "ip_allowlist", "sipIp": "192.0.2.1"}
            number = await add_number(client)
            assert (await client.post("/v1/phone-numbers", json=body, headers=KEY)).status_code == 409
            await client.delete(f"/v1/phone-numbers/{number['id']}")
            assert (await client.post("/v1/phone-numbers", json=body, headers=KEY)).status_code == 201

    run(tmp_path, test)


def test_answers_are_forgotten_after_a_day(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            first = await client.post("/v1/agents", json={"name": "A"}, headers=KEY)
            made.clock.at += LIFETIME + 1
            second = await client.post("/v1/agents", json={"name": "B"}, headers=KEY)
            assert second.status_code == 201
            assert first.json()["data"]["id"] != second.json()["data"]["id"]

    run(tmp_path, test)


def test_a_new_key_is_not_kept_in_clear(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            body = {"name": "CI", "scope": "read"}
            first = await client.post("/v1/keys", json=body, headers=KEY)
            again = await client.post("/v1/keys", json=body, headers=KEY)
            assert first.json()["data"]["key"] == again.json()["data"]["key"]
        kept = b"".join(path.read_bytes() for path in made.folder.root.glob("antiphon.db*"))
        assert first.json()["data"]["id"].encode() in kept
        assert first.json()["data"]["key"].encode() not in kept

    run(tmp_path, test)


def test_a_key_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            for key in ("", "x" * 256, "a\tb"):
                answer = await client.post("/v1/agents", json={"name": "A"}, headers={"Idempotency-Key": key})
                assert answer.status_code == 400, key

    run(tmp_path, test)
