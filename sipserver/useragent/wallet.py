"""The credentials of the trunks, each with the nonces that it was asked for with: the next call may pass at the first try. Sans-I/O."""

from __future__ import annotations

from sipserver.digest import DigestClient
from sipserver.protocols import Trunk
from sipserver.useragent.placing import digest_of

MAX_TRUNKS = 1000


class Wallet:
    """One `DigestClient` for each trunk; another password or realm is another client. The one not used for longest is forgotten first."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str | None, ...], DigestClient] = {}

    def of(self, trunk: Trunk) -> DigestClient | None:
        """What answers this trunk's challenges; None for a trunk without credentials."""
        key = (trunk.id, trunk.auth_user or trunk.username, trunk.password, trunk.options.auth_realm)
        client = self._clients.pop(key, None) or digest_of(trunk)
        if client is None:
            return None
        self._clients[key] = client
        if len(self._clients) > MAX_TRUNKS:
            del self._clients[next(iter(self._clients))]
        return client
