"""The sockets of an endpoint: UDP and TCP on one port, and TLS on another. They carry; what is carried, the user agent knows."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import structlog

from sipserver.locate import Target, Transport
from sipserver.message import PING
from sipserver.transaction import Outgoing
from sipserver.transport.bind import bind, bind_tls
from sipserver.transport.credentials import Credentials, TlsFiles
from sipserver.transport.tcp import TcpCallbacks, TcpLimits, TcpTransport
from sipserver.transport.tls import TlsTransport
from sipserver.transport.udp import UdpTransport

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFace:
    """Where TLS is spoken, and as whom. `advertised` is the host in Via and Contact over TLS, if it is another one."""

    host: str
    port: int
    files: TlsFiles
    advertised: str | None = None


class Sockets:
    """Closed until `open`, and again after `close`. `port` and `tls_port` are the real ones from then on."""

    def __init__(
        self,
        host: str,
        port: int,
        transports: Sequence[Literal["udp", "tcp"]],
        tls: TlsFace | None,
        tcp_limits: TcpLimits | None,
    ) -> None:
        self.port = port
        self.tls_port: int | None = None
        self._host = host
        self._transports = tuple(transports)
        self._tls_face = tls
        self._tcp_limits = tcp_limits
        self._credentials: Credentials | None = None
        self._udp: UdpTransport | None = None
        self._streams: dict[Transport, TcpTransport] = {}

    def open(self, callbacks: TcpCallbacks, unreachable: Callable[[Target], None]) -> dict[Transport, int]:
        """Bind, and say which port each transport has. Nothing is heard of connections before `listen`. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._credentials = credentials = None if self._tls_face is None else Credentials(self._tls_face.files)
        bound = bind(self._host, self.port, self._transports)
        self.port = bound.port
        ports: dict[Transport, int] = dict.fromkeys(self._transports, bound.port)
        if bound.udp is not None:
            self._udp = UdpTransport(loop, bound.udp, callbacks.on_message, unreachable)
        if bound.tcp is not None:
            self._streams["tcp"] = TcpTransport(loop, bound.tcp, callbacks, self._tcp_limits)
        if self._tls_face is not None and credentials is not None:
            sock, ports["tls"] = bind_tls(self._tls_face.host, self._tls_face.port)
            self.tls_port = ports["tls"]
            self._streams["tls"] = TlsTransport(loop, sock, callbacks, credentials, self._tcp_limits)
        return ports

    async def listen(self) -> None:
        """Take connections. Raises OSError."""
        for stream in self._streams.values():
            await stream.listen()

    async def close(self) -> None:
        """Close all that is open."""
        if self._udp is not None:
            self._udp.close()
        for stream in self._streams.values():
            await stream.close()
        self._streams.clear()
        self._udp = None

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """What connections of ours are made with; None where there is no TLS."""
        return None if self._credentials is None else self._credentials.client()

    @property
    def is_late(self) -> bool:
        """Whether datagrams wait longer than they should before they are read."""
        return self._udp is not None and self._udp.is_late

    def send(self, outgoing: Outgoing) -> None:
        """Send a message. Raises OSError, as far as that is known at once."""
        if outgoing.target.transport == "udp" and self._udp is not None:
            self._udp.send(outgoing.data, outgoing.target)
        elif outgoing.target.transport in self._streams:
            self._streams[outgoing.target.transport].send(outgoing)

    def send_datagram(self, data: bytes, target: Target) -> None:
        """Send this over UDP, to somebody who asks again if it is lost."""
        with suppress(OSError):
            if self._udp is not None:
                self._udp.send(data, target)

    def ping(self, target: Target) -> bool:
        """Keep a flow open (RFC 5626 section 4.4): CRLFCRLF. False when the connection is not there any more."""
        if target.reliable:
            stream = self._streams.get(target.transport)
            return stream is not None and stream.ping(target)
        try:
            if self._udp is not None:
                self._udp.send(PING, target)
        except OSError as error:
            log.info("sip_ping_failed", error=error.strerror)
        return True

    def drop(self, target: Target) -> None:
        """Give a connection up that has died without saying so."""
        stream = self._streams.get(target.transport)
        if stream is not None:
            stream.drop(target)


def family_of(host: str) -> socket.AddressFamily:
    """The addresses that a socket bound to `host` reaches; `::` reaches both kinds."""
    if host == "::":
        return socket.AF_UNSPEC
    return socket.AF_INET6 if ":" in host else socket.AF_INET
