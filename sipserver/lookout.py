"""The node's eyes on its SIP: the guard, the tap, the traces of calls and the way to a collector, built from the settings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from sipserver.guard import Challenger, Policy, Registered, SourceGuard
from sipserver.locate import Transport
from sipserver.logs import say
from sipserver.protocols import AgentDirectory, Trunk
from sipserver.settings import GuardSection, Settings, TraceSection, split_host_port
from sipserver.trace.export import HepExport
from sipserver.trace.files import TraceFiles
from sipserver.trace.hep import Agent
from sipserver.trace.keeper import Bounds, Keeper
from sipserver.trace.packet import Address
from sipserver.trace.rtp import RtpTraces
from sipserver.trace.traces import Traces
from sipserver.trace.wiretap import Sink, Wiretap
from sipserver.transport.bind import local_address
from sipserver.useragent import SipEndpoint
from sipserver.wire import GuardedWire


@dataclass(slots=True)
class Lookout:
    """Give `wire` and `guard` to the endpoint, then tell of it by `looks_at`, so that traces know our own addresses."""

    guard: SourceGuard
    traces: Traces
    tap: Wiretap
    wire: GuardedWire
    own: _Own

    @classmethod
    def make(
        cls,
        settings: Settings,
        folder: Path,
        directory: AgentDirectory,
        registered: Registered,
        users: Callable[[], Mapping[str, Trunk]],
        wall: Callable[[], int],
        stack: ExitStack,
    ) -> Lookout:
        """`folder` is where traces are written, `users` whose inbound credentials there are, `wall` tells µs since the epoch.

        Raises OSError for a collector without address.
        """
        challenger = _challenger(settings.guard, users)
        guard = SourceGuard(directory, time.monotonic, _policy(settings.guard), registered, challenger)
        traces = _traces(settings.trace, folder, lambda host: bool(directory.trunks_of(host)))
        sinks: list[Sink] = [traces.take]
        export = _export(settings.trace)
        if export is not None:
            stack.callback(export.close)
            sinks.append(lambda _seen, packet: export.send(packet))
        own = _Own(settings)
        tap = Wiretap(wall, time.monotonic, own.address, guard.knows, sinks, settings.server.log_level, say)
        return cls(guard, traces, tap, GuardedWire(guard, tap), own)

    def looks_at(self, endpoint: SipEndpoint) -> None:
        """The endpoint is bound."""
        self.own.ports = {"udp": endpoint.port, "tcp": endpoint.port, "tls": endpoint.tls_port or 0}


class _Own:
    """Our address on a transport: the one that peers see, where it is a number."""

    def __init__(self, settings: Settings) -> None:
        host = split_host_port(settings.sip.bind)[0]
        self._host = settings.sip.advertised if _numeric(settings.sip.advertised) else local_address(host)
        self.ports: dict[Transport, int] = {}

    def address(self, transport: Transport) -> Address:
        """Host and port."""
        return self._host or "0.0.0.0", self.ports.get(transport, 0)


def _challenger(guard: GuardSection, users: Callable[[], Mapping[str, Trunk]]) -> Challenger:
    """Nonces are this process's own: after a restart they are stale."""
    return Challenger(users, guard.realm, guard.digest_algorithms, os.urandom(32), os.urandom)


def _policy(guard: GuardSection) -> Policy:
    return Policy(
        stranger=guard.stranger_rate,
        prefix=guard.prefix_rate,
        strangers=guard.strangers_rate,
        trunk=guard.trunk_rate,
        ban_seconds=guard.ban_seconds,
        strikes=guard.strikes,
    )


def _traces(trace: TraceSection, folder: Path, knows: Callable[[str], bool]) -> Traces:
    keeper = Keeper(Bounds(messages=trace.messages), knows)
    files = TraceFiles(folder) if trace.days else None
    return Traces(keeper, files, time.monotonic, RtpTraces(always=trace.rtp))


def _export(trace: TraceSection) -> HepExport | None:
    if trace.hep is None:
        return None
    password = trace.hep_password.get_secret_value() if trace.hep_password else None
    return HepExport(*split_host_port(trace.hep), Agent(trace.hep_id, password))


def _numeric(host: str | None) -> bool:
    try:
        return host is not None and bool(ip_address(host.strip("[]")))
    except ValueError:
        return False
