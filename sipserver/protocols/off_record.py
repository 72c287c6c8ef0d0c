"""What puts a call off the record."""

from __future__ import annotations

from typing import Literal, Protocol

OffRecordBy = Literal["operator", "script"]
"""Who put a call off the record: an order from outside, or a step of the agent's script."""


class OffRecord(Protocol):
    """Puts a call off the record and on again: what is said meanwhile, by either side, is neither recorded nor written down."""

    async def pause(self, by: OffRecordBy) -> None:
        """Off the record. The recording gets silence when this returns; what is written down is looked at from the call on."""

    async def resume(self, by: OffRecordBy) -> None:
        """On the record again, unless another one still wants it off."""

    def covers(self, start: int, end: int) -> bool:
        """Whether any of what lies between two positions was off the record. `end` may be equal to `start`, for a moment."""
