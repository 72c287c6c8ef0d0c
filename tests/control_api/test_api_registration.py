"""What a number tells of its trunk: the registration, or the health; and an outbound proxy with a port."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sipserver.protocols import RegistrationState, TrunkHealth
from tests.control_api.installation import START, Installation, add_number, run

REGISTRATION = {
    "sipMode": "registration",
    "sipUsername": "alice",
    "sipPassword": "s3cret",
    "sipProxy": "sip.example.com",
}


@dataclass
class States:
    """Says of every trunk what it was told to say."""

    registrations: dict[str, RegistrationState] = field(default_factory=dict)
    healths: dict[str, TrunkHealth] = field(default_factory=dict)

    def registration(self, trunk_id: str) -> RegistrationState | None:
        return self.registrations.get(trunk_id)

    def health(self, trunk_id: str) -> TrunkHealth | None:
        return self.healths.get(trunk_id)


def test_a_registration_is_told_as_it_stands(tmp_path: Path) -> None:
    states = States()

    async def test(made: Installation) -> None:
        async with made.client() as client:
            number = await add_number(client, **REGISTRATION)
            assert number["registration"] == {"status": "registering", "expiresAt": None, "lastError": None}
            states.registrations[number["trunkId"]] = RegistrationState("registered", START + 60_000_000, None)
            shown = (await client.get(f"/v1/phone-numbers/{number['id']}")).json()["data"]
            assert shown["registration"] == {
                "status": "registered",
                "expiresAt": "2026-01-01T00:01:00Z",
                "lastError": None,
            }
            states.registrations[number["trunkId"]] = RegistrationState("stopped", None, "403 Forbidden")
            listed = (await client.get("/v1/phone-numbers")).json()["data"]
            assert listed[0]["registration"] == {"status": "stopped", "expiresAt": None, "lastError": "403 Forbidden"}
            assert listed[0]["health"] is None

    run(tmp_path, test, trunk_states=states)


def test_an_allow_list_has_a_health_and_no_registration(tmp_path: Path) -> None:
    states = States()

    async def test(made: Installation) -> None:
        async with made.client() as client:
            number = await add_number(client)
            assert (number["registration"], number["health"]) == (None, None)
            states.healths[number["trunkId"]] = TrunkHealth("down", START, None, "408 No answer came")
            shown = (await client.get(f"/v1/phone-numbers/{number['id']}")).json()["data"]
            assert (shown["registration"], shown["health"]) == (
                None,
                {
                    "status": "down",
                    "checkedAt": "2026-01-01T00:00:00Z",
                    "roundTripMs": None,
                    "lastError": "408 No answer came",
                },
            )

    run(tmp_path, test, trunk_states=states)


@pytest.mark.parametrize(
    ("proxy", "source"),
    [
        ("proxy.example.com", "proxy.example.com"),
        ("proxy.example.com:5080", "proxy.example.com"),
        ("203.0.113.7:5080", "203.0.113.7"),
        ("[2001:db8::7]:5080", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_an_outbound_proxy_may_have_a_port_and_is_a_known_source(tmp_path: Path, proxy: str, source: str) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            number = await add_number(client, **REGISTRATION, sipOutboundProxy=proxy)
        assert number["sip"]["outboundProxy"] == proxy
        trunk = made.directory.trunk_of_number(number["id"])
        assert trunk is not None
        assert trunk.sources == ("sip.example.com", source)

    run(tmp_path, test)


@pytest.mark.parametrize("proxy", ["proxy:0", "proxy:70000", "proxy:x", "[proxy]:5060", "a b", ":5060", "sip:proxy"])
def test_what_is_no_outbound_proxy(tmp_path: Path, proxy: str) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            body = {"number": "+12025550100", **REGISTRATION, "sipOutboundProxy": proxy}
            answer = await client.post("/v1/phone-numbers", json=body)
        assert answer.status_code == 400
        assert "sipOutboundProxy" in answer.text

    run(tmp_path, test)
