"""Banned sources over HTTP: the guard itself behind it, on a clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sipserver.banlist import GuardBans
from sipserver.guard import Policy, SourceGuard
from sipserver.legs import Source
from sipserver.protocols import Route, Trunk
from tests.control_api.installation import START, Installation, run

SCANNER = b"OPTIONS sip:us@192.0.2.1 SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n"


class Nobody:
    """A directory without trunks."""

    def trunks_of(self, host: str) -> Sequence[Trunk]:
        return ()

    async def route(self, called: str, trunks: Sequence[Trunk]) -> Route | None:
        return None

    async def catch_all(self, called: Sequence[str], trunks: Sequence[Trunk]) -> Route | None:
        return None


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def some_bans(clock: Clock) -> tuple[SourceGuard, GuardBans]:
    """Two scanners are banned for ten minutes: one at once, another a minute later, of IPv6."""
    guard = SourceGuard(Nobody(), clock, Policy(ban_seconds=600))
    guard.hears(SCANNER, Source("udp", "203.0.113.9", 5060))
    clock.now += 60
    guard.hears(SCANNER, Source("udp", "2001:db8::17", 5060))
    return guard, GuardBans(guard, clock, lambda: START)


def test_the_latest_ban_is_listed_first_with_the_time_of_its_end(tmp_path: Path) -> None:
    clock = Clock()
    _, bans = some_bans(clock)
    latest = {"address": "2001:db8::/64", "until": "2026-01-01T00:10:00Z", "why": "scanner"}
    first = {"address": "203.0.113.9", "until": "2026-01-01T00:09:00Z", "why": "scanner"}

    async def body(made: Installation) -> None:
        async with made.client() as admin:
            answer = (await admin.get("/v1/bans")).json()
            assert answer["data"] == [latest, first]
            assert answer["pagination"] == {"total": 2, "limit": 50, "offset": 0}
            assert (await admin.get("/v1/bans", params={"offset": 1, "limit": 1})).json()["data"] == [first]
            clock.now += 540
            assert (await admin.get("/v1/bans")).json()["data"] == [{**latest, "until": "2026-01-01T00:01:00Z"}]

    run(tmp_path, body, bans=bans)


def test_a_ban_is_lifted_once_by_any_address_of_its_network(tmp_path: Path) -> None:
    guard, bans = some_bans(Clock())

    async def body(made: Installation) -> None:
        async with made.client() as admin:
            for host in ("203.0.113.9", "2001:db8::"):
                assert (await admin.delete(f"/v1/bans/{host}")).status_code == 204
                assert (await admin.delete(f"/v1/bans/{host}")).status_code == 404
            assert (await admin.get("/v1/bans")).json()["data"] == []
        assert guard.hears(SCANNER.replace(b"scanner", b"pbx"), Source("udp", "203.0.113.9", 5060))

    run(tmp_path, body, bans=bans)


def test_bans_are_an_admins_and_none_where_there_is_no_guard(tmp_path: Path) -> None:
    async def body(made: Installation) -> None:
        async with made.client() as admin, made.client("calls") as caller:
            assert (await caller.get("/v1/bans")).status_code == 403
            assert (await caller.delete("/v1/bans/203.0.113.9")).status_code == 403
            assert (await admin.get("/v1/bans")).json()["data"] == []
            assert (await admin.delete("/v1/bans/203.0.113.9")).status_code == 404

    run(tmp_path, body)
