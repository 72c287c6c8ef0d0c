"""The caller speaks while the agent speaks: what is dropped, what is resumed, and what the transcript says was heard."""

from __future__ import annotations

import pytest

from sipserver.protocols import Agent, TurnSettings
from tests.inference.conversation.scene import Played, Presses, Says, Scene, agent, play

SCRIPT = {
    "start": "ask",
    "steps": {
        "ask": {
            "say": "One two three four five six seven eight. Can you make it?",
            "listen": [{"hear": ["yes [please]"], "go": "bye"}, {"hear": ["cancel my appointment"], "go": "gone"}],
            "else": {"say": "Yes or no?", "times": 3},
        },
        "gone": {"say": "It is cancelled.", "end": True},
        "bye": {"say": "Thank you so very much. Goodbye.", "end": True},
    },
}


def talk(*turns: Says, hang_up_at: float | None = None, marks: bool = True, **changes: object) -> Played:
    of: Agent = agent(script=SCRIPT, **changes)
    return play(Scene(of, turns, hang_up_at=hang_up_at, marks=marks))


def test_words_take_the_floor_and_only_what_was_heard_is_kept() -> None:
    # The agent's n-th word sounds from 0.06 + 0.3 n. The caller speaks from 1.0, paused on the second frame.
    played = talk(Says(1.0, 2.2, "cancel my appointment"))
    first, second, third = played.log.items
    assert (first.text, first.interrupted) == ("One two three", True)
    assert (first.start_ms, first.end_ms) == (60, 1040)
    assert (second.role, second.text, second.start_ms) == ("user", "cancel my appointment", 1000)
    assert third.text == "It is cancelled."
    # Silent from the second frame of speech on; dropped when the first word (there at 1.5) has settled for 200 ms.
    before = [at / 8000 for at, _ in played.media.left if at / 8000 < 2.0]
    assert before[-1] == 1.02
    at, dropped = played.media.flushed[0]
    assert 1.7 <= at <= 1.74
    assert dropped > 50
    [told] = played.events("barge_in")
    assert abs(told["atMs"] - at * 1000) < 30
    assert played.media.resumed == []


@pytest.mark.parametrize("words", ["uh huh", "okay", "mm"])
def test_a_backchannel_is_resumed_at_the_start_of_a_word(words: str) -> None:
    played = talk(Says(1.0, 1.5, words), hang_up_at=8.0)
    assert played.media.flushed == []
    [(at, frame)] = played.media.resumed
    # Over at 500 ms of silence, and the recogniser's verdict 20 ms later.
    assert 2.0 < at <= 2.06
    # Paused in the fourth word, which begins at frame 45.
    assert frame == 45
    assert played.transcript == [("assistant", "One two three four five six seven eight. Can you make it?")]
    assert not played.log.items[0].interrupted
    assert played.end.turn_count == 0


def test_a_cough_is_resumed_soon() -> None:
    played = talk(Says(1.0, 1.2, "", kind="rejected"), hang_up_at=8.0)
    [(at, _)] = played.media.resumed
    assert 1.5 < at <= 1.56
    assert [role for role, _ in played.transcript] == ["assistant"]


def test_an_echo_does_not_pause_the_agent_for_ever() -> None:
    """Whoever hears itself would stop at each of its own words: after three pauses for nothing it says the rest at a stretch."""
    script = {
        "start": "ask",
        "steps": {
            "ask": {"say": "a b c d e f g h i j k l m n o p q r s t?", "listen": [{"hear": ["yes"], "go": "end"}]},
            "end": {"end": True},
        },
    }
    echo = [Says(1.0 + n, 1.2 + n, "", kind="rejected") for n in range(9)]
    played = play(Scene(agent(script=script), echo, hang_up_at=12.0))
    assert [(item.text, item.interrupted) for item in played.log.items] == [(script["steps"]["ask"]["say"], False)]  # type: ignore[index]
    assert len(played.media.resumed) == 3
    assert [change.enabled for _, change in played.media.barge_in] == [True, False, True]
    # Its words still count, and the next reply may be paused again.
    assert len(played.stt.begun) == len(echo)


def test_long_speech_that_is_rejected_stops_the_agent_which_asks_again() -> None:
    played = talk(Says(1.0, 2.5, "", kind="rejected"), hang_up_at=6.0)
    assert played.transcript[:3] == [
        ("assistant", "One two three"),
        ("user", "[not understood]"),
        ("assistant", "Yes or no?"),
    ]
    assert played.log.items[0].interrupted


def test_speech_shorter_than_the_least_interruption_does_not_stop_the_agent() -> None:
    settings = TurnSettings(min_interruption_ms=1000)
    played = talk(Says(1.0, 1.9, "cancel my appointment"), turn=settings, hang_up_at=8.0)
    assert played.media.flushed == []
    assert len(played.media.resumed) == 1
    assert [role for role, _ in played.transcript] == ["assistant"]


def test_a_key_pressed_in_mid_speech_leaves_no_pause_behind() -> None:
    script = {
        "start": "ask",
        "steps": {
            "ask": {"say": "One two three?", "listen": [{"dtmf": "1", "go": "bye"}]},
            "bye": {"say": "a b c d e f g.", "listen": [{"hear": ["yes"], "go": "end"}]},
            "end": {"end": True},
        },
    }
    played = play(Scene(agent(script=script), [Says(2.0, 4.0, "", kind="rejected"), Presses(2.5, "1")], hang_up_at=9.0))
    assert played.transcript[1:] == [("user", "[key 1]"), ("assistant", "a b c d e f g.")]


def test_an_uninterruptible_first_message_is_heard_to_its_end() -> None:
    played = talk(
        Says(1.0, 2.0, "cancel my appointment"),
        Says(6.0, 6.5, "yes"),
        first_message_uninterruptible=True,
    )
    assert played.transcript == [
        ("assistant", "One two three four five six seven eight. Can you make it?"),
        ("user", "yes"),
        ("assistant", "Thank you so very much. Goodbye."),
    ]
    assert [change.enabled for _, change in played.media.barge_in] == [True, False, True, False, True]


def test_a_farewell_is_heard_to_its_end() -> None:
    played = talk(Says(5.0, 5.5, "yes"), Says(6.4, 7.4, "cancel my appointment"))
    assert played.transcript[-1] == ("assistant", "Thank you so very much. Goodbye.")
    assert not played.log.items[-1].interrupted
    assert played.media.flushed == []


def test_a_voice_without_word_marks_is_cut_by_its_length() -> None:
    played = talk(Says(1.0, 2.2, "cancel my appointment"), marks=False)
    assert played.log.items[0].text == "One two three"


def test_the_turn_settings_reach_the_tick() -> None:
    settings = TurnSettings(activation_threshold=0.6, post_speech_cooldown_ms=900)
    played = talk(Says(5.0, 5.5, "yes"), turn=settings)
    assert {(change.threshold, change.cooldown_ms) for _, change in played.media.barge_in} == {(0.6, 900)}
