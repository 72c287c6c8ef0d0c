"""What the API asks of whoever keeps the SIP messages of calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol


class CallTraces(Protocol):
    """Live calls and finished ones alike; a call of which nothing was kept has no messages."""

    async def messages(self, call_id: str) -> tuple[list[dict[str, Any]], int]:
        """The messages as `models.trace.TraceMessage` has them, oldest first, and how many older ones were not kept."""

    async def text(self, call_id: str) -> str:
        """The messages as a readable ladder."""

    async def pcap(self, call_id: str) -> bytes:
        """The messages as a capture file."""

    async def refused(self) -> list[dict[str, Any]]:
        """The latest INVITEs that became no call, as `models.trace.RefusedCall` has them, the newest first."""

    async def refused_text(self) -> str:
        """The same as readable ladders."""

    async def refused_pcap(self) -> bytes:
        """The same as a capture file."""

    def follow(self) -> AsyncIterator[dict[str, Any]]:
        """Every SIP message of the node from now on."""
