"""A trunk tried out: against a user agent on this machine, against nobody, and over TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sipserver.legs import Leg
from sipserver.protocols import CheckStep, RegistrationState, TrialCall, Trunk, TrunkHealth, TrunkOptions
from sipserver.trunk_check import TrunkCheck
from sipserver.useragent import SipEndpoint, TlsFace
from tests.sipserver.transcripts import Everybody
from tests.sipserver.transport.pki import Pki


class States:
    """What is known of registrations."""

    def __init__(self, state: RegistrationState | None = None) -> None:
        self.state = state

    def registration(self, trunk_id: str) -> RegistrationState | None:
        return self.state

    def health(self, trunk_id: str) -> TrunkHealth | None:
        return None


class NoCalls:
    """None is asked for."""

    async def try_out(self, trunk: Trunk, call: TrialCall) -> Sequence[CheckStep]:
        raise AssertionError


async def nobody_rings(leg: Leg) -> None:
    leg.reject(480)


def tried(
    trunk: Callable[[SipEndpoint], Trunk], states: States | None = None, tls: TlsFace | None = None
) -> dict[str, CheckStep]:
    """The steps by name."""
    return {step.name: step for step in all_tried(trunk, states, tls)}


def all_tried(
    trunk: Callable[[SipEndpoint], Trunk], states: States | None = None, tls: TlsFace | None = None
) -> Sequence[CheckStep]:
    """The steps; `trunk` is made with the user agent that answers."""

    async def scene() -> Sequence[CheckStep]:
        ours = SipEndpoint("127.0.0.1", 0, guard=Everybody(), tls=tls)
        theirs = SipEndpoint("127.0.0.1", 0, guard=Everybody(), tls=tls)
        await ours.start(nobody_rings)
        await theirs.start(nobody_rings)
        try:
            return await TrunkCheck(ours, states or States(), NoCalls()).check(trunk(theirs))
        finally:
            await theirs.stop()
            await ours.stop()

    return asyncio.run(scene())


def by_address(port: int, **changes: object) -> Trunk:
    return Trunk("t", "o", "ip_allowlist", "127.0.0.1", port=port, **changes)  # type: ignore[arg-type]


def test_a_trunk_that_answers_is_well_in_every_step() -> None:
    steps = tried(lambda peer: by_address(peer.port))
    assert list(steps) == ["dns", "options", "codecs"]
    assert all(step.ok for step in steps.values())
    assert steps["options"].detail == "200 OK"
    assert "PCMU, PCMA" in steps["codecs"].detail


def test_a_name_that_leads_nowhere_is_the_end_of_it() -> None:
    steps = tried(lambda _: Trunk("t", "o", "ip_allowlist", "nobody.invalid"))
    assert (list(steps), steps["dns"].ok) == (["dns"], False)
    assert "nobody.invalid" in steps["dns"].detail


def test_nobody_at_the_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    steps = tried(lambda _: by_address(port))
    assert (steps["dns"].ok, steps["options"].ok) == (True, False)


def test_each_host_of_a_trunk_is_tried() -> None:
    """A host that nobody calls by today is found to be down today, not on the day when it is needed."""
    options = TrunkOptions(failover_hosts=("127.0.0.1", "nobody.invalid"))
    trunk = lambda peer: by_address(peer.port, options=options)  # noqa: E731
    steps = all_tried(lambda peer: replace(trunk(peer), host="also-nobody.invalid"))
    assert [(step.host, step.name, step.ok) for step in steps] == [
        ("also-nobody.invalid", "dns", False),
        ("127.0.0.1", "dns", True),
        ("127.0.0.1", "options", True),
        ("127.0.0.1", "codecs", True),
        ("nobody.invalid", "dns", False),
    ]


@pytest.mark.parametrize(
    ("state", "ok", "told"),
    [
        (RegistrationState("registered", 1, None), True, "registered."),
        (RegistrationState("failed", None, "403 Forbidden"), False, "failed: 403 Forbidden."),
        (None, False, "There is no registration: no number uses this trunk yet."),
    ],
)
def test_how_the_registration_stands(state: RegistrationState | None, ok: bool, told: str) -> None:
    trunk = lambda peer: Trunk("t", "o", "registration", "127.0.0.1", port=peer.port, username="u", password="p")  # noqa: E731
    step = tried(trunk, States(state))["register"]
    assert (step.ok, step.detail) == (ok, told)


def test_tls_that_is_not_set_up_here_is_said() -> None:
    steps = tried(lambda peer: by_address(peer.port, transport="tls", options=TrunkOptions()))
    assert not all(step.ok for step in steps.values())
    assert any("TLS" in step.detail or "tls" in step.detail for step in steps.values())


@pytest.mark.parametrize(("name", "ok"), [("127.0.0.1", True), ("sip.example.com", False)])
def test_a_certificate_is_told_and_has_to_be_the_trunks(tmp_path: Path, name: str, ok: bool) -> None:
    files = Pki.make(tmp_path).files(name)
    steps = tried(lambda peer: by_address(peer.tls_port or 0, transport="tls"), tls=TlsFace("127.0.0.1", 0, files))
    assert steps["tls"].ok is ok
    assert f"the certificate is for {name}" in steps["tls"].detail
    assert ("does not speak for 127.0.0.1" in steps["tls"].detail) is not ok
    assert steps["options"].ok is ok
