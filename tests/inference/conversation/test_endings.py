"""What goes wrong, and how a call ends all the same: hang-ups, dead engines, agents that are not ready."""

from __future__ import annotations

from typing import Any

import pytest

from inference.conversation import Conversations
from sipserver.protocols import EndedReason, RecordingSettings
from tests.inference.conversation.scene import Fails, Played, Presses, Says, Scene, agent, play

SCRIPT = {
    "start": "ask",
    "steps": {
        "ask": {
            "say": "One two three four five six.",
            "listen": [{"hear": ["yes"], "set": {"ok": True}, "go": "next"}],
        },
        "next": {"say": "And now? Say it.", "listen": [{"hear": ["no"], "go": "bye"}]},
        "bye": {"say": "Goodbye.", "end": True},
    },
}
TROUBLE = "I am sorry, there is a technical problem on our side. Please call again later. Goodbye."


def talk(*turns: Says | Presses | Fails, **changes: object) -> Played:
    return play(Scene(agent(script=SCRIPT), turns, **changes))  # type: ignore[arg-type]


def test_a_hang_up_keeps_what_was_heard_of_the_agent() -> None:
    played = talk(hang_up_at=1.0)
    assert played.hung_up
    assert played.transcript == [("assistant", "One two three")]
    assert played.log.items[0].interrupted
    assert played.end.reason is None
    assert played.stt.closed == 1
    assert played.tts.canceled == []


def test_a_hang_up_keeps_what_the_caller_was_saying_and_what_was_captured() -> None:
    played = talk(Says(3.0, 3.5, "yes"), Says(7.0, 9.0, "no thank you very much"), hang_up_at=8.4)
    assert played.transcript[-1] == ("user", "no thank you")
    assert played.end.captured == {"ok": True}
    assert played.end.turn_count == 1
    assert len(played.end.turn_latencies_ms) == 1


def test_a_hang_up_in_the_middle_of_synthesis_cancels_it() -> None:
    played = talk(hang_up_at=0.02)
    assert played.transcript == []
    assert played.tts.canceled == ["One two three four five six."]


def test_media_that_times_out_or_fails_ends_the_call() -> None:
    late = talk(Fails(1.0, "timeout"))
    assert late.end.reason is EndedReason.MEDIA_TIMEOUT
    gone = talk(Fails(1.0, "failed"))
    assert gone.end.reason is EndedReason.ERROR
    assert [(problem.part, problem.message) for problem in gone.log.problems] == [("media", "gone")]
    assert gone.log.items[0].text == "One two three"


def test_a_recogniser_that_fails_once_is_forgiven() -> None:
    played = talk(Says(3.0, 3.5, "yes"), Says(8.5, 9.0, "yes"), stt_fails=[1], hang_up_at=12)
    assert played.transcript[1][1].startswith("Sorry, I did not catch that.")
    assert played.end.captured == {"ok": True}
    assert [problem.part for problem in played.log.problems] == ["stt"]


def test_a_recogniser_that_fails_twice_is_apologised_for() -> None:
    played = talk(Says(3.0, 3.5, "yes"), Says(8.5, 9.0, "yes"), stt_fails=[1, 2])
    assert played.transcript[-1] == ("assistant", TROUBLE)
    assert played.end.reason is EndedReason.ERROR
    assert [problem.message for problem in played.log.problems] == ["no decoder in time"] * 2


@pytest.mark.parametrize("failure", [{"no_ears": True}, {"tts_fails_at": 1}, {"stt_fails": [1, 2]}])
def test_where_another_agent_goes_on_nobody_says_goodbye(failure: dict[str, Any]) -> None:
    played = talk(Says(3.0, 3.5, "yes"), Says(8.5, 9.0, "yes"), may_fail=True, **failure)
    assert TROUBLE not in [text for _, text in played.transcript]
    assert played.end.reason is EndedReason.ERROR


def test_a_recogniser_that_is_not_there_is_apologised_for() -> None:
    played = talk(no_ears=True)
    assert played.transcript == [("assistant", TROUBLE)]
    assert played.end.reason is EndedReason.ERROR


def test_without_a_voice_a_tone_is_the_last_sign() -> None:
    played = talk(tts_fails_at=1)
    assert played.transcript == []
    [(start, end)] = played.sound
    assert round(end - start, 2) == 0.4
    assert played.end.reason is EndedReason.ERROR
    assert [(problem.part, problem.message) for problem in played.log.problems] == [("tts", "the voice died")]


def test_a_voice_that_dies_later_lets_be_heard_what_was_made() -> None:
    played = talk(Says(3.0, 3.5, "yes"), tts_fails_at=3)
    assert played.transcript[-1] == ("assistant", "And now?")
    assert played.end.reason is EndedReason.ERROR


def not_ready(
    *turns: Says | Presses | Fails, hang_up_at: float | None = None, recorded: bool = True, **changes: object
) -> Played:
    of = agent(
        script=SCRIPT, greeting="Hello from us.", greeting_enabled=True, recording=RecordingSettings(enabled=recorded)
    )
    return play(Scene(of, turns, not_ready=("No recogniser.",), hang_up_at=hang_up_at, **changes))  # type: ignore[arg-type]


LEAVE = "Hello from us. I am sorry, I cannot help you right now. Please leave a message after the tone."


def test_an_agent_that_is_not_ready_takes_a_message() -> None:
    played = not_ready(Says(9.0, 14.0, "call me back"), Says(16.0, 17.0, "please"))
    assert played.transcript == [
        ("assistant", LEAVE),
        ("user", "[message]"),
        ("assistant", "Thank you for your message. Goodbye."),
    ]
    message = played.log.items[1]
    assert (message.start_ms, message.end_ms) == (9000, 17000)
    # Three seconds of silence end it.
    assert 20.0 < played.sound[-1][0] < 20.2
    assert played.end.reason is EndedReason.AGENT_ENDED
    assert played.stt.begun == []


def test_nobody_waits_for_ever_for_a_message() -> None:
    played = not_ready()
    assert [role for role, _ in played.transcript] == ["assistant", "assistant"]
    assert played.ended_at < 20


def test_a_message_ends_with_a_key_or_with_the_call() -> None:
    keyed = not_ready(Says(9.0, 14.0, "call me back"), Presses(14.2, "#"))
    assert keyed.sound[-1][0] < 14.4
    cut = not_ready(Says(9.0, 14.0, "call me back"), Fails(12.0, "timeout"))
    assert cut.transcript[-1] == ("user", "[message]")
    assert cut.end.reason is None


def test_without_a_recording_no_message_is_offered() -> None:
    played = not_ready(recorded=False)
    assert played.transcript == [
        ("assistant", "Hello from us. I am sorry, I cannot help you right now. Please call again later. Goodbye.")
    ]
    assert played.end.reason is EndedReason.AGENT_ENDED


def test_a_message_is_taken_even_without_a_voice() -> None:
    played = not_ready(Says(2.0, 4.0, "call me back"), tts_fails_at=1)
    assert played.transcript[0] == ("user", "[message]")
    assert [problem.part for problem in played.log.problems] == ["tts"]


def test_who_leaves_a_message_is_told_of_the_recording_before_it_begins() -> None:
    of = agent(script=SCRIPT, disclosure="This call is recorded.", recording=RecordingSettings(after_disclosure=True))
    played = play(Scene(of, [Says(9.0, 12.0, "call me back")], not_ready=("No recogniser.",)))
    assert played.transcript[0] == ("assistant", "This call is recorded.")
    (_, was_off), (on, was_on) = played.media.recording
    assert (was_off, was_on) == (False, True)
    # Four words and the pause after them, and nothing of the greeting yet.
    assert 1.2 < on < 1.5


def test_an_agent_nobody_can_lead_is_not_ready() -> None:
    played = play(Scene(agent(), hang_up_at=3.0))
    assert played.transcript[0][1].startswith("Hello. I am sorry")


def test_the_factory_is_the_protocols() -> None:
    assert hasattr(Conversations, "create")
