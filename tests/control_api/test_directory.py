"""Which trunks are known, which number was called, and what follows a change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from control_api.directory import Directory
from tests.control_api.installation import Installation, add_agent, add_number, run

REGISTRATION = {
    "sipMode": "registration",
    "sipUsername": "alice",
    "sipPassword": "s3cret",
    "sipProxy": "sip.example.com",
    "sipOutboundProxy": "proxy.example.com",
}


class Names:
    """A resolver that knows what it is told, and counts."""

    def __init__(self, **known: Sequence[str]) -> None:
        self.known = {name.replace("_", "."): addresses for name, addresses in known.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.known:
            raise OSError("no such host")
        return self.known[host]


def directory_of(made: Installation, names: Names) -> Directory:
    return Directory(made.store, made.services.box, made.checks, resolve=names)


def test_sources_are_addresses_blocks_and_resolved_names(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        names = Names(sip_example_com=["203.0.113.7", "2001:db8::7"], proxy_example_com=["203.0.113.8"])
        directory = directory_of(made, names)
        async with made.client() as client:
            listed = await add_number(client)
            registered = await add_number(client, "+12025550101", **REGISTRATION)
        await directory.refresh()
        for host, expected in (
            ("192.0.2.10", [listed["trunkId"]]),
            ("::ffff:192.0.2.10", [listed["trunkId"]]),
            ("198.51.100.77", [listed["trunkId"]]),
            ("203.0.113.7", [registered["trunkId"]]),
            ("203.0.113.8", [registered["trunkId"]]),
            ("2001:db8::7", [registered["trunkId"]]),
            ("[2001:db8::7]", [registered["trunkId"]]),
            ("192.0.2.11", []),
            ("not an address", []),
        ):
            assert [trunk.id for trunk in directory.trunks_of(host)] == expected, host

    run(tmp_path, test)


def test_two_trunks_may_share_a_source(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            first = await add_number(client)
            second = await add_number(client, "+12025550101", sipIp="192.0.2.0/24")
        found = made.directory.trunks_of("192.0.2.10")
        assert {trunk.id for trunk in found} == {first["trunkId"], second["trunkId"]}
        route = await made.directory.route("+12025550101", found)
        assert route is not None
        assert route.trunk.id == second["trunkId"]
        assert await made.directory.route("+12025550101", made.directory.trunks_of("203.0.113.1")) is None

    run(tmp_path, test)


@pytest.mark.parametrize("called", ["+12025550100", "12025550100", "0012025550100", "2025550100"])
def test_a_number_is_found_however_the_trunk_writes_it(tmp_path: Path, called: str) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client)
            number = await add_number(client, agentId=agent["id"])
        made.checks.problems = ("There is no voice.",)
        route = await made.directory.route(called, made.directory.trunks_of("192.0.2.10"))
        assert route is not None
        assert (route.phone_number_id, route.number) == (number["id"], "+12025550100")
        assert route.agent is not None
        assert route.agent.id == agent["id"]
        assert route.not_ready == ("There is no voice.",)

    run(tmp_path, test)


def test_what_is_not_a_number_of_ours_has_no_route(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            number = await add_number(client)
            trunks = made.directory.trunks_of("192.0.2.10")
            for called in ("+12025550199", "0100", "", "alice", "+1202555010"):
                assert await made.directory.route(called, trunks) is None
            route = await made.directory.route("+12025550100", trunks)
            assert route is not None
            assert (route.agent, route.not_ready) == (None, ())
            await client.delete(f"/v1/phone-numbers/{number['id']}")
        assert await made.directory.route("+12025550100", trunks) is None
        assert made.directory.trunks_of("192.0.2.10") == ()

    run(tmp_path, test)


def test_a_name_that_stops_resolving_keeps_its_addresses(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        names = Names(sip_example_com=["203.0.113.7"])
        directory = directory_of(made, names)
        async with made.client() as client:
            await add_number(client, **REGISTRATION)
        await directory.refresh()
        await directory.refresh()
        assert names.asked.count("sip.example.com") == 1
        del names.known["sip.example.com"]
        await directory.resolve_again()
        assert names.asked.count("sip.example.com") == 2
        assert len(directory.trunks_of("203.0.113.7")) == 1
        names.known["sip.example.com"] = ["203.0.113.9"]
        await directory.resolve_again()
        assert (len(directory.trunks_of("203.0.113.7")), len(directory.trunks_of("203.0.113.9"))) == (0, 1)

    run(tmp_path, test)


def test_refreshes_at_once_end_with_the_newest_picture(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            await asyncio.gather(*(add_number(client, f"+120255501{number:02}") for number in range(10)))
        assert len(made.directory.own_numbers()) == 10

    run(tmp_path, test)


def test_the_only_number_of_a_registration_is_found_by_its_user(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        directory = directory_of(made, Names())
        async with made.client() as client:
            first = await add_number(client, "+12025550101", **REGISTRATION)
            await directory.refresh()
            trunk = directory.trunk_of_number(first["id"])
            assert trunk is not None
            route = await directory.route("alice", (trunk,))
            assert route is not None
            assert route.phone_number_id == first["id"]
            await add_number(client, "+12025550102", **REGISTRATION)
            await directory.refresh()
            assert await directory.route("alice", (trunk,)) is None

    run(tmp_path, test)


def test_whoever_watches_is_told_all_trunks_after_each_change(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        told: list[list[str]] = []
        made.directory.watch(lambda trunks: told.append(sorted(trunk.mode for trunk in trunks)))
        async with made.client() as client:
            number = await add_number(client, "+12025550101", **REGISTRATION)
            await add_number(client)
            await client.delete(f"/v1/phone-numbers/{number['id']}")
        assert told == [[], ["registration"], ["ip_allowlist", "registration"], ["ip_allowlist"]]

    run(tmp_path, test)
