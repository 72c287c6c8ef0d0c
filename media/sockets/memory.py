"""A backend without a network, for the tick under simulated time: packets are put in and read out as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.sockets.face import NOT_TIMED, PACKET_BYTES, Address, PortsExhausted, Received, Rows, source_key
from media.sockets.ports import PortPairs


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that left: from our port to an address."""

    port: int
    data: bytes
    address: Address


class MemorySockets:
    """Sockets (media.sockets) whose other side is `deliver` and `take_sent`."""

    def __init__(self, ports: PortPairs) -> None:
        self.refused = 0
        self._ports = ports
        self._port: dict[int, int] = {}
        self._row: dict[int, int] = {}
        self._waiting: list[tuple[int, bytes, Address, int]] = []
        self._sent: list[Sent] = []
        self._aims: dict[int, Address | None] = {}

    def open(self, row: int) -> int:
        """Take the next free pair of numbers."""
        for port in self._ports.candidates():
            self._port[row] = port
            self._row[port] = self._row[port + 1] = row
            return port
        raise PortsExhausted("No pair of ports is free.")

    def close(self, row: int) -> None:
        """Free the pair."""
        if row in self._port:
            port = self._port.pop(row)
            del self._row[port], self._row[port + 1]
            self._ports.give_back(port)

    def deliver(self, port: int, data: bytes, source: Address, arrival: int = NOT_TIMED) -> bool:
        """Let a datagram arrive at one of our ports, at `arrival` (samples at 8 kHz). False when nobody has that port."""
        if port not in self._row:
            return False
        self._waiting.append((port, data, source, arrival))
        return True

    def take_sent(self) -> list[Sent]:
        """What left since the last call, in order."""
        sent, self._sent = self._sent, []
        return sent

    def receive(self) -> Received:
        """Everything delivered since the last call."""
        waiting, self._waiting = self._waiting, []
        audio = [packet for packet in waiting if packet[0] % 2 == 0 and packet[0] in self._row]
        batch = np.zeros((len(audio), PACKET_BYTES), np.uint8)
        for line, (_, data, _, _) in zip(batch, audio, strict=True):
            line[: len(data)] = np.frombuffer(data[:PACKET_BYTES], np.uint8)
        return Received(
            data=batch,
            lengths=np.array([min(len(data), PACKET_BYTES) for _, data, _, _ in audio], np.int64),
            rows=np.array([self._row[port] for port, _, _, _ in audio], np.int64),
            sources=np.array([source_key(source) for _, _, source, _ in audio], np.int64),
            addresses=[source for _, _, source, _ in audio],
            arrivals=np.array([arrival for _, _, _, arrival in audio], np.int64),
            control=[
                (self._row[port], data, source)
                for port, data, source, _ in waiting
                if port % 2 == 1 and port in self._row
            ],
        )

    def aim(self, row: int, address: Address | None) -> None:
        """Where `send_rows` sends the row's packets from now on; None: nowhere."""
        self._aims[row] = address

    def send_rows(self, rows: Rows, packets: NDArray[np.uint8]) -> None:
        """Keep one packet per row for `take_sent`."""
        for row, packet in zip(rows.tolist(), packets, strict=True):
            address = self._aims.get(row)
            if address is not None:
                self._sent.append(Sent(self._port[row], packet.tobytes(), address))

    def send(self, rows: Sequence[int], packets: Sequence[memoryview], addresses: Sequence[Address]) -> None:
        """Keep one packet per row for `take_sent`."""
        for row, packet, address in zip(rows, packets, addresses, strict=True):
            self._sent.append(Sent(self._port[row], bytes(packet), address))

    def send_control(self, row: int, packet: bytes, address: Address) -> None:
        """Keep an RTCP packet, sent from the odd port."""
        self._sent.append(Sent(self._port[row] + 1, packet, address))
