"""What weighs enough to be answered: a turn of the caller's, a cough, or something said over the agent."""

from __future__ import annotations

from inference.reply import Reply
from inference.turns import TurnOver
from media.frames import LINE_RATE
from sipserver.protocols import TurnSettings

_MS = LINE_RATE // 1000
NOISE = 250 * _MS
"""Speech shorter than this that was not understood is a cough, not a question to be answered."""
LONG = 600 * _MS
"""Speech over the agent that was not understood makes it stop and ask when it was as long as this."""


def takes_floor(turn: TurnOver, text: str, content: bool, reply: Reply | None, settings: TurnSettings) -> bool:
    """Whether a turn is one, and no cough; over the agent's `reply`, whether it takes the floor.

    text: its words, "" where they were not understood. content: the words are more than a sign of listening.
    """
    if reply is None:
        return bool(text) or turn.speech >= NOISE
    if not reply.may_be_interrupted():
        return False
    least = settings.min_interruption_ms * _MS if reply.began is not None else 0
    speaks = content if text else turn.speech >= LONG
    return speaks and turn.speech >= least
