"""Who begins a call (CONTRACT, "who begins"), and whether the agent has begun. Sans-I/O, positions in 8 kHz samples."""

from __future__ import annotations

from media.frames import LINE_RATE
from sipserver.protocols import Agent

_MS = LINE_RATE // 1000


class Opening:
    """The agent's first words. `greeting` is its text, "" where the dialogue finds them; `done`: they are said, or not needed any more.

    `at` is when the agent begins by itself; None when it waits for the caller, or has begun.
    """

    def __init__(self, agent: Agent, greeting: str) -> None:
        self.greeting = greeting
        self.done = False
        self.at: int | None = None
        first = agent.first_speaker == "agent"
        self.protected = first and agent.first_message_uninterruptible
        """The first words are heard to their end."""
        self.unrecorded = bool(agent.recording.enabled and agent.recording.after_disclosure and agent.disclosure)
        """The recording begins when the disclosure was said."""
        self._delay = agent.first_message_delay_ms * _MS if first else None

    def wait(self, now: int) -> bool:
        """Whether the agent begins by itself, the message's delay after the answer; else it is the caller's turn."""
        if self._delay is not None:
            self.at = max(now, self._delay)
        return self._delay is not None

    def is_due(self, now: int) -> bool:
        """Whether the agent is to begin now."""
        return self.at is not None and now >= self.at

    def begun(self) -> None:
        """The first words are being said, or somebody else has spoken first."""
        self.at, self.done = None, True
