"""Which trunks are known and which agent answers which number: `sipserver.protocols.AgentDirectory`, from memory.

A picture of all numbers, trunks and agents is made whenever one of them is changed, and read by every INVITE. Names among
the sources are resolved beforehand, and again from time to time; one that fails to resolve keeps the addresses it had.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import phonenumbers
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.models.reception import Fallback as FallbackFields
from control_api.models.reception import OpeningHours as OpeningFields
from control_api.profiles import agent_of, opening_of, trunk_of
from control_api.secrets import SecretBox
from control_api.store import agents, phone_numbers, trunks
from control_api.store.agents import AgentRow
from control_api.store.calls import CallRow
from control_api.store.engine import Store
from control_api.store.phone_numbers import PhoneNumberRow
from control_api.store.trunks import TrunkRow
from sipserver.protocols import Agent, AgentChecks, DialOrder, Fallback, OpeningHours, Route, Trunk

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str], Awaitable[Sequence[str]]]
Watch = Callable[[Sequence[Trunk]], None]
Rows = tuple[list[AgentRow], list[TrunkRow], list[PhoneNumberRow]]

RESOLVE_SECONDS = 60.0
PATIENCE_SECONDS = 3.0
NUMBER_LENGTH = 32
"""How much of a number that is none of ours is kept."""
UNKNOWN = "unknown"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Picture:
    agents: Mapping[str, Agent] = field(default_factory=dict)
    trunks: Mapping[str, Trunk] = field(default_factory=dict)
    numbers: Mapping[str, PhoneNumberRow] = field(default_factory=dict)
    called: Mapping[tuple[str, str], PhoneNumberRow] = field(default_factory=dict)
    addresses: Mapping[Address, Sequence[Trunk]] = field(default_factory=dict)
    networks: Sequence[tuple[Network, Trunk]] = ()
    users: Mapping[str, Trunk] = field(default_factory=dict)


async def resolve_by_system(host: str) -> Sequence[str]:
    """Every address of a name, as the system resolves it. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return sorted({str(entry[4][0]) for entry in found})


class Directory:
    """Empty until the first `refresh`. Whoever changes an agent, a number or a trunk refreshes it."""

    def __init__(self, store: Store, box: SecretBox, checks: AgentChecks, resolve: Resolve = resolve_by_system) -> None:
        self._store = store
        self._box = box
        self._checks = checks
        self._resolve = resolve
        self._resolved: dict[str, Sequence[str]] = {}
        self._picture = _Picture()
        self._refreshing = asyncio.Lock()
        self._watch: Watch | None = None

    async def refresh(self) -> None:
        """Look at the store again; names that are new are resolved, for a few seconds at most."""
        async with self._refreshing:
            found_agents, found_trunks, found_numbers = await self._store.read(_rows)
            known = {row.id: trunk_of(row, self._box) for row in found_trunks}
            await self._resolve_all(set(_names(known.values())) - set(self._resolved))
            self._picture = _Picture(
                agents={row.id: agent_of(row) for row in found_agents},
                trunks=known,
                numbers={row.id: row for row in found_numbers},
                called=dict(_called(found_numbers, known)),
                addresses=self._addresses(known.values()),
                networks=list(_networks(known.values())),
                users={trunk.inbound_username: trunk for trunk in known.values() if trunk.inbound_username},
            )
            if self._watch is not None:
                self._watch(tuple(known.values()))

    def watch(self, watch: Watch) -> None:
        """Tell this one all trunks, now and after each refresh."""
        self._watch = watch
        watch(tuple(self._picture.trunks.values()))

    async def keep_resolved(self) -> None:
        """Resolve all names again every minute, until cancelled."""
        while True:
            await asyncio.sleep(RESOLVE_SECONDS)
            try:
                await self.resolve_again()
            except SQLAlchemyError as error:
                log.error("the directory cannot be read again", error=str(error))

    async def resolve_again(self) -> None:
        """Resolve all names anew."""
        await self._resolve_all(set(_names(self._picture.trunks.values())))
        await self.refresh()

    def trunks_of(self, host: str) -> Sequence[Trunk]:
        """The trunks that calls from this source address may belong to; empty for an unknown source."""
        address = _address(host)
        if address is None:
            return ()
        found = {trunk.id: trunk for trunk in self._picture.addresses.get(address, ())}
        found |= {trunk.id: trunk for network, trunk in self._picture.networks if address in network}
        return tuple(found.values())

    async def route(self, called: str, trunks: Sequence[Trunk]) -> Route | None:
        """The number that was called, on one of these trunks; None when there is no such number."""
        for trunk in trunks:
            number = self._picture.called.get((trunk.id, called))
            if number is not None:
                return await self._route(number, trunk)
        return None

    async def catch_all(self, called: Sequence[str], trunks: Sequence[Trunk]) -> Route | None:
        """For a call to no number of ours: the agent that answers all calls of one of these trunks; None where none does."""
        for trunk in trunks:
            agent = self.agent(trunk.options.catch_all_agent_id)
            if agent is not None:
                number = called[0] if called else UNKNOWN
                not_ready = await self._not_ready(agent)
                return Route(None, number[:NUMBER_LENGTH], trunk.organization_id, trunk, agent, not_ready)
        return None

    def agent(self, agent_id: str | None) -> Agent | None:
        return self._picture.agents.get(agent_id) if agent_id else None

    def trunk_of_number(self, phone_number_id: str | None) -> Trunk | None:
        """The trunk that calls from this number are placed over."""
        number = self._picture.numbers.get(phone_number_id) if phone_number_id else None
        return self._picture.trunks.get(number.trunk_id) if number and number.trunk_id else None

    def trunk(self, trunk_id: str) -> Trunk | None:
        """A trunk with its secrets."""
        return self._picture.trunks.get(trunk_id)

    def inbound_users(self) -> Mapping[str, Trunk]:
        """The trunks whose peers show credentials, by their user name."""
        return self._picture.users

    def first_number(self, trunk_id: str) -> str | None:
        """The trunk's oldest number; None where no number comes by it."""
        numbers = [number for number in self._picture.numbers.values() if number.trunk_id == trunk_id]
        return min(numbers, key=lambda number: (number.created_at, number.id)).number if numbers else None

    def has_limits(self) -> bool:
        """Whether any trunk takes only so many calls, or only so fast."""
        return any(
            trunk.options.max_channels is not None or trunk.options.max_calls_per_second is not None
            for trunk in self._picture.trunks.values()
        )

    def own_numbers(self) -> frozenset[str]:
        """Every number of the installation, in E.164."""
        return frozenset(number.number for number in self._picture.numbers.values())

    def order(self, call: CallRow) -> DialOrder | None:
        """What the dialler needs for a call; None when its agent, number or trunk is gone."""
        agent, trunk = self.agent(call.agent_id), self.trunk_of_number(call.phone_number_id)
        if agent is None or trunk is None or call.phone_number_id is None:
            return None
        return DialOrder(
            call_id=call.id,
            organization_id=call.organization_id,
            agent=agent,
            phone_number_id=call.phone_number_id,
            from_number=call.agent_number,
            to=call.customer_number,
            trunk=trunk,
            variables=call.context_variables,
            ring_timeout_seconds=call.ring_timeout_seconds,
        )

    async def _route(self, number: PhoneNumberRow, trunk: Trunk) -> Route:
        agent = self.agent(number.agent_id)
        return Route(
            phone_number_id=number.id,
            number=number.number,
            organization_id=number.organization_id,
            trunk=trunk,
            agent=agent,
            not_ready=await self._not_ready(agent),
            opening=await self._opening(number),
            fallback=await self._fallback(number),
            blocked=tuple(number.blocked_callers),
        )

    async def _opening(self, number: PhoneNumberRow) -> OpeningHours | None:
        if number.opening_hours is None:
            return None
        hours = OpeningFields.model_validate(number.opening_hours)
        closed = self.agent(hours.closed_agent_id)
        return opening_of(hours, closed, await self._not_ready(closed))

    async def _fallback(self, number: PhoneNumberRow) -> Fallback | None:
        if number.fallback is None:
            return None
        given = FallbackFields.model_validate(number.fallback)
        agent = self.agent(given.agent_id)
        if given.agent_id is not None and agent is None:
            return None
        return Fallback(frozenset(given.when), given.number, given.sip_uri, agent, await self._not_ready(agent))

    async def _not_ready(self, agent: Agent | None) -> tuple[str, ...]:
        return tuple(await self._checks.readiness(agent)) if agent else ()

    def _addresses(self, known: Iterable[Trunk]) -> dict[Address, list[Trunk]]:
        found: dict[Address, list[Trunk]] = {}
        for trunk in known:
            for source in trunk.sources:
                for text in (source, *self._resolved.get(source, ())):
                    address = _address(text)
                    if address is not None:
                        found.setdefault(address, []).append(trunk)
        return found

    async def _resolve_all(self, names: set[str]) -> None:
        await asyncio.gather(*(self._resolve_one(name) for name in names))

    async def _resolve_one(self, name: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                self._resolved[name] = await self._resolve(name)
        except (OSError, TimeoutError, UnicodeError) as error:
            log.warning("a trunk's host does not resolve", host=name, error=str(error) or type(error).__name__)


async def _rows(connection: AsyncConnection) -> Rows:
    return (
        await agents.all_living(connection),
        await trunks.all_trunks(connection),
        await phone_numbers.all_living(connection),
    )


def _called(
    numbers: Sequence[PhoneNumberRow], trunks: Mapping[str, Trunk]
) -> Iterator[tuple[tuple[str, str], PhoneNumberRow]]:
    """All forms of each number. The only number of a registration is meant, too, when its user is called."""
    sharing = Counter(number.trunk_id for number in numbers)
    for number in numbers:
        if number.trunk_id is None:
            continue
        user = trunks[number.trunk_id].username if number.trunk_id in trunks else None
        if user is not None and sharing[number.trunk_id] == 1:
            yield (number.trunk_id, user), number
        for form in _forms(number.number):
            yield (number.trunk_id, form), number


def _forms(number: str) -> set[str]:
    """How a trunk may write the number that was called: with and without plus, with 00, or as it is dialled at home."""
    if not number.startswith("+"):
        return {number}  # An extension is what it is.
    digits = number.removeprefix("+")
    forms = {number, digits, f"00{digits}"}
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return forms
    home = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return forms | {"".join(character for character in home if character.isdigit())}


def _names(known: Iterable[Trunk]) -> Iterator[str]:
    for trunk in known:
        for source in trunk.sources:
            if "/" not in source and _address(source) is None:
                yield source


def _networks(known: Iterable[Trunk]) -> Iterator[tuple[Network, Trunk]]:
    for trunk in known:
        for source in trunk.sources:
            if "/" in source:
                yield ipaddress.ip_network(source, strict=False), trunk


def _address(text: str) -> Address | None:
    """An address; one of IPv4 that came over an IPv6 socket is taken for what it is."""
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
