"""Addresses that are not listened to for a while: strikes lead to a ban, a ban ends by itself. Sans-I/O."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ban:
    """An address that is banned `until` then (seconds of the clock), and why."""

    address: str
    until: float
    why: str


class Bans:
    """`strikes` within `within` seconds make a ban of `seconds`; 0 seconds: there are none. Holds `size` addresses of each kind and
    forgets the oldest.
    """

    def __init__(self, seconds: float, strikes: int, within: float = 60.0, size: int = 10_000) -> None:
        self._seconds = seconds
        self._needed = strikes
        self._within = within
        self._size = size
        self._bans: OrderedDict[str, Ban] = OrderedDict()
        self._strikes: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._bans)

    def holds(self, address: str, now: float) -> bool:
        """Whether the address is banned."""
        ban = self._bans.get(address)
        return ban is not None and now < ban.until

    def strike(self, address: str, now: float, why: str) -> Ban | None:
        """It did something that only strangers do; the ban, if this was once too often."""
        count, since = self._strikes.pop(address, (0, now))
        if now - since > self._within:
            count, since = 0, now
        if count + 1 >= self._needed:
            return self.ban(address, now, why)
        self._strikes[address] = (count + 1, since)
        if len(self._strikes) > self._size:
            self._strikes.popitem(last=False)
        return None

    def ban(self, address: str, now: float, why: str) -> Ban | None:
        """Ban it from now on; None where bans are off."""
        if not self._seconds:
            return None
        ban = Ban(address, now + self._seconds, why)
        self._bans.pop(address, None)
        self._bans[address] = ban
        self._strikes.pop(address, None)
        if len(self._bans) > self._size:
            self._bans.popitem(last=False)
        return ban

    def lift(self, address: str) -> bool:
        """Forget a ban and the strikes; False where there is no ban."""
        self._strikes.pop(address, None)
        return self._bans.pop(address, None) is not None

    def expire(self, now: float) -> Sequence[Ban]:
        """Forget the bans that are over, and tell which. All last equally long, so the oldest end first."""
        over = []
        while self._bans and (oldest := next(iter(self._bans.values()))).until <= now:
            over.append(self._bans.pop(oldest.address))
        return over

    def all(self) -> Sequence[Ban]:
        """The bans, the one that ends first before the others."""
        return tuple(self._bans.values())
