"""When nobody speaks: prompts, then the end of the call (CONTRACT, `silence`). Sans-I/O, positions in 8 kHz samples."""

from __future__ import annotations

from media.frames import LINE_RATE
from sipserver.protocols import SilenceSettings


class Silence:
    """Counts the silences of one call."""

    def __init__(self, settings: SilenceSettings) -> None:
        self._settings = settings
        self._since: int | None = None
        self._prompted = 0

    def begin(self, at: int) -> None:
        """Nobody speaks from now on."""
        self._since = at

    def broken(self) -> None:
        """Somebody speaks, or something is being worked out."""
        self._since = None

    def answered(self) -> None:
        """The caller has said something: prompts begin anew."""
        self._prompted = 0

    def next_timer(self) -> int | None:
        """When the silence will have been too long."""
        if self._since is None:
            return None
        return self._since + self._settings.prompt_after_ms * LINE_RATE // 1000

    def prompt(self, default: str) -> str | None:
        """What to say now; None when enough was said and the call is to end."""
        if self._prompted >= self._settings.end_after:
            return None
        self._prompted += 1
        prompts = self._settings.prompts or (default,)
        return prompts[min(self._prompted, len(prompts)) - 1]
