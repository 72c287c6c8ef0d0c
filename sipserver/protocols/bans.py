"""The sources that nothing is heard of for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Banned:
    """A source that nothing is heard of `until` then, µs since the epoch; `address` is an IPv4 address or an IPv6 /64.

    `why`: it named itself a `scanner`, sent a `flood` or `malformed` messages, or was `refused` too often.
    """

    address: str
    until: int
    why: str


class BanList(Protocol):
    """The sources that are banned now, from memory."""

    def banned(self) -> Sequence[Banned]:
        """The latest first."""

    def lift(self, host: str) -> bool:
        """Listen to this address again, with all that are banned with it (an IPv6 /64); False where there is no ban."""
