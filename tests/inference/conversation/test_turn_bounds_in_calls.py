"""Turn settings at their bounds in whole calls: who keeps the floor, and what the transcript says."""

from __future__ import annotations

import pytest

from sipserver.protocols import TurnSettings
from tests.inference.conversation.scene import Played, Says, Scene, agent, play
from tests.inference.conversation.test_barge_in import SCRIPT, talk

QUESTION = SCRIPT["steps"]["ask"]["say"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("least", "spoken", "interrupts"), [(0, 0.2, True), (0, 1.9, True), (2000, 1.9, False), (2000, 2.2, True)]
)
def test_min_interruption_duration_decides_who_keeps_the_floor(least: int, spoken: float, interrupts: bool) -> None:
    said = Says(1.0, 1.0 + spoken, "cancel my appointment")
    played = talk(said, turn=TurnSettings(min_interruption_ms=least), hang_up_at=9.0)
    first = played.log.items[0]
    if interrupts:
        assert (first.text, first.interrupted, played.media.resumed) == ("One two three", True, [])
        assert played.transcript[1:] == [("user", "cancel my appointment"), ("assistant", "It is cancelled.")]
    else:
        assert played.transcript == [("assistant", QUESTION)]
        assert (first.interrupted, played.media.flushed, len(played.media.resumed)) == (False, [], 1)


@pytest.mark.parametrize(("least", "answered"), [(0, True), (2000, False)])
def test_min_turn_duration_decides_whether_it_was_a_turn(least: int, answered: bool) -> None:
    played = talk(Says(5.0, 5.5, "yes"), turn=TurnSettings(min_turn_ms=least), hang_up_at=9.0)
    assert played.transcript[1:] == (
        [("user", "yes"), ("assistant", "Thank you so very much. Goodbye.")] if answered else []
    )


def test_a_turn_that_is_dropped_gives_the_agent_back_its_voice() -> None:
    played = talk(
        Says(1.0, 1.8, "cancel my"), turn=TurnSettings(min_turn_ms=2000, min_interruption_ms=2000), hang_up_at=9.0
    )
    assert played.transcript == [("assistant", QUESTION)]
    assert len(played.media.resumed) == 1


def protected(first_speaker: str, *turns: Says) -> Played:
    of = agent(script=SCRIPT, first_speaker=first_speaker, first_message_uninterruptible=True)
    return play(Scene(of, turns, hang_up_at=12.0))


def test_first_message_uninterruptible_holds_to_its_last_frame_and_no_longer() -> None:
    """Twelve words of 0.3 s and the gap between two sentences, from 0.06 on: its last sample leaves at 3.8."""
    played = protected("agent", Says(0.1, 3.1, "cancel my appointment"))
    assert played.transcript == [("assistant", QUESTION)]
    assert played.sound[0] == (0.06, 3.8)
    assert not played.log.items[0].interrupted
    assert played.media.flushed == played.media.resumed == []
    # Whoever still speaks when it ends is answered.
    played = protected("agent", Says(3.7, 4.7, "cancel my appointment"))
    assert not played.log.items[0].interrupted
    assert played.transcript[1:] == [("user", "cancel my appointment"), ("assistant", "It is cancelled.")]


def test_first_message_uninterruptible_is_for_agents_that_speak_first() -> None:
    """Where the caller begins, the agent's first message is an answer like any other."""
    played = protected("user", Says(0.5, 0.9, "", kind="rejected"), Says(2.8, 3.8, "cancel my appointment"))
    assert [(item.role, item.interrupted) for item in played.log.items][1] == ("assistant", True)
    assert played.transcript[2] == ("user", "cancel my appointment")
