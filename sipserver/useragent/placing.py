"""What we send out of nothing: the INVITE of an invitation, and the OPTIONS that asks a trunk for a sign of life."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sipserver.digest import DigestClient
from sipserver.legs import Invitation
from sipserver.locate import Transport, default_port, numeric
from sipserver.message import Headers, NameAddr, Request, SipUri, escape_user
from sipserver.protocols import Trunk
from sipserver.useragent.identity import ABLE, Identity


@dataclass(frozen=True, slots=True)
class Placing:
    """A request that is ready to go: without Via, to `hop`, with what answers the trunk's challenges.

    `user` and `transport` are those of our Contact, `domain` is the trunk's name, None where it has only an address.
    """

    request: Request
    hop: SipUri
    user: str | None
    transport: Transport
    domain: str | None = None
    digest: DigestClient | None = None


def placing_of(invitation: Invitation, identity: Identity) -> Placing:
    """The INVITE of an invitation. Raises MessageError for what cannot be written as SIP."""
    trunk = invitation.trunk
    user = escape_user(invitation.from_user)
    to = trunk_uri(trunk, escape_user(invitation.to))
    # A registrar knows its own domain only; a peer that knows us by our address is told that.
    host = trunk_uri(trunk).host if trunk.mode == "registration" else identity.host(trunk.transport)
    from_ = NameAddr(
        uri=str(SipUri(scheme="sip", password=None, host=host, user=user)), display=invitation.display_name
    )
    headers = _headers(trunk, identity, "INVITE", from_, to, invitation.call_id)
    headers.add("Contact", identity.contact(user, trunk.transport))
    headers.add("Allow", ABLE.allow)
    for name, value in invitation.headers:
        headers.add(name, value)
    if invitation.sdp:
        headers.add("Content-Type", "application/sdp")
    return _placing(Request("INVITE", str(to), headers, invitation.sdp), trunk, user)


def options_of(trunk: Trunk, identity: Identity) -> Placing:
    """An OPTIONS to the trunk itself. Raises MessageError for what cannot be written as SIP."""
    to = trunk_uri(trunk)
    user = None if trunk.username is None else escape_user(trunk.username)
    host = identity.host(trunk.transport) if user is None else to.host
    from_ = NameAddr(uri=str(SipUri(scheme="sip", password=None, host=host, user=user)), display=None)
    headers = _headers(trunk, identity, "OPTIONS", from_, to, None)
    headers.add("Contact", identity.contact(user, trunk.transport))
    headers.add("Accept", ABLE.accept)
    return _placing(Request("OPTIONS", str(to), headers, b""), trunk, user)


def trunk_uri(trunk: Trunk, user: str | None = None) -> SipUri:
    """A URI at the trunk. Its port is written where it is not the usual one; 5060 is what settings say that say nothing,

    also for TLS, whose own is 5061.
    """
    host = f"[{trunk.host}]" if ":" in trunk.host and not trunk.host.startswith("[") else trunk.host
    port = None if trunk.port in (5060, default_port(trunk.transport)) else trunk.port
    return SipUri(scheme="sip", user=user, password=None, host=host, port=port)


def trunk_hop(trunk: Trunk) -> SipUri:
    """Whom requests for the trunk are sent to: its outbound proxy, else itself, always by the transport it is set to.

    So a request that outgrows 1300 bytes stays on UDP where the trunk is (RFC 3261 section 18.1.1 would change to TCP, which
    many trunks do not have).
    """
    uri = trunk_uri(trunk) if trunk.outbound_proxy is None else _proxy(trunk.outbound_proxy)
    return replace(uri, params=uri.params.with_value("transport", trunk.transport))


def _placing(request: Request, trunk: Trunk, user: str | None) -> Placing:
    domain = None if numeric(trunk.host) else trunk.host
    return Placing(request, trunk_hop(trunk), user, trunk.transport, domain, _digest(trunk))


def _headers(
    trunk: Trunk, identity: Identity, method: str, from_: NameAddr, to: SipUri, call_id: str | None
) -> Headers:
    headers = Headers()
    if trunk.outbound_proxy is not None:
        proxy = _proxy(trunk.outbound_proxy)
        headers.add("Route", f"<{replace(proxy, params=proxy.params.with_value('lr'))}>")
    headers.add("Max-Forwards", "70")
    headers.add("From", str(from_.with_tag(identity.tag())))
    headers.add("To", f"<{to}>")
    headers.add("Call-ID", call_id or identity.call_id())
    headers.add("CSeq", f"1 {method}")
    headers.add("User-Agent", identity.user_agent)
    return headers


def _proxy(text: str) -> SipUri:
    """An outbound proxy as it is written in settings: a URI, with or without brackets, or host and port alone."""
    bare = text.strip("<> ")
    return SipUri.parse(bare if bare.lower().startswith(("sip:", "sips:")) else f"sip:{bare}")


def _digest(trunk: Trunk) -> DigestClient | None:
    user = trunk.auth_user or trunk.username
    return None if user is None or trunk.password is None else DigestClient(user, trunk.password)
