"""The asyncio side of the user agent: sockets, one timer, names looked up, a task for each inbound leg. It only moves things."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import structlog

from sipserver import __version__
from sipserver.legs import Guard, Invitation, LadderTap, Leg, Source
from sipserver.locate import LocateError, Target, Transport
from sipserver.message import MessageError, Request, Response
from sipserver.protocols import Trunk
from sipserver.transaction import Intervals, Outgoing
from sipserver.transport.own_address import OwnAddress
from sipserver.transport.resolver import Resolver
from sipserver.transport.tcp import TcpCallbacks, TcpLimits
from sipserver.useragent.addresses import Addresses, Facing, Told
from sipserver.useragent.alarm import Alarm
from sipserver.useragent.core import UserAgent
from sipserver.useragent.events import Event, Happened, Invited, Over
from sipserver.useragent.exchange import Errand, Outcome
from sipserver.useragent.face import EndpointLeg
from sipserver.useragent.finder import Question
from sipserver.useragent.identity import Identity, Limits
from sipserver.useragent.leg import AgentLeg
from sipserver.useragent.overload import OverloadLog
from sipserver.useragent.placing import facing_of, trunk_hop
from sipserver.useragent.sockets import Sockets, TlsFace, family_of
from sipserver.useragent.tasks import Tasks
from sipserver.useragent.wire import Wire

log = structlog.get_logger(__name__)

OnInvite = Callable[[Leg], Awaitable[None]]
OnFlow = Callable[[Literal["pong", "closed"], Source], None]
"""Told of the connections: the peer answered a ping, or the connection is gone."""

_FAREWELL_SECONDS = 2.0
"""How long `stop` waits for the answers to its BYEs, and then for those who look after the legs."""


class SipEndpoint:
    """Implements `legs.Endpoint` on UDP, TCP and, if it is given, TLS. `port` is the real one after `start`; 0 asks for any that
    UDP and TCP can have.

    `advertised` is the host in Via and Contact: the bound address if it is not given, or, with `learn_address`, what a trunk's
    answers show. Peers in `local_nets` (CIDR) are told our own; `trunk_of` says whose peer sent a request. `clock` gives seconds
    that never go back, `random` that many random bytes; `takes_refer` says whether Allow promises REFER to who is there.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        transports: Sequence[Literal["udp", "tcp"]] = ("udp", "tcp"),
        advertised: str | None = None,
        tls: TlsFace | None = None,
        local_nets: Sequence[str] = (),
        learn_address: bool = False,
        trunk_of: Callable[[Request, Source], Trunk | None] = lambda request, source: None,
        guard: Guard,
        tap: LadderTap | None = None,
        wire: Wire | None = None,
        user_agent: str = f"Antiphon/{__version__}",
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
        intervals: Intervals | None = None,
        limits: Limits | None = None,
        tcp_limits: TcpLimits | None = None,
        takes_refer: Callable[[Source], bool] = lambda source: False,
        resolver: Resolver | None = None,
    ) -> None:
        self.host = host
        self._sockets = Sockets(host, port, transports, tls, tcp_limits)
        told = Told(advertised, None if tls is None else tls.advertised, tuple(local_nets), learn_address)
        self.addresses = Addresses(OwnAddress(host, clock), told)
        """Which address peers are told."""
        self._trunk_of = trunk_of
        self._guard = guard
        self._tap = tap
        self._wire = wire
        self._user_agent = user_agent
        self._clock = clock
        self._random = random
        self._intervals = intervals
        self._limits = limits
        self._takes_refer = takes_refer
        self._resolver = resolver or Resolver(family_of(host), clock)
        self._core: UserAgent | None = None
        self._on_invite: OnInvite | None = None
        self._on_flow: OnFlow | None = None
        self._faces: dict[AgentLeg, EndpointLeg] = {}
        self._tasks = Tasks()
        self._alarm = Alarm(clock, self._ring)
        self._moving = False
        self._overload = OverloadLog(clock)
        self._leaving = False
        self._idle = asyncio.Event()

    @property
    def port(self) -> int:
        """Where UDP and TCP are spoken: the real port after `start`."""
        return self._sockets.port

    @property
    def tls_port(self) -> int | None:
        """Where TLS is spoken; None before `start` and without TLS."""
        return self._sockets.tls_port

    @property
    def counters(self) -> Counter[str]:
        """What was dropped or refused, by kind (see `UserAgent`); empty before `start`."""
        return Counter() if self._core is None else self._core.counters

    @property
    def retransmissions(self) -> int:
        """How often a message was sent again because nothing had come back, since the start."""
        return 0 if self._core is None else self._core.transactions.retransmissions

    # -- the five methods ---------------------------------------------------------------------------------------------

    async def start(self, on_invite: OnInvite, is_full: Callable[[], bool] = lambda: False) -> None:
        """Bind and listen. Raises OSError."""
        self._on_invite = on_invite
        callbacks = TcpCallbacks(
            self._received,
            self._malformed,
            self._failed,
            self._lost,
            partial(self._flow, "pong"),
            partial(self._flow, "closed"),
            self._is_in_use,
        )
        try:
            ports = self._sockets.open(callbacks, self._unreachable)
            self._core = self._make_core(ports, is_full)
            await self._sockets.listen()
        except OSError:
            await self._close()
            raise

    def _make_core(self, ports: Mapping[Transport, int], is_full: Callable[[], bool]) -> UserAgent:
        identity = Identity.make(self.addresses, ports, self._user_agent, self._random)
        return UserAgent(
            identity,
            self._guard,
            is_full=lambda: self._sockets.is_late or is_full(),
            tap=self._tap,
            intervals=self._intervals,
            limits=self._limits,
            takes_refer=self._takes_refer,
            trunk_of=self._trunk_of,
        )

    def invite(self, invitation: Invitation) -> Leg:
        """Place a call. Raises MessageError for an invitation that cannot be written as SIP, RuntimeError before `start`."""
        leg = self._agent.invite(invitation, self._clock())
        face = self._face(leg)
        self._move()
        return face

    async def options(self, trunk: Trunk, timeout: float) -> Response | None:
        """Ask the trunk for a sign of life; None when nothing came within `timeout` seconds."""
        answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

        def done(response: Response | None) -> None:
            if not answer.done():
                answer.set_result(response)

        self._agent.options(trunk, self._clock(), done)
        self._move()
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            return None

    def request(self, errand: Errand, done: Callable[[Outcome], None]) -> None:
        """Send a request outside of any dialog; `done` is called once, with its final answer or what came instead."""
        self._agent.request(errand, self._clock(), done)
        self._move()

    async def facing(self, trunk: Trunk) -> Facing:
        """Whom calls over this trunk are sent to, as far as its name can be looked up."""
        facing = facing_of(trunk)
        if facing.host is not None:
            return facing
        try:
            first, *_ = await self.targets(trunk)
        except LocateError:
            return facing
        return Facing(first.transport, first.host, trunk)

    async def targets(self, trunk: Trunk) -> tuple[Target, ...]:
        """Where requests for this trunk go, best first. Raises LocateError, which says why there is no way, and MessageError."""
        found: asyncio.Future[tuple[Target, ...]] = asyncio.get_running_loop().create_future()

        def located(targets: tuple[Target, ...]) -> None:
            if not found.done():
                found.set_result(targets)

        def lost(status: int, reason: str) -> None:
            if not found.done():
                found.set_exception(LocateError(reason))

        self._agent.timers.now = self._clock()
        self._agent.locate(trunk_hop(trunk), None, located, lost)
        self._move()
        return await found

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """What connections of ours are made with; None where there is no TLS."""
        return self._sockets.tls_context

    @property
    def identity(self) -> Identity:
        """Who we are on the wire. Raises RuntimeError before `start`."""
        return self._agent.identity

    def watch_flows(self, on_flow: OnFlow) -> None:
        """Tell this one, from now on, what becomes of the connections."""
        self._on_flow = on_flow

    def ping(self, target: Target) -> bool:
        """Keep a flow open (RFC 5626 section 4.4): CRLFCRLF. False when the connection is not there any more."""
        return self._sockets.ping(target)

    def drop(self, target: Target) -> None:
        """Give a connection up that has died without saying so."""
        self._sockets.drop(target)

    def drain(self) -> None:
        """From now on 503 for new INVITEs and for OPTIONS."""
        if self._core is not None:
            self._core.draining = True

    async def stop(self) -> None:
        """End what is left, wait for it briefly, close the sockets."""
        if self._core is None:
            return
        self.drain()
        for leg in tuple(self._core.legs):
            self._act(partial(leg.hang_up, None))
        await self._farewell(self._core)
        self._alarm.stop()
        self._overload.stop()
        await self._close()
        self._leaving = False

    async def _close(self) -> None:
        await self._sockets.close()
        self._core = None

    async def _farewell(self, core: UserAgent) -> None:
        self._leaving = True
        self._idle.clear()
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                if not core.idle:
                    await self._idle.wait()
        except TimeoutError:
            log.warning("sip_stopped_with_unanswered_requests")
        await self._tasks.end(_FAREWELL_SECONDS)

    # -- what comes from the network ----------------------------------------------------------------------------------

    def _received(self, data: bytes, source: Source) -> None:
        if self._agent.is_over_and_done(data) or (self._sockets.is_late and self._shed(data, source)):
            return
        if self._wire is not None and not self._wire.received(data, source):
            return
        self._agent.receive(data, source, self._clock())
        self._move()

    def _shed(self, data: bytes, source: Source) -> bool:
        """Refuse a call that comes while we are behind. It is counted, not traced or logged: there are many of them."""
        answer = self._agent.shed(data, source)
        if answer is None:
            return False
        self._overload.refused()
        self._sockets.send_datagram(*answer)
        return True

    def _malformed(self, error: MessageError, source: Source) -> None:
        self._agent.malformed(error, source, self._clock())
        self._move()

    def _unreachable(self, target: Target) -> None:
        self._agent.unreachable(target, self._clock())
        self._move()

    def _failed(self, outgoing: Outgoing) -> None:
        self._agent.failed(outgoing, self._clock())
        self._move()

    def _lost(self, flow: Source) -> None:
        if self._core is not None:
            self._core.lost(flow, self._clock())
            self._move()

    def _flow(self, what: Literal["pong", "closed"], peer: Source) -> None:
        if self._on_flow is not None and self._core is not None:
            self._on_flow(what, peer)

    def _is_in_use(self, peer: Source) -> bool:
        return self._core is not None and self._core.uses(peer)

    def _ring(self) -> None:
        self._agent.handle_timer(self._clock())
        self._move()

    # -- what goes out ------------------------------------------------------------------------------------------------

    @property
    def _agent(self) -> UserAgent:
        if self._core is None:
            raise RuntimeError("The endpoint is not started.")
        return self._core

    def _act(self, deed: Callable[[], None]) -> None:
        """Let a leg's owner do something. After `stop` it does nothing."""
        if self._core is not None:
            self._core.timers.now = self._clock()
            deed()
            self._move()

    def _move(self) -> None:
        """Send what there is to send and tell what happened, until there is nothing left; then set the timer."""
        if self._moving or self._core is None:
            return
        core, self._moving = self._core, True
        try:
            while (outbox := core.to_send()) or (events := core.events()):
                if outbox:
                    for outgoing in outbox:
                        self._send(core, outgoing)
                else:
                    for event in events:
                        self._tell(core, event)
        finally:
            self._moving = False
        self._alarm.set(core.next_timer())
        if self._leaving and core.idle:
            self._idle.set()

    def _send(self, core: UserAgent, outgoing: Outgoing) -> None:
        if self._wire is not None:
            self._wire.sent(outgoing.data, outgoing.target)
        try:
            self._sockets.send(outgoing)
        except OSError as error:
            log.info("sip_send_failed", transport=outgoing.target.transport, error=error.strerror)
            core.failed(outgoing, self._clock())

    def _tell(self, core: UserAgent, event: Event) -> None:
        match event:
            case Happened(leg, what):
                self._face(leg).put(what)
            case Over(leg):
                self._face(leg).end()
                del self._faces[leg]
            case Invited(leg):
                self._tasks.spawn(self._look_after(self._face(leg)))
            case Question():
                self._tasks.spawn(self._look_up(core, event))

    def _face(self, leg: AgentLeg) -> EndpointLeg:
        face = self._faces.get(leg)
        if face is None:
            face = self._faces[leg] = EndpointLeg(leg, self._act)
        return face

    async def _look_after(self, leg: EndpointLeg) -> None:
        """The edge of an inbound leg: whatever goes wrong beyond it ends that leg, and is told once."""
        if self._on_invite is None:
            return
        try:
            await self._on_invite(leg)
        except Exception:
            log.exception("inbound_leg_failed", sip_call_id=leg.call_id)
            leg.reject(500)
            leg.hang_up()

    async def _look_up(self, core: UserAgent, question: Question) -> None:
        """What the DNS knows; nothing when it is silent."""
        core.resolved(question, await self._resolver.answer(question.lookup), self._clock())
        self._move()
