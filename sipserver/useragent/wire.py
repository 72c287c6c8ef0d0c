"""What the endpoint asks and tells of everything that passes its sockets."""

from __future__ import annotations

from typing import Protocol

from sipserver.legs import Source
from sipserver.locate import Target


class Wire(Protocol):
    """Sees whole messages, as bytes, before they are parsed and after they are written. It must not block."""

    def received(self, data: bytes, source: Source) -> bool:
        """A message came; False: drop it unread."""

    def sent(self, data: bytes, target: Target) -> None:
        """A message is being sent."""
