"""The guard's bans as others see them (`protocols.BanList`): with the time of the day at which each ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipserver.guard import SourceGuard
from sipserver.protocols import Banned


class GuardBans:
    """`clock` is the guard's, in seconds; `wall` tells µs since the epoch."""

    def __init__(self, guard: SourceGuard, clock: Callable[[], float], wall: Callable[[], int]) -> None:
        self._guard = guard
        self._clock = clock
        self._wall = wall

    def banned(self) -> Sequence[Banned]:
        """The latest first."""
        now, today = self._clock(), self._wall()
        bans = reversed(self._guard.bans())
        return [Banned(ban.address, today + round((ban.until - now) * 1e6), ban.why) for ban in bans]

    def lift(self, host: str) -> bool:
        """End a ban; False where there is none."""
        return self._guard.lift(host)
