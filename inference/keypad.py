"""Keys that the caller presses, to answers. Sans-I/O: positions (8 kHz samples) come in as arguments.

What a key means depends on who listens: a script's step waits for single keys, or collects several into one number; a
language model always collects. A number ends with `#`, when it has its length, or `PAUSE` after its last key; `*` starts it
over. Keys that mean nothing now are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.frames import LINE_RATE

PAUSE = 3 * LINE_RATE
"""How long after a key the number is taken to be complete, in samples."""
_LONGEST = 32


@dataclass(frozen=True, slots=True)
class KeysWanted:
    """What keys mean now: `single` ones are answers by themselves; `collect` gathers digits, up to `length`."""

    single: frozenset[str] = frozenset()
    collect: bool = False
    length: int | None = None


class Keypad:
    """The keys of one call."""

    def __init__(self) -> None:
        self.began = 0
        """The position of the first key of the number that was taken last, or has begun."""
        self._keys = ""
        self._last = 0

    def press(self, key: str, at: int, wanted: KeysWanted) -> str | None:
        """A key was pressed: the answer that it completes, if any."""
        if not wanted.collect:
            self._keys = ""
            return key if key in wanted.single else None
        if key == "*":
            self._keys = ""
        elif key == "#":
            return self._take()
        elif key.isdigit():
            self.began = self.began if self._keys else at
            self._keys += key
            self._last = at
            if len(self._keys) >= (wanted.length or _LONGEST):
                return self._take()
        return None

    def collecting(self) -> bool:
        """Whether a number has begun."""
        return bool(self._keys)

    def next_timer(self) -> int | None:
        """When the number that has begun is complete, unless more keys come."""
        return self._last + PAUSE if self._keys else None

    def handle_timer(self, now: int) -> str | None:
        """The number, when its pause is over."""
        return self._take() if self._keys and now >= self._last + PAUSE else None

    def _take(self) -> str | None:
        keys, self._keys = self._keys, ""
        return keys or None
