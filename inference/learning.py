"""What is kept of the values that a dialogue captures: all of them, but those that were told off the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NEVER_SECRET = ("opt_out",)
"""A wish not to be called again is kept, wherever it is said."""


class Learning:
    """Follows a dialogue's values. `kept` is where those go that may be kept; it is changed, not replaced."""

    def __init__(self, kept: dict[str, Any]) -> None:
        self._kept = kept
        self._known: dict[str, Any] = {}

    def learn(self, captured: Mapping[str, Any], *, off: bool) -> bool:
        """Take what is new or has changed; `off`: it was told off the record. Returns whether anything is to be kept that was not."""
        news = {
            name: value for name, value in captured.items() if name not in self._known or self._known[name] != value
        }
        self._known.update(news)
        kept = {name: value for name, value in news.items() if not off or name in _NEVER_SECRET}
        self._kept.update(kept)
        return bool(kept)
