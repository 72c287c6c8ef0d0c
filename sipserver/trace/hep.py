"""HEP version 3, the encapsulation that Homer and other collectors take: one datagram for each SIP message.

After `HEP3` and the length of all come chunks: vendor (0: the generic ones), type, length with these six bytes, value.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from sipserver.trace.masking import without_credentials
from sipserver.trace.packet import Packet, glance
from sipserver.trace.pcap import addresses

_CHUNK = struct.Struct("!HHH")
_FAMILY = {4: 2, 6: 10}
"""AF_INET and AF_INET6, as Linux numbers them."""
_PROTOCOL = {"udp": 17, "tcp": 6, "tls": 6}
_SIP = 1
_MAX = 65_000
"""Bytes of a message that a datagram has room for, beside the other chunks."""


@dataclass(frozen=True, slots=True)
class Agent:
    """As whom we send to the collector: our capture id, and the password that it may ask for."""

    id: int
    password: str | None = field(default=None, repr=False)


def encoded(packet: Packet, agent: Agent) -> bytes:
    """The datagram for a packet, without credentials. A message that leaves no room for the rest is cut."""
    source, target = addresses(packet)
    (_, source_port), (_, target_port) = packet.ends
    seconds, micros = divmod(packet.at, 1_000_000)
    four = source.version == 4
    chunks = [
        _chunk(1, struct.pack("!B", _FAMILY[source.version])),
        _chunk(2, struct.pack("!B", _PROTOCOL[packet.transport])),
        _chunk(3 if four else 5, source.packed),
        _chunk(4 if four else 6, target.packed),
        _chunk(7, struct.pack("!H", source_port)),
        _chunk(8, struct.pack("!H", target_port)),
        _chunk(9, struct.pack("!I", seconds)),
        _chunk(10, struct.pack("!I", micros)),
        _chunk(11, struct.pack("!B", _SIP)),
        _chunk(12, struct.pack("!I", agent.id)),
    ]
    if agent.password is not None:
        chunks.append(_chunk(14, agent.password.encode()))
    seen = glance(packet.data)
    if seen is not None and seen.call_id:
        chunks.append(_chunk(17, seen.call_id.encode()))
    body = b"".join(chunks) + _chunk(15, without_credentials(packet.data)[:_MAX])
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(0, kind, _CHUNK.size + len(value)) + value
