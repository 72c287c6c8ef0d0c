"""The curl commands of the guides for trunks, sent to the API in their order: every body is accepted, and no field is unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.control_api.installation import Installation, add_agent, run

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted(ROOT.glob("docs/trunks/*.md"))

_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CURL = re.compile(
    r"^(?:(?P<name>[A-Z]+)=\$\()?curl (?P<flags>(?:-\S+ )*?(?:-H \"\$AUTH\" )?(?:-X (?P<method>[A-Z]+) )?)"
    r"\$API(?P<path>/\S+) --json '(?P<body>(?:[^']|'\$[A-Z]+')*)'",
    re.MULTILINE,
)
_QUOTED = re.compile(r"'\$([A-Z]+)'")
_VARIABLE = re.compile(r"\$([A-Z]+)")


@dataclass(frozen=True, slots=True)
class Command:
    """One curl command. `name` is the variable that keeps the id of what is made."""

    name: str | None
    method: str
    path: str
    body: str

    def filled(self, variables: dict[str, str]) -> tuple[str, dict[str, Any]]:
        """Path and body, with the variables' values."""
        path = _VARIABLE.sub(lambda match: variables[match[1]], self.path)
        return path, json.loads(_QUOTED.sub(lambda match: variables[match[1]], self.body))


def commands(page: str) -> Iterator[Command]:
    """What a guide sends to the API."""
    for shell in _SHELL.findall(page):
        for match in _CURL.finditer(shell):
            yield Command(match["name"], match["method"] or "POST", match["path"], match["body"])


async def _forget(client: httpx.AsyncClient, number: str) -> None:
    """Who reads a guide takes one of its ways: what another way has made is not there."""
    for known in (await client.get("/v1/phone-numbers")).json()["data"]:
        if known["number"] == number:
            assert (await client.delete(f"/v1/phone-numbers/{known['id']}")).status_code == 204


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.name))
def test_every_body_is_accepted(guide: Path, tmp_path: Path) -> None:
    found = list(commands(guide.read_text("utf-8")))
    assert {command.path for command in found} >= {"/trunks", "/phone-numbers", "/calls"}

    async def test(made: Installation) -> None:
        async with made.client() as client:
            variables = {"AGENT": (await add_agent(client))["id"]}
            for command in found:
                path, body = command.filled(variables)
                if path == "/phone-numbers":
                    await _forget(client, body["number"])
                answer = await client.request(
                    command.method, f"/v1{path}", json=body, headers={"Prefer": "handling=strict"}
                )
                assert answer.status_code in (200, 201), (command, answer.json())
                if command.name is not None:
                    variables[command.name] = answer.json()["data"]["id"]

    run(tmp_path, test)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.name))
def test_no_command_is_passed_over(guide: Path) -> None:
    page = guide.read_text("utf-8")
    written = sum(shell.count("--json '") for shell in _SHELL.findall(page))
    assert len(list(commands(page))) == written > 0
