"""What we send out of nothing: the INVITE of an invitation, and the OPTIONS that asks a trunk for a sign of life."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from uuid import UUID, uuid5

from sipserver.digest import DigestClient
from sipserver.legs import Invitation
from sipserver.locate import Transport, default_port, numeric
from sipserver.message import Capabilities, Headers, MessageError, NameAddr, Request, SipUri, escape_user, scheme_of
from sipserver.message.extensions import OUTBOUND, RELIABLE
from sipserver.message.grammar import quote
from sipserver.message.session_expires import MIN_SE, SessionExpires
from sipserver.presentation import dialled, presented
from sipserver.protocols import Trunk, TrunkOptions
from sipserver.registration import Account
from sipserver.useragent.addresses import Facing
from sipserver.useragent.exchange import Errand
from sipserver.useragent.identity import ABLE, ACCEPT, TRANSFERABLE, Identity

_INSTANCES = UUID("0b6c1a52-9d0e-5d63-8f6e-2f6d3c4a7e11")
"""The name space of our instances: each is made of the line that it registers, which stays the same."""


@dataclass(frozen=True, slots=True)
class Placing:
    """A request that is ready to go: without Via, to `hop`, with what answers the trunk's challenges.

    `user` is that of our Contact, `facing` whom it is for as far as that is known; `contact` writes it anew once it is known where
    the request goes. `others` are hops for when that one fails. `domain` is the trunk's name, None where it has only an address,
    `able` what the request tells that we do.
    """

    request: Request
    hop: SipUri
    user: str | None
    facing: Facing
    trunk: Trunk
    domain: str | None = None
    digest: DigestClient | None = None
    able: Capabilities = ABLE
    contact: Callable[[Facing], str] | None = None
    others: tuple[SipUri, ...] = ()

    def errand(self) -> Errand:
        """To be sent outside of calls: it is in nobody's ladder."""
        numbers = count(self.request.cseq.number + 1)
        return Errand(
            self.request, self.hop, lambda: next(numbers), others=self.others, domain=self.domain, digest=self.digest, ladder=False,
            trunk=self.trunk, contact=self.contact,
        )  # fmt: skip


def placing_of(invitation: Invitation, identity: Identity) -> Placing:
    """The INVITE of an invitation. Raises MessageError for what cannot be written as SIP."""
    trunk = invitation.trunk
    called = escape_user(dialled(invitation.to, trunk.options))
    to = trunk_uri(trunk, called) if invitation.uri is None else _callable(invitation.uri)
    # A registrar knows its own domain only; a peer that knows us by our address is told that.
    host = trunk_uri(trunk).host if trunk.mode == "registration" else identity.host(facing_of(trunk))
    shown = presented(invitation.from_user, invitation.display_name, trunk.options, host)
    user = shown.user
    headers = _headers(trunk, identity, "INVITE", shown.from_, to, invitation.call_id)
    headers.add("Contact", identity.contact(user, facing_of(trunk)))
    able = TRANSFERABLE if invitation.takes_refer else ABLE
    headers.add("Allow", able.allow)
    for name, value in extensions_of(able, trunk.options, outbound=trunk.id in identity.outbound):
        headers.add(name, value)
    if invitation.replaces is not None:
        headers.add("Replaces", str(invitation.replaces))
        # A peer that does not know Replaces would ring a second time instead (RFC 3891 section 4).
        headers.add("Require", "replaces")
    if invitation.referred_by is not None:
        NameAddr.parse(invitation.referred_by)
        headers.add("Referred-By", invitation.referred_by)
    for name, value in (*shown.headers, *invitation.headers):
        headers.add(name, value)
    if invitation.sdp:
        headers.add("Content-Type", "application/sdp")
    return replace(_placing(Request("INVITE", str(to), headers, invitation.sdp), trunk, user), able=able)


def options_of(trunk: Trunk, identity: Identity) -> Placing:
    """An OPTIONS to the trunk itself. Raises MessageError for what cannot be written as SIP."""
    to = trunk_uri(trunk)
    user = None if trunk.username is None else escape_user(trunk.username)
    host = identity.host(facing_of(trunk)) if user is None else to.host
    from_ = NameAddr(uri=str(SipUri(scheme="sip", password=None, host=host, user=user)), display=None)
    headers = _headers(trunk, identity, "OPTIONS", from_, to, None)
    headers.add("Contact", identity.contact(user, facing_of(trunk)))
    headers.add("Accept", ACCEPT)
    placing = _placing(Request("OPTIONS", str(to), headers, b""), trunk, user)
    return replace(placing, contact=lambda facing: identity.contact(user, facing))


def extensions_of(able: Capabilities, options: TrunkOptions, *, outbound: bool = False) -> list[tuple[str, str]]:
    """What an INVITE over this trunk supports, and what it requires (RFC 3262 section 4, RFC 4028 section 7.1, RFC 5626 section 4.3)."""
    supported = [tag for tag in able.options if tag != RELIABLE or options.reliable100 != "off"]
    supported += [OUTBOUND] if outbound else []
    required = [RELIABLE] if options.reliable100 == "required" else []
    timer = [] if options.session_timer is None else [str(SessionExpires(max(options.session_timer, MIN_SE)))]
    named = (("Supported", supported), ("Require", required), ("Session-Expires", timer))
    return [(name, ", ".join(values)) for name, values in named if values]


def account_of(trunk: Trunk, identity: Identity, line: str, learn: bool) -> Account:
    """A trunk's registration, under the Contact user `line`. Raises MessageError for what cannot be written as SIP.

    The Request-URI is the registrar without a user, the address of record has no port (RFC 3261 section 10.2).
    """
    uri, facing = trunk_uri(trunk), facing_of(trunk)
    return Account(
        registrar=uri,
        aor=replace(uri, user=escape_user(trunk.username or ""), port=None),
        hop=trunk_hop(trunk),
        domain=_domain(trunk),
        route=_route(trunk),
        line=line,
        host=identity.host(facing),
        port=identity.port(facing),
        transport=facing.transport,
        user_agent=identity.user_agent,
        call_id=identity.call_id(),
        tag=identity.tag(),
        instance=uuid5(_INSTANCES, line).urn,
        digest=digest_of(trunk),
        learn=learn and identity.addresses.learns(facing),
    )


def trunk_uri(trunk: Trunk, user: str | None = None) -> SipUri:
    """A URI at the trunk. Its port is written where it is not the usual one; 5060 is what settings say that say nothing,

    also for TLS, whose own is 5061.
    """
    host = f"[{trunk.host}]" if ":" in trunk.host and not trunk.host.startswith("[") else trunk.host
    port = None if trunk.port in (5060, default_port(first_transport(trunk))) else trunk.port
    return SipUri(scheme="sip", user=user, password=None, host=host, port=port)


def trunk_hop(trunk: Trunk) -> SipUri:
    """Whom requests for the trunk are sent to: its outbound proxy, else itself, always by the transport it is set to.

    One that is set to `auto` leaves it to the DNS (RFC 3263 section 4.1). With a transport, a request that outgrows 1300 bytes
    stays on UDP where the trunk is (RFC 3261 section 18.1.1 would change to TCP, which many trunks do not have).
    """
    uri = trunk_uri(trunk) if trunk.outbound_proxy is None else _proxy(trunk.outbound_proxy)
    if trunk.transport == "auto":
        return uri
    return replace(uri, params=uri.params.with_value("transport", trunk.transport))


def other_hops(trunk: Trunk) -> tuple[SipUri, ...]:
    """Whom requests are sent to when the trunk's own host fails. An outbound proxy sees to that itself."""
    if trunk.outbound_proxy is not None:
        return ()
    return tuple(trunk_hop(other) for other in trunk.each_host()[1:])


def first_transport(trunk: Trunk) -> Transport:
    """The transport that our Contact is written for: UDP where the DNS decides, for who speaks SIP speaks that (RFC 3261 section 18)."""
    return "udp" if trunk.transport == "auto" else trunk.transport


def facing_of(trunk: Trunk) -> Facing:
    """The trunk as far as it is known before its name has been looked up."""
    host = trunk_hop(trunk).host
    return Facing(first_transport(trunk), host.strip("[]") if numeric(host) else None, trunk)


def _callable(uri: str) -> str:
    """A whole URI that an INVITE may go to (RFC 3261 section 19.1.1: it carries no headers). Raises MessageError."""
    if scheme_of(uri) != "tel" and SipUri.parse(uri).headers:
        raise MessageError("A Request-URI cannot carry headers.", 0)
    return uri


def _placing(request: Request, trunk: Trunk, user: str | None) -> Placing:
    others = other_hops(trunk)
    return Placing(
        request, trunk_hop(trunk), user, facing_of(trunk), trunk, _domain(trunk), digest_of(trunk), others=others
    )


def _domain(trunk: Trunk) -> str | None:
    return None if numeric(trunk.host) else trunk.host


def _headers(
    trunk: Trunk, identity: Identity, method: str, from_: NameAddr, to: SipUri | str, call_id: str | None
) -> Headers:
    headers = Headers()
    route = _route(trunk)
    if route is not None:
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    headers.add("From", str(from_.with_tag(identity.tag())))
    headers.add("To", f"<{to}>")
    headers.add("Call-ID", call_id or identity.call_id())
    headers.add("CSeq", f"1 {method}")
    headers.add("User-Agent", identity.user_agent)
    return headers


def _route(trunk: Trunk) -> str | None:
    """The Route that is there before any dialog: the outbound proxy, where there is one."""
    if trunk.outbound_proxy is None:
        return None
    proxy = _proxy(trunk.outbound_proxy)
    return f"<{replace(proxy, params=proxy.params.with_value('lr'))}>"


def _proxy(text: str) -> SipUri:
    """An outbound proxy as it is written in settings: a URI, with or without brackets, or host and port alone."""
    bare = text.strip("<> ")
    return SipUri.parse(bare if bare.lower().startswith(("sip:", "sips:")) else f"sip:{bare}")


def digest_of(trunk: Trunk) -> DigestClient | None:
    """What answers this trunk's challenges, those of its realm where it has one set; None for a trunk without credentials."""
    user, realm = trunk.auth_user or trunk.username, trunk.options.auth_realm
    if user is None or trunk.password is None:
        return None
    return DigestClient(user, trunk.password, realms=None if realm is None else (quote(realm)[1:-1],))
