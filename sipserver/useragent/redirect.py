"""Redirections of a call that we place (RFC 3261 section 8.1.3.4). Sans-I/O.

They are followed only where the trunk's settings say so, and only to the trunk itself: whoever answers an INVITE would otherwise
choose whom we call, and what we pay for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sipserver.message import MessageError, NameAddr, Response, SipUri
from sipserver.protocols import Trunk

MAX_TARGETS = 5
"""Targets of one call, the first one included."""

_LEADS_AWAY = ("maddr", "transport", "ttl", "method")
"""Parameters of a Contact by which it would lead somewhere else than its host says, or mean another request."""


class Redirection:
    """The targets of one call. `first` is its Request-URI."""

    def __init__(self, trunk: Trunk, first: SipUri) -> None:
        self.problem: str | None = None
        """Why the last redirection was not followed, where it could have been."""
        self._trunk = trunk
        self._seen = [_key(first)]
        self._waiting: list[tuple[float, SipUri]] = []

    def take(self, response: Response, address: str | None) -> None:
        """The Contacts of a 3xx, the most wanted first. `address` is where the INVITE went to."""
        self.problem = None
        if response.status == 305:
            # Its Contact is a proxy to go through, nobody to call instead (section 21.3.4). Which one that is, the settings say.
            self.problem = (
                "The peer wants the call to come through a proxy (305): name it as the trunk's outbound proxy."
            )
            return
        if not self._trunk.options.follow_redirects:
            return
        hosts = (self._trunk.host, address or self._trunk.host, *self._trunk.options.failover_hosts)
        own = {host.strip("[]").lower() for host in hosts}
        strangers = []
        for wanted, uri in _targets(response.contacts):
            if uri.scheme != "sip" or uri.host.strip("[]") not in own:
                strangers.append(uri.host)
            elif _key(uri) not in self._seen and len(self._seen) < MAX_TARGETS:
                self._seen.append(_key(uri))
                self._waiting.append((wanted, uri))
        self._waiting.sort(key=lambda target: -target[0])
        if strangers and not self._waiting:
            self.problem = (
                f"The trunk redirects the call to {strangers[0]}, which is not the trunk: this is not followed."
            )

    def next(self) -> SipUri | None:
        """The next target to be tried."""
        return self._waiting.pop(0)[1] if self._waiting else None


def _targets(contacts: Iterable[NameAddr]) -> list[tuple[float, SipUri]]:
    """What can be called, by `q` (section 20.10; 1 where there is none), without what leads away from the URI's host."""
    found = []
    for contact in contacts:
        try:
            uri = SipUri.parse(contact.uri)
        except MessageError:
            continue
        params = uri.params
        for name in _LEADS_AWAY:
            params = params.without(name)
        found.append((_preference(contact.params.get("q")), replace(uri, params=params, headers=(), password=None)))
    return sorted(found, key=lambda target: -target[0])


def _preference(text: str | None) -> float:
    """A `q` that is no number of 0–1 is as if it were not there."""
    try:
        value = 1.0 if text is None else float(text)
    except ValueError:
        return 1.0
    return value if 0.0 <= value <= 1.0 else 1.0


def _key(uri: SipUri) -> tuple[str | None, str, int | None]:
    """Two targets that are alike in this are one: whoever redirects in a circle does not get us to run in it."""
    return (uri.user, uri.host.lower(), uri.port)
