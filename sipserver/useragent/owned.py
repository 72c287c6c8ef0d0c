"""What a leg owns and is called back by: tied to it weakly.

Held strongly, a leg and its parts would keep each other alive until a full collection of garbage, which a busy server puts off
for tens of thousands of calls: 20 kB of each would stay until then. This way a leg goes when nobody needs it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Generic, TypeVar, cast
from weakref import ref

T = TypeVar("T")


class Owned(Generic[T]):
    """A part of a leg. Whoever begins what may outlast the leg's place in the tables calls `_hold` first."""

    def __init__(self, leg: T) -> None:
        self._owner = ref(leg)
        self._held: T | None = None

    @property
    def _leg(self) -> T:
        leg = self._held or self._owner()
        assert leg is not None, "A part is reached through its leg, or holds it."
        return leg

    def _hold(self) -> None:
        self._held = self._leg


def weakly(method: Callable[[], None]) -> Callable[[], None]:
    """Calls a bound method as long as its object lives."""
    bound = cast(MethodType, method)
    owner, function = ref(bound.__self__), bound.__func__

    def call() -> None:
        alive = owner()
        if alive is not None:
            function(alive)

    return call
