"""SIP over TCP: connections that came in and that we made, found again by where they lead (RFC 3261 sections 18.1.1, 18.2.2).

An answer goes back over the connection that its request came by, a request over one that leads to its target already; only
where there is none, a new one is made. Connections stay: a quiet call must not lose its own.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.message import PING, PONG, MessageError, StreamFramer
from sipserver.transaction import Outgoing

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """How many connections there may be, in all and with one host; how long one may stay that never brought a message,
    and how long making one may take (seconds); how many bytes may wait to be sent on one.
    """

    connections: int = 2000
    per_host: int = 200
    silent: float = 30.0
    connecting: float = 8.0
    unsent: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TcpCallbacks:
    """What the user agent is told: each message, what was no message, what could not be sent; the answer to a ping of ours,
    and the end of a connection.
    """

    on_message: Callable[[bytes, Source], None]
    on_malformed: Callable[[MessageError, Source], None]
    on_failed: Callable[[Outgoing], None]
    on_pong: Callable[[Source], None] = lambda _peer: None
    on_closed: Callable[[Source], None] = lambda _peer: None


class TcpTransport:
    """All connections of one listening socket, and those made from its address."""

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
        self._host: str = sock.getsockname()[0]
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._connections: dict[Address, Connection] = {}
        self._hosts: Counter[str] = Counter()
        self._waiting: dict[Address, list[Outgoing]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take connections from now on. Raises OSError."""
        self._server = await self._loop.create_server(lambda: Connection(self._loop, self), sock=self._sock)

    def send(self, outgoing: Outgoing) -> None:
        """Send over a connection that is there, else make one; `on_failed` is called when it cannot be done."""
        target = outgoing.target
        flow = None if target.flow is None else self._connections.get((target.flow.host, target.flow.port))
        address = (target.host.strip("[]"), target.port)
        connection = flow or self._connections.get(address)
        if connection is not None and not connection.closing:
            if not connection.send(outgoing.data):
                self._loop.call_soon(self.callbacks.on_failed, outgoing)
        elif address in self._waiting:
            self._queue(address, outgoing)
        else:
            self._waiting[address] = [outgoing]
            task = self._loop.create_task(self._connect(address))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def ping(self, target: Target) -> bool:
        """Ask for a sign of life on the connection that leads there (RFC 5626 section 3.5.1); False where there is none."""
        connection = self._connections.get((target.host.strip("[]"), target.port))
        return connection is not None and connection.ping()

    def drop(self, target: Target) -> None:
        """Close the connection that leads there, if there is one: the next request makes a new one."""
        connection = self._connections.get((target.host.strip("[]"), target.port))
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

    def opened(self, connection: Connection) -> bool:
        """A connection is there; False when it is one too many."""
        host = connection.peer.host
        if len(self._open) >= self.limits.connections or self._hosts[host] >= self.limits.per_host:
            return False
        self._hosts[host] += 1
        self._open.add(connection)
        self._connections[(host, connection.peer.port)] = connection
        return True

    def closed(self, connection: Connection) -> None:
        """A connection is gone. Another one with the same peer may have taken its place already."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        address = (connection.peer.host, connection.peer.port)
        if self._connections.get(address) is connection:
            del self._connections[address]
        self._hosts[connection.peer.host] -= 1
        if not self._hosts[connection.peer.host]:
            del self._hosts[connection.peer.host]
        self.callbacks.on_closed(connection.peer)

    def _queue(self, address: Address, outgoing: Outgoing) -> None:
        waiting = self._waiting[address]
        if sum(len(item.data) for item in waiting) > self.limits.unsent:
            self._loop.call_soon(self.callbacks.on_failed, outgoing)
        else:
            waiting.append(outgoing)

    async def _connect(self, address: Address) -> None:
        """Make a connection, and send what has come to wait for it."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self.limits.connecting):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._loop, self, ours=True), *address, local_addr=(self._host, 0)
                )
        except (OSError, TimeoutError):
            connection = None
        for outgoing in self._waiting.pop(address, []):
            if connection is None or not connection.send(outgoing.data):
                self.callbacks.on_failed(outgoing)


class Connection(asyncio.Protocol):
    """One connection: bytes cut into messages. `ours` if we made it; one that the peer made has to say something in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: TcpTransport, *, ours: bool = False) -> None:
        self.peer = Source("tcp", "", 0)
        self._loop = loop
        self._owner = owner
        self._framer = StreamFramer()
        self._proven = ours
        self._pinged = False
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: it is open."""
        host, port = transport.get_extra_info("peername")[:2]
        self.peer = Source("tcp", host, port)
        if not self._owner.opened(self):
            cast(asyncio.Transport, transport).abort()
            return
        self._transport = cast(asyncio.Transport, transport)
        if not self._proven:
            self._deadline = self._loop.call_later(self._owner.limits.silent, self.close)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        if self._transport is None:
            return
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
        """asyncio: it is gone."""
        self._prove()
        self._transport = None
        self._owner.closed(self)

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
        self._prove()
        if self._transport is not None:
            self._transport.close()
            self._owner.closed(self)

    def _take(self, message: bytes) -> None:
        if message == PING:
            self.send(PONG)
            return
        self._prove()
        self._owner.callbacks.on_message(message, self.peer)

    def _prove(self) -> None:
        """The peer has said something; the connection may stay."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _spoilt(self, error: MessageError) -> None:
        """Nobody knows any more where a message begins: answer what can be answered, and close."""
        self._owner.callbacks.on_malformed(error, self.peer)
        self.close()
