"""Our registrations at the trunks' registrars, over the endpoint: one for each trunk that has one, however many numbers use it.

`Registrations` follows the trunks as they come, change and go; each has a `Line`, which moves its `Registration` and keeps its
flow open. There are no tasks: answers, ends of connections and one timer for each line call in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

import structlog

from sipserver.keepalive import KeepAlive
from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.message import MessageError, Request, Response, SipUri
from sipserver.protocols import RegistrationState, Trunk
from sipserver.registration import Patience, Registration
from sipserver.useragent.addresses import Facing
from sipserver.useragent.endpoint import OnFlow
from sipserver.useragent.exchange import Errand, Outcome
from sipserver.useragent.identity import Identity
from sipserver.useragent.placing import account_of, first_transport, other_hops

LEAVE_SECONDS = 4.0
"""How long a registrar has to answer when we unregister; the sockets close after that."""

log = structlog.get_logger(__name__)


class Flows(Protocol):
    """What registrations need of the endpoint."""

    @property
    def identity(self) -> Identity:
        """Who we are on the wire."""

    def request(self, errand: Errand, done: Callable[[Outcome], None]) -> None:
        """Send a request out of dialog; `done` is called once."""

    def watch_flows(self, on_flow: OnFlow) -> None:
        """Tell this one what becomes of the connections."""

    def ping(self, target: Target) -> bool:
        """Keep a flow open; False when its connection is gone."""

    def drop(self, target: Target) -> None:
        """Give a connection up."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a line works with. `clock` in seconds that never go back, `wall` in µs since the epoch, `random` in [0, 1).

    `line_of` is the Contact user of a trunk: always the same for the same trunk, and not to be guessed, for a request that names
    it is taken for that trunk's. `learn`: whether registrars may tell us our address, which is so unless it is configured.
    """

    line_of: Callable[[Trunk], str]
    clock: Callable[[], float]
    wall: Callable[[], int]
    random: Callable[[], float]
    learn: bool = True
    patience: Patience = field(default_factory=Patience)


class Registrations:
    """All of them. Nothing is sent before `start`, nor for a trunk that `follow` has not named."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._endpoint: Flows | None = None
        self._lines: dict[str, Line] = {}
        self._users: dict[str, Line] = {}
        self._leaving: set[Line] = set()
        self._drained = False

    def start(self, endpoint: Flows) -> None:
        """The endpoint is bound."""
        self._endpoint = endpoint
        endpoint.watch_flows(self._on_flow)

    def follow(self, trunks: Sequence[Trunk]) -> None:
        """These are the trunks now: register at those that are new, anew at those that changed, leave those that are gone."""
        if self._endpoint is None or self._drained:
            return
        wanted = {trunk.id: trunk for trunk in trunks if trunk.mode == "registration"}
        for trunk_id in self._lines.keys() - wanted.keys():
            self._leave(trunk_id)
        for trunk in wanted.values():
            line = self._lines.get(trunk.id)
            if line is None:
                self._add(trunk, self._endpoint)
            elif _binding(line.trunk) != _binding(trunk):
                self._leave(trunk.id)
                self._add(trunk, self._endpoint)
            elif line.trunk != trunk:
                # The same Contact at the same registrar: to remove it would remove what is registered now.
                line.change(trunk)

    def trunk_of(self, request: Request) -> Trunk | None:
        """The trunk whose registered Contact a request was sent to; None when it names none of ours."""
        if not self._users:
            return None
        try:
            line = self._users.get(SipUri.parse(request.uri).user or "")
        except MessageError:
            return None
        return None if line is None else line.trunk

    def state(self, trunk_id: str) -> RegistrationState | None:
        """How a trunk's registration stands; None where there is none."""
        line = self._lines.get(trunk_id)
        return None if line is None else line.state()

    def drain(self) -> None:
        """Unregister everywhere, so that no new calls are sent here. Flows stay open for the calls that go on."""
        self._drained = True
        for line in self._lines.values():
            line.leave()

    async def stop(self) -> None:
        """Unregister, wait for the answers for a few seconds, and do nothing from then on."""
        self.drain()
        lines = [*self._lines.values(), *self._leaving]
        if lines:
            waits = [asyncio.ensure_future(line.gone.wait()) for line in lines]
            _, late = await asyncio.wait(waits, timeout=LEAVE_SECONDS)
            for wait in late:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            if late:
                log.warning("registrars_did_not_answer", registrations=len(late))
        for line in lines:
            line.close()
        self._lines.clear()
        self._users.clear()
        self._leaving.clear()

    def _add(self, trunk: Trunk, endpoint: Flows) -> None:
        line = self._lines[trunk.id] = Line(trunk, endpoint, self._means)
        self._users[line.user] = line
        line.begin()

    def _leave(self, trunk_id: str) -> None:
        line = self._lines.pop(trunk_id)
        del self._users[line.user]
        self._leaving = {other for other in self._leaving if not other.gone.is_set()} | {line}
        line.leave(for_good=True)

    def _on_flow(self, what: Literal["pong", "closed"], peer: Source) -> None:
        for line in [*self._lines.values(), *self._leaving]:
            line.on_flow(what, peer)


class Line:
    """One trunk's registration and its flow. `user` is the Contact's user, `gone` set when nothing is left to unregister."""

    def __init__(self, trunk: Trunk, endpoint: Flows, means: Means) -> None:
        self.trunk = trunk
        self.user = means.line_of(trunk)
        self.gone = asyncio.Event()
        self._endpoint = endpoint
        self._means = means
        self._registration: Registration | None = None
        self._unwritable: str | None = None
        self._flow: Target | None = None
        self._keep = KeepAlive(first_transport(trunk) != "udp", means.random)
        self._leaving = False
        self._timer: asyncio.TimerHandle | None = None
        self._told: tuple[str, str | None] | None = None

    def begin(self) -> None:
        """Register."""
        self._unwritable = None
        self._keep = KeepAlive(first_transport(self.trunk) != "udp", self._means.random)
        self._flow = None
        try:
            account = account_of(self.trunk, self._endpoint.identity, self.user, self._means.learn)
            self._registration = Registration(account, self._means.random, self._means.patience)
            self._registration.start()
        except MessageError as error:
            self._registration, self._unwritable = None, str(error)
        self._move()

    def change(self, trunk: Trunk) -> None:
        """The trunk has another password or proxy: register anew."""
        self.trunk = trunk
        self.begin()

    def leave(self, *, for_good: bool = False) -> None:
        """Unregister. `for_good` gives up the flow as well; else it is kept open until `close`."""
        self._leaving = True
        self._endpoint.identity.outbound.discard(self.trunk.id)
        if self._registration is not None:
            self._registration.leave(self._means.clock())
        if for_good:
            self._keep.end()
        self._move()

    def close(self) -> None:
        """Do nothing from now on."""
        if self._timer is not None:
            self._timer.cancel()
        self._registration = None
        self._keep.end()

    def state(self) -> RegistrationState:
        """As the contract has it."""
        if self._registration is None:
            return RegistrationState("stopped" if self._leaving else "failed", None, self._unwritable)
        now = self._means.clock()
        until = self._registration.expires_at(now)
        expires_at = None if until is None else self._means.wall() + round((until - now) * 1_000_000)
        return RegistrationState(self._registration.status(now), expires_at, self._registration.last_error)

    def on_flow(self, what: Literal["pong", "closed"], peer: Source) -> None:
        """Something happened on a connection; it may be ours."""
        flow = self._flow
        if flow is None or (flow.transport, flow.host.strip("[]"), flow.port) != (peer.transport, peer.host, peer.port):
            return
        if what == "pong":
            self._keep.ponged(self._means.clock())
            self._arm()
        else:
            self._lost_flow()

    def _lost_flow(self) -> None:
        self._flow = None
        self._keep.end()
        if self._registration is not None:
            self._registration.flow_failed(self._means.clock())
        self._move()

    # -- moving -------------------------------------------------------------------------------------------------------

    def _move(self) -> None:
        """Send what there is, see whether that was all, and set the timer."""
        registration = self._registration
        if registration is not None and (register := registration.to_send()) is not None:
            account = registration.account
            errand = Errand(
                register.request,
                account.hop,
                registration.next_cseq,
                domain=account.domain,
                digest=account.digest,
                ladder=False,
                trunk=self.trunk,
                others=other_hops(self.trunk),
            )
            self._endpoint.request(errand, partial(self._answered, registration, register.number))
        self._tell()
        self._mark_contacts()
        if self._leaving and (self._registration is None or self._registration.over):
            self.gone.set()
        self._arm()

    def _mark_contacts(self) -> None:
        """Contacts of our calls over this trunk say `ob` while its registrar keeps to our connection (RFC 5626 section 4.3).

        Once we leave it is for another line of the trunk to say, where there is one.
        """
        trunks = self._endpoint.identity.outbound
        if self._leaving:
            return
        if self._registration is not None and self._registration.keeps_to_flow(self._means.clock()):
            trunks.add(self.trunk.id)
        else:
            trunks.discard(self.trunk.id)

    def _answered(self, registration: Registration, number: int, outcome: Outcome) -> None:
        if registration is not self._registration:
            return
        now, response = self._means.clock(), outcome.response
        if response is None:
            registration.failed(number, outcome.status, outcome.reason, now)
        else:
            self._take_answer(registration, number, response, outcome)
            if response.status < 300 and outcome.target is not None and registration.expires_at(now) is not None:
                self._keep_open(outcome.target, response.headers.get("Flow-Timer"), now)
        self._move()

    def _take_answer(self, registration: Registration, number: int, response: Response, outcome: Outcome) -> None:
        """Where the registrar was found decides under which address we register, unless it may tell us ours itself."""
        now, target, identity = self._means.clock(), outcome.target, self._endpoint.identity
        facing = None if target is None else Facing(target.transport, target.host, self.trunk)
        learn = facing is not None and self._means.learn and identity.addresses.learns(facing)
        if facing is not None:
            registration.found(facing.transport, learn=learn)
        registration.answered(number, outcome.request, response, now)
        if facing is not None and not learn:
            registration.rebind(identity.host(facing), identity.port(facing), now, facing.transport)

    def _keep_open(self, target: Target, flow_timer: str | None, now: float) -> None:
        """A flow that stays the same keeps its rhythm and what is known of it."""
        if target != self._flow or not self._keep.running:
            seconds = (flow_timer or "").strip()
            self._flow, self._keep = target, KeepAlive(target.reliable, self._means.random)
            self._keep.begin(
                now, int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 7 else None
            )

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        registration = None if self._registration is None else self._registration.next_timer()
        due = [at for at in (registration, self._keep.next_timer()) if at is not None]
        if due:
            delay = max(0.0, min(due) - self._means.clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._alarm)

    def _alarm(self) -> None:
        now, self._timer = self._means.clock(), None
        deed = self._keep.handle_timer(now)
        if deed is not None and self._flow is not None:
            if deed == "dead":
                # What is told of its end does the rest.
                self._endpoint.drop(self._flow)
            elif not self._endpoint.ping(self._flow):
                self._lost_flow()
        if self._registration is not None:
            self._registration.handle_timer(now)
        self._move()

    def _tell(self) -> None:
        """One line in the log for each change."""
        state = self.state()
        if (state.status, state.last_error) != self._told:
            self._told = (state.status, state.last_error)
            level = log.info if state.last_error is None else log.warning
            level("registration", trunk_id=self.trunk.id, status=state.status, error=state.last_error)


def _binding(trunk: Trunk) -> tuple[object, ...]:
    """What tells bindings apart: registrar, user, and the transport in the Contact."""
    return (trunk.host, trunk.username, trunk.transport)
