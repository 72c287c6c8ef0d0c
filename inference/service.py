"""What a speech worker runs: a service per role. (Not in `worker.py`, which runs as `__main__` and would be a second module.)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from inference.wire import Message

Send = Callable[[Message], None]
Poll = Callable[[], None]


class Service(Protocol):
    """What a worker does. `handle` is quick; long work is cut into steps, and messages are read between them."""

    def describe(self) -> Mapping[str, Any]:
        """What the parent should know before the first request."""

    def handle(self, message: Message) -> None:
        """A message came. Also called from inside a step that polls."""

    def busy(self) -> bool:
        """Is there a step to do?"""

    def step(self) -> None:
        """Do a slice of the work: at most a few tens of milliseconds."""


class ServiceFailed(Exception):
    """The service cannot start; the message is the sentence that health() shows."""
