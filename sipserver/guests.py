"""Whose peer a source is, for what we tell it: by the Contact it calls, its address, or the credentials that came from there."""

from __future__ import annotations

from sipserver.guard import SourceGuard
from sipserver.legs import Source
from sipserver.message import Request
from sipserver.protocols import AgentDirectory, Trunk
from sipserver.trunks import Trunks


class Guests:
    """Decides what addresses peers are told and what Allow promises them, never whose a call is."""

    def __init__(self, directory: AgentDirectory, trunks: Trunks, guard: SourceGuard) -> None:
        self._directory = directory
        self._trunks = trunks
        self._guard = guard

    def trunk_of(self, request: Request, source: Source) -> Trunk | None:
        """The trunk whose options hold for a request from there."""
        return self._trunks.whose(self._directory, request, source) or self._guard.guest(source.host)

    def takes_refer(self, source: Source) -> bool:
        """Whether a peer there may have its calls transferred."""
        guest = self._guard.guest(source.host)
        trunks = (*self._directory.trunks_of(source.host), *((guest,) if guest else ()))
        return any(trunk.options.accept_refer for trunk in trunks)
