"""SIP over TLS: TCP's connections with certificates (RFC 3261 section 26.3.1, RFC 5922).

A handshake is state before anybody has said who he is. So handshakes are counted: with one host only some may be unfinished,
and when there are many in all, the oldest makes room, for whoever is honest is done in a few round trips.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress
from typing import ClassVar, Literal

import structlog

from sipserver.legs import Source
from sipserver.transport.credentials import Credentials
from sipserver.transport.domains import speaks_for
from sipserver.transport.family import as_peer
from sipserver.transport.tcp import Connection, TcpCallbacks, TcpLimits, TcpTransport

log = structlog.get_logger(__name__)

_BACKLOG = 128
_AFTER_ERROR = 1.0
"""Seconds of rest when no connection can be taken, as when the process has too many files open."""


class TlsTransport(TcpTransport):
    """All TLS connections of one listening socket, and those made from its address.

    One that we make tells the server the domain that was configured (SNI) and is closed before the first message unless the
    server's certificate speaks for it.
    """

    transport: ClassVar[Literal["tcp", "tls"]] = "tls"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        callbacks: TcpCallbacks,
        credentials: Credentials,
        limits: TcpLimits | None = None,
    ) -> None:
        """Takes over `sock`, which is bound."""
        super().__init__(loop, sock, callbacks, limits)
        self._credentials = credentials
        self._handshakes: dict[socket.socket, None] = {}
        self._shaking: Counter[str] = Counter()
        self._accepting: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Take connections from now on. Raises OSError."""
        self._sock.listen(_BACKLOG)
        self._accepting = self._spawn(self._accept())

    async def close(self) -> None:
        """Close everything."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        while self._handshakes:
            self._cut_oldest()
        while self._shaking:
            await asyncio.wait(tuple(self._tasks), return_when=asyncio.FIRST_COMPLETED)
        await super().close()

    def opened(self, connection: Connection, transport: asyncio.Transport) -> bool:
        """A connection is there, its handshake done; False when it is one too many, or leads to somebody else."""
        peer = connection.peer
        wanted = peer.server_name or peer.host
        if connection.ours and not speaks_for(transport.get_extra_info("peercert"), wanted):
            log.warning("sip_tls_wrong_certificate", host=peer.host, port=peer.port, expected=wanted)
            return False
        return super().opened(connection, transport)

    async def _accept(self) -> None:
        while True:
            try:
                sock, address = await self._loop.sock_accept(self._sock)
            except OSError as error:
                log.error("sip_tls_cannot_accept", error=error.strerror)
                await asyncio.sleep(_AFTER_ERROR)
                continue
            self._begin(sock, as_peer(address[0]))

    def _begin(self, sock: socket.socket, host: str) -> None:
        """Let a handshake begin, if its host has not too many open."""
        if self._shaking[host] >= self.limits.handshakes_per_host:
            sock.close()
            return
        if len(self._handshakes) >= self.limits.handshakes:
            self._cut_oldest()
        self._handshakes[sock] = None
        self._shaking[host] += 1
        self._spawn(self._shake(sock, host))

    async def _shake(self, sock: socket.socket, host: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: Connection(self._loop, self),
                sock,
                ssl=self._credentials.server(),
                ssl_handshake_timeout=self.limits.handshake,
            )
        except OSError as error:
            # What scanners and peers without a fitting certificate leave behind; the peer learns of it by its alert.
            log.debug("sip_tls_handshake_failed", host=host, error=str(error))
        finally:
            self._ended(sock, host)

    def _cut_oldest(self) -> None:
        """End a handshake from below; its task then cleans up."""
        sock = next(iter(self._handshakes))
        del self._handshakes[sock]
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def _ended(self, sock: socket.socket, host: str) -> None:
        self._handshakes.pop(sock, None)
        self._shaking[host] -= 1
        if not self._shaking[host]:
            del self._shaking[host]

    async def _dial(self, peer: Source) -> Connection:
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._loop, self, peer),
            peer.host,
            peer.port,
            ssl=self._credentials.client(),
            server_hostname=peer.server_name or peer.host,
            ssl_handshake_timeout=self.limits.connecting,
            local_addr=self._from,
        )
        return connection
