"""The agent's time on a call (CONTRACT, `maxCallDurationSeconds`). Sans-I/O, positions in 8 kHz samples."""

from __future__ import annotations

from media.frames import LINE_RATE

FAREWELL = 6 * LINE_RATE
"""How long before the limit of the call the agent begins to say that time is up."""


class TimeLimit:
    """When the agent's part of one call ends."""

    def __init__(self, now: int, seconds: int) -> None:
        self._end = now + seconds * LINE_RATE

    def next_timer(self, *, parting: bool) -> int:
        """When there is something to do; the farewell first, unless the agent is `parting` already."""
        return self._end if parting else self._end - FAREWELL

    def is_over(self, now: int) -> bool:
        """Whether the call is to end now."""
        return now >= self._end

    def is_near(self, now: int) -> bool:
        """Whether it is time to say goodbye."""
        return now >= self._end - FAREWELL

    def extend(self, samples: int) -> None:
        """So long the caller was with somebody else."""
        self._end += samples
