"""What holds for every operation: keys and scopes, errors, bodies, request ids, health, the documents."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_api.calllog import LOOK_AGAIN
from control_api.keytext import new_key
from control_api.operations import OPERATIONS
from tests.control_api.installation import FOUNTAIN, RAIN, VOICE, Installation, run

NOWHERE = "7b9f4d0e-0000-4000-8000-00000000dead"
SCOPES = ("read", "calls", "admin")


def url(path: str) -> str:
    return "/".join(NOWHERE if part.startswith("{") else part for part in path.split("/"))


def is_error(answer: httpx.Response, status: int) -> bool:
    body = answer.json()
    return answer.status_code == status and set(body) == {"error", "details"} and bool(body["error"])


def test_without_a_key_there_is_only_health(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        text = made.keys["admin"]
        wrong = [
            None,
            "",
            "Bearer",
            f"Basic {text}",
            f"Bearer {text[:-1]}",
            f"Bearer {new_key()}",
            "Bearer ak_\u00e9".encode("latin-1"),
        ]
        async with made.client("nobody") as client:
            for operation in OPERATIONS:
                for value in wrong:
                    headers: Any = {} if value is None else {"Authorization": value}
                    answer = await client.request(operation.method, url(operation.path), headers=headers)
                    if operation.scope is None:
                        assert answer.status_code == 200
                        continue
                    assert is_error(answer, 401), (operation, value)
                    assert answer.headers["www-authenticate"] == "Bearer"

    run(tmp_path, test)


def test_each_scope_holds_the_ones_before_it(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        for index, scope in enumerate(SCOPES):
            async with made.client(scope) as client:
                for operation in (operation for operation in OPERATIONS if operation.scope):
                    answer = await client.request(operation.method, url(operation.path), json={})
                    allowed = index >= SCOPES.index(str(operation.scope))
                    assert (answer.status_code == 403) is not allowed, (operation, scope, answer.text)
                    if not allowed:
                        assert is_error(answer, 403)

    run(tmp_path, test)


def test_a_new_key_works_until_it_is_revoked(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client, made.client("nobody") as nobody:
            made_key = (await client.post("/v1/keys", json={"name": "CI", "scope": "read"})).json()["data"]
            headers = {"Authorization": f"bearer {made_key['key']}"}
            assert (await nobody.get("/v1/agents", headers=headers)).status_code == 200
            listed = (await client.get("/v1/keys")).json()
            assert listed["pagination"]["total"] == 4
            assert listed["data"][0] == {name: value for name, value in made_key.items() if name != "key"}
            assert made_key["key"] not in json.dumps(listed)
            assert (await client.delete(f"/v1/keys/{made_key['id']}")).status_code == 204
            assert (await client.delete(f"/v1/keys/{made_key['id']}")).status_code == 404
            assert (await nobody.get("/v1/agents", headers=headers)).status_code == 401
            for body in ({"name": "x"}, {"name": "x", "scope": "root"}, {"name": "", "scope": "read"}):
                assert is_error(await client.post("/v1/keys", json=body), 400)

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b'{"name": "A"}', "application/json", 201),
        (b'{"name": "A"}', "application/json; charset=utf-8", 201),
        (b'{"name": "A"}', "text/plain", 415),
        (b'{"name": "A"}', "", 415),
        (b'{"name": "A"', "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b'{"name": "a\\u0000b"}', "application/json", 400),
        (b'{"name": "A", "voiceSpeed": NaN}', "application/json", 400),
        (b'{"name": "A", "script": {"start": 1e999}}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name": "A", "x": "' + b"x" * 1024 * 1024 + b'"}', "application/json", 413),
    ],
)
def test_bodies(tmp_path: Path, content: bytes, media: str, status: int) -> None:
    async def test(made: Installation) -> None:
        headers = {"Content-Type": media} if media else {}
        async with made.client() as client:
            answer = await client.post("/v1/agents", content=content, headers=headers)
        assert answer.status_code == status, answer.text
        assert status == 201 or is_error(answer, status)

    run(tmp_path, test)


def test_paths_and_methods_that_are_not_there(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            for path in ("/", "/v1", "/v1/tools", "/v1/agents/", f"/v1/calls/{NOWHERE}/ring", "/v1/agents/a/b/c"):
                assert is_error(await client.get(path, follow_redirects=False), 404), path
            answer = await client.put("/v1/agents", json={})
            assert is_error(answer, 405)
            assert answer.headers["allow"] == "GET, HEAD, POST"
            answer = await client.get(f"/v1/calls/{NOWHERE}/end")
            assert answer.headers["allow"] == "POST"
            head = await client.head("/v1/agents")
            assert head.status_code == 200
            for path in ("not-a-uuid", "%00", "a" * 500):
                assert is_error(await client.get(f"/v1/agents/{path}"), 404)

    run(tmp_path, test)


def test_the_request_id_is_echoed_or_made(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            for path in ("/livez", "/v1/agents", "/nowhere", "/docs"):
                given = await client.get(path, headers={"X-Request-Id": "abc-123"})
                assert given.headers["x-request-id"] == "abc-123"
                made_up = await client.get(path, headers={"X-Request-Id": "no spaces please"})
                assert len(made_up.headers["x-request-id"]) == 32

    run(tmp_path, test)


def test_a_defect_of_ours_is_answered_and_told_nothing_of(tmp_path: Path) -> None:
    def broken() -> tuple[str, ...]:
        raise RuntimeError("secret detail")

    async def test(made: Installation) -> None:
        async with made.client() as client:
            answer = await client.get("/readyz")
        assert is_error(answer, 500)
        assert "secret detail" not in answer.text
        assert len(answer.headers["x-request-id"]) == 32

    run(tmp_path, test, unready=broken)


def test_readiness_lists_its_reasons(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client("nobody") as client:
            assert (await client.get("/readyz")).status_code == 503
            made.phone.free = 0
            made.folder.recordings.rmdir()
            made.clock.at += LOOK_AGAIN
            answer = await client.get("/readyz")
            assert (await client.get("/livez")).json() == {"status": "ok", "reasons": []}
        assert answer.json()["status"] == "unavailable"
        assert answer.json()["reasons"] == [
            "The engines are starting.",
            "The recordings' folder cannot be read: No such file or directory.",
            "Every channel is taken.",
        ]

    run(tmp_path, test, unready=lambda: ("The engines are starting.",))


def test_voices_are_listed(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client("read") as client:
            answer = (await client.get("/v1/voices")).json()
            beyond = (await client.get("/v1/voices", params={"offset": 1})).json()
        assert answer["data"] == [{"id": VOICE.id, "name": "slt", "engine": "espeak", "language": "en", "gender": None}]
        assert answer["pagination"] == {"total": 1, "limit": 50, "offset": 0}
        assert beyond["data"] == []

    run(tmp_path, test)


def test_background_sounds_are_listed(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client("read") as client:
            answer = (await client.get("/v1/background-sounds")).json()
            one = (await client.get("/v1/background-sounds", params={"offset": 1, "limit": 1})).json()
        assert answer["data"] == [
            {"id": RAIN.id, "name": "rain", "builtIn": True, "seconds": 16.0},
            {"id": FOUNTAIN.id, "name": "fountain", "builtIn": False, "seconds": 2.5},
        ]
        assert answer["pagination"] == {"total": 2, "limit": 50, "offset": 0}
        assert [sound["name"] for sound in one["data"]] == ["fountain"]

    run(tmp_path, test)


def test_parameters_that_are_not_known_are_named_or_refused(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client("read") as client:
            answer = await client.get("/v1/agents", params={"state": "failed", "limit": "5"})
            assert answer.json()["warnings"] == ["state"]
            assert answer.json()["pagination"]["limit"] == 5
            strict = await client.get("/v1/agents", params={"state": "x"}, headers={"Prefer": "handling=strict"})
            assert is_error(strict, 400)

    run(tmp_path, test)


def test_the_documents_need_nobody_and_nothing_from_outside(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client("nobody") as client:
            document = (await client.get("/openapi.json")).json()
            page = await client.get("/docs")
        assert document["openapi"].startswith("3.1")
        operations = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
        assert operations == {(operation.method, operation.path) for operation in OPERATIONS}
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        for operation in OPERATIONS:
            assert escape(operation.summary) in page.text

    run(tmp_path, test)
