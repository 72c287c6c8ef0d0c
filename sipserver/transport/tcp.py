"""SIP over TCP: connections that came in and that we made, found again by where they lead (RFC 3261 sections 18.1.1, 18.2.2).

An answer goes back over the connection that its request came by, a request over one that leads to its target already; only
where there is none, a new one is made. Connections stay: a quiet call must not lose its own. Those that we made are kept
alive for the routers on their way (RFC 5626 section 4.4.1). `transport/tls.py` does the same with certificates.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import structlog

from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.message import PING, PONG, MessageError, StreamFramer
from sipserver.transaction import Outgoing
from sipserver.transport.bind import is_wildcard
from sipserver.transport.family import as_peer

log = structlog.get_logger(__name__)

_UNACKNOWLEDGED_MS = 30_000
"""How long the kernel waits for a peer to acknowledge bytes, pings among them, before it takes the connection for dead."""


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """How many connections there may be, in all and with one host, and how many bytes may wait to be sent on one. Seconds:

    how long one may stay that never brought a message, or that has brought nothing any more (`idle`); how long making one, or
    a TLS handshake of the peer's, may take; how often those that we made are pinged. `handshakes` may be unfinished at a
    time, `handshakes_per_host` with one host.
    """

    connections: int = 2000
    per_host: int = 200
    silent: float = 30.0
    idle: float = 7200.0
    connecting: float = 8.0
    handshake: float = 5.0
    handshakes: int = 200
    handshakes_per_host: int = 20
    ping: float = 60.0
    unsent: int = 1024 * 1024


def _unheard(source: Source) -> None:
    """Nobody wants to know."""


def _unused(source: Source) -> bool:
    """No call needs it."""
    return False


@dataclass(frozen=True, slots=True)
class TcpCallbacks:
    """What the user agent is told: each message, what was no message, what could not be sent, and which connection broke; the
    answer to a ping of ours, and the end of a connection. `in_use` says whether a call depends on one.
    """

    on_message: Callable[[bytes, Source], None]
    on_malformed: Callable[[MessageError, Source], None]
    on_failed: Callable[[Outgoing], None]
    on_lost: Callable[[Source], None] = _unheard
    on_pong: Callable[[Source], None] = _unheard
    on_closed: Callable[[Source], None] = _unheard
    in_use: Callable[[Source], bool] = _unused


class TcpTransport:
    """All connections of one listening socket, and those made from its address.

    They are found by their `Source`: of one that came in, the peer's address; of one that we made, the target's, and for TLS
    the domain that its certificate was checked for, so that no domain's requests go over another's connection.
    """

    transport: ClassVar[Literal["tcp", "tls"]] = "tcp"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        callbacks: TcpCallbacks,
        limits: TcpLimits | None = None,
    ) -> None:
        """Takes over `sock`, which is bound."""
        self.limits = limits or TcpLimits()
        self.callbacks = callbacks
        self._loop = loop
        self._sock = sock
        host: str = sock.getsockname()[0]
        # From a wildcard the route to the peer decides, and with it the family.
        self._from = None if is_wildcard(host) else (host, 0)
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._connections: dict[Source, Connection] = {}
        self._hosts: Counter[str] = Counter()
        self._waiting: dict[Source, list[Outgoing]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take connections from now on. Raises OSError."""
        self._server = await self._loop.create_server(lambda: Connection(self._loop, self), sock=self._sock)

    def send(self, outgoing: Outgoing) -> None:
        """Send over a connection that is there, else make one; `on_failed` is called when it cannot be done."""
        peer = outgoing.target.connection
        connection = self._leading_to(outgoing.target)
        if connection is not None and not connection.closing:
            if not connection.send(outgoing.data):
                self._loop.call_soon(self.callbacks.on_failed, outgoing)
        elif peer in self._waiting:
            self._queue(peer, outgoing)
        else:
            self._waiting[peer] = [outgoing]
            self._spawn(self._connect(peer))

    def ping(self, target: Target) -> bool:
        """Ask for a sign of life on the connection that leads there (RFC 5626 section 3.5.1); False where there is none."""
        connection = self._leading_to(target)
        return connection is not None and connection.ping()

    def drop(self, target: Target) -> None:
        """Close the connection that leads there, if there is one: the next request makes a new one."""
        connection = self._leading_to(target)
        if connection is not None:
            connection.close()

    async def close(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        else:
            self._sock.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in tuple(self._open):
            connection.close()
        if self._server is not None:
            await self._server.wait_closed()
        # Transports tell of their end in the next turn of the loop; without it their sockets would be left open.
        await asyncio.sleep(0)

    def opened(self, connection: Connection, transport: asyncio.Transport) -> bool:
        """A connection is there; False when it is one too many."""
        host = connection.peer.host
        if len(self._open) >= self.limits.connections or self._hosts[host] >= self.limits.per_host:
            return False
        self._hosts[host] += 1
        self._open.add(connection)
        self._connections[connection.peer] = connection
        return True

    def closed(self, connection: Connection) -> None:
        """A connection is gone. Another one with the same peer may have taken its place already."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        if self._connections.get(connection.peer) is connection:
            del self._connections[connection.peer]
        self._hosts[connection.peer.host] -= 1
        if not self._hosts[connection.peer.host]:
            del self._hosts[connection.peer.host]
        self.callbacks.on_closed(connection.peer)

    def _leading_to(self, target: Target) -> Connection | None:
        flow = None if target.flow is None else self._connections.get(target.flow)
        return flow or self._connections.get(target.connection)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _queue(self, peer: Source, outgoing: Outgoing) -> None:
        waiting = self._waiting[peer]
        if sum(len(item.data) for item in waiting) > self.limits.unsent:
            self._loop.call_soon(self.callbacks.on_failed, outgoing)
        else:
            waiting.append(outgoing)

    async def _connect(self, peer: Source) -> None:
        """Make a connection, and send what has come to wait for it."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self.limits.connecting):
                connection = await self._dial(peer)
        except (OSError, TimeoutError, ValueError) as error:
            # ValueError: a name that cannot be asked for in TLS.
            reason = str(error) or "no answer in time"
            log.info("sip_connection_failed", transport=peer.transport, host=peer.host, port=peer.port, error=reason)
        for outgoing in self._waiting.pop(peer, []):
            if connection is None or not connection.send(outgoing.data):
                self.callbacks.on_failed(outgoing)

    async def _dial(self, peer: Source) -> Connection:
        """A connection to a peer. Raises OSError."""
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._loop, self, peer), peer.host, peer.port, local_addr=self._from
        )
        return connection


class Connection(asyncio.Protocol):
    """One connection: bytes cut into messages. `ours` is where it leads if we made it; one that the peer made has to say
    something in time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: TcpTransport, ours: Source | None = None) -> None:
        self.peer = ours or Source(owner.transport, "", 0)
        self.ours = ours is not None
        self._loop = loop
        self._owner = owner
        self._framer = StreamFramer()
        self._heard: float | None = None
        self._proven = False
        self._pinged = False
        self._transport: asyncio.Transport | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: it is open."""
        stream = cast(asyncio.Transport, transport)
        if not self.ours:
            host, port = stream.get_extra_info("peername")[:2]
            self.peer = Source(self._owner.transport, as_peer(host), port)
        if not self._owner.opened(self, stream):
            stream.abort()
            return
        stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        self._transport = stream
        limits = self._owner.limits
        self._alarm = self._loop.call_later(limits.ping if self.ours else limits.silent, self._check)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        if self._transport is None:
            return
        self._heard = self._loop.time()
        if self._pinged and self._framer.between_messages and data.startswith(PONG):
            # Nobody else can tell it from the first half of the peer's own ping.
            self._pinged, data = False, data[len(PONG) :]
            self._owner.callbacks.on_pong(self.peer)
        try:
            messages = self._framer.feed(data)
        except MessageError as error:
            self._spoilt(error)
            return
        for message in messages:
            self._take(message)
        if self._framer.error is not None:
            self._spoilt(self._framer.error)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it is gone. What waits for an answer over it waits in vain if it broke, or if the peer, after it had been
        reached, wanted nothing of us; a peer that only closed may still answer over a new one (RFC 3261 section 18.2.2).
        """
        was_open, self._transport = self._transport is not None, None
        self._quiet()
        self._owner.closed(self)
        if was_open and (exc is not None or (self.ours and self._heard is None)):
            self._owner.callbacks.on_lost(self.peer)

    @property
    def closing(self) -> bool:
        """Whether nothing more can be sent on it."""
        return self._transport is None or self._transport.is_closing()

    def send(self, data: bytes) -> bool:
        """Send; False when the connection is closing, or when the peer does not read and too much waits already."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() > self._owner.limits.unsent:
            self._transport.abort()
            return False
        self._transport.write(data)
        return True

    def ping(self) -> bool:
        """Send a CRLFCRLF; False when the connection is closing."""
        self._pinged = self.send(PING)
        return self._pinged

    def close(self) -> None:
        """Close it; what is written already still goes out."""
        self._quiet()
        if self._transport is not None:
            self._transport.close()
            self._owner.closed(self)

    def _take(self, message: bytes) -> None:
        if message == PING:
            self.send(PONG)
            return
        self._proven = True
        self._owner.callbacks.on_message(message, self.peer)

    def _check(self) -> None:
        """The alarm: ping the peer of a connection of ours, and close one of the peer's that brings nothing."""
        limits = self._owner.limits
        if self.ours:
            self.ping()
            self._alarm = self._loop.call_later(limits.ping, self._check)
            return
        left = (self._heard or 0.0) + limits.idle - self._loop.time()
        if self._proven and (left > 0 or self._owner.callbacks.in_use(self.peer)):
            # A quiet call may last longer than anything is heard: without its connection the peer might not be reached again.
            self._alarm = self._loop.call_later(left if left > 0 else limits.idle, self._check)
        else:
            self.close()

    def _quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _spoilt(self, error: MessageError) -> None:
        """Nobody knows any more where a message begins: answer what can be answered, and close."""
        self._owner.callbacks.on_malformed(error, self.peer)
        self.close()
