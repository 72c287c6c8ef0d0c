"""Who we are on the wire: Via, Contact, tags and branches, what we can do, and how much of it at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256

from sipserver.locate import Transport
from sipserver.message import NO_PARAMS, Params, Request, SipUri, Via
from sipserver.message.check import Capabilities
from sipserver.transaction.layer import COOKIE
from sipserver.useragent.addresses import Addresses, Facing

ABLE = Capabilities(
    methods=("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO", "NOTIFY", "PRACK"),
    options=("replaces", "norefersub", "100rel", "timer"),
)
"""What we do, and what Allow and Supported say."""

TRANSFERABLE = replace(ABLE, methods=(*ABLE.methods, "REFER"))
"""The same where the peer's wish to transfer its call is fulfilled: elsewhere Allow does not promise it."""

TOLERATED = replace(
    ABLE,
    methods=("INFO", "NOTIFY", "REFER"),
    bodies=(
        *ABLE.bodies,
        "message/sipfrag",
        "application/simple-message-summary",
        "application/dtmf-relay",
        "application/dtmf",
    ),
)
"""Requests with bodies of their own, keys by INFO among them; and what is answered without being offered: a notice of waiting
messages, a REFER that the leg's owner declines."""

ACCEPT = f"{ABLE.accept}, message/sipfrag"
"""What Accept says of all our methods together, in OPTIONS and its answer: status lines come by NOTIFY only."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much state there may be. Beyond it a request gets 503 and is to be tried again later; nothing is remembered of it.

    A call leaves two transactions behind, each for 64*T1: at 800 calls/s there are 51,200 of them. Requests within the calls
    that are here have twice as much room.
    """

    transactions: int = 100_000
    legs: int = 4_000
    lookups: int = 1_000
    retry_after: int = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """`addresses` knows which host each peer reaches us at, `ports` has the port of each transport that is there.

    `random` gives that many random bytes. Tags have 64 bits of it, branches 96 (RFC 3261 section 19.3 asks for 32). `outbound` are
    the ids of the trunks whose registrar keeps to our connection: Contacts there say `ob`, so that what comes in our calls comes
    over it too (RFC 5626 section 4.3).
    """

    addresses: Addresses
    ports: Mapping[Transport, int]
    user_agent: str
    random: Callable[[int], bytes] = field(repr=False)
    secret: bytes = field(repr=False)
    outbound: set[str] = field(default_factory=set)

    @classmethod
    def make(
        cls, addresses: Addresses, ports: Mapping[Transport, int], user_agent: str, random: Callable[[int], bytes]
    ) -> Identity:
        """With a secret of its own for the tags of stateless answers."""
        return cls(addresses, ports, user_agent, random, random(16))

    def host(self, facing: Facing) -> str:
        """The host that this peer reaches us at, as it stands in URIs."""
        return _bracketed(self.addresses.host(facing))

    def port(self, facing: Facing) -> int | None:
        """The port that this peer reaches us at; None for a transport that is not there."""
        own = self.ports.get(facing.transport)
        return None if own is None else self.addresses.port(facing) or own

    def tag(self) -> str:
        """A tag for a From or a To."""
        return self.random(8).hex()

    def call_id(self) -> str:
        """A Call-ID; it tells nothing of us."""
        return self.random(16).hex()

    def via(self, facing: Facing) -> Via:
        """A Via for a new transaction: our address for this peer, a new branch, and `rport` (RFC 3581 section 3)."""
        params = Params((("branch", COOKIE + self.random(12).hex()), ("rport", None)))
        return Via(facing.transport.upper(), self.host(facing), self.port(facing), params)

    def contact(self, user: str | None, facing: Facing, scheme: str = "sip") -> str:
        """The Contact by which a peer reaches us over this transport. `user` as it stands in a URI, escaped.

        `sips` is for requests that came to a sips: URI (RFC 3261 section 12.1.1), if there is TLS to reach us by.
        """
        if scheme == "sips" and "tls" in self.ports:
            facing, params = replace(facing, transport="tls"), NO_PARAMS
        else:
            params = NO_PARAMS if facing.transport == "udp" else Params((("transport", facing.transport),))
            scheme = "sip"
        if facing.trunk is not None and facing.trunk.id in self.outbound:
            params = params.with_value("ob")
        return _contact(scheme, user, self.host(facing), self.port(facing), params)

    def stateless_tag(self, request: Request) -> str:
        """The To tag of an answer that is not remembered: the same for each repetition of the request (section 8.2.7)."""
        seed = f"{request.headers.get('call-id')}\n{request.headers.get('from')}\n{request.headers.get('cseq')}"
        return sha256(self.secret + seed.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@lru_cache(256)
def _contact(scheme: str, user: str | None, host: str, port: int | None, params: Params) -> str:
    return f"<{SipUri(scheme=scheme, user=user, password=None, host=host, port=port, params=params)}>"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
