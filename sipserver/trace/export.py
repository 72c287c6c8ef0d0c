"""The way to a HEP collector: one connected UDP socket that never waits. What it cannot take at once is lost, and counted."""

from __future__ import annotations

import socket
from collections import Counter

from sipserver.trace.hep import Agent, encoded
from sipserver.trace.packet import Packet


class HepExport:
    """Sends every packet to the collector. The name is looked up once, here. Raises OSError for one that does not exist."""

    def __init__(self, host: str, port: int, agent: Agent) -> None:
        self.counters: Counter[str] = Counter()
        self._agent = agent
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise

    def send(self, packet: Packet) -> None:
        """Send it, or lose it: a full buffer, or nobody there."""
        try:
            self._socket.send(encoded(packet, self._agent))
            self.counters["sent"] += 1
        except OSError:
            self.counters["lost"] += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
