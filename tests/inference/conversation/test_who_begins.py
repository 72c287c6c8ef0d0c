"""Greeting × first speaker, disclosure, delays, silence, the limit of a call (CONTRACT, "who begins")."""

from __future__ import annotations

import pytest

from sipserver.protocols import EndedReason, RecordingSettings, SilenceSettings
from tests.inference.conversation.scene import Played, Presses, Says, Scene, Writes, agent, play

SCRIPT = {
    "start": "ask",
    "steps": {
        "ask": {"say": "Can you make it?", "listen": [{"hear": ["yes"], "go": "bye"}, {"dtmf": "1", "go": "bye"}]},
        "bye": {"say": "Goodbye.", "end": True},
    },
}
GREETING = {"greeting": "Hello {{name}}.", "greeting_enabled": True}


def talk(*turns: Says | Presses, hang_up_at: float = 9.0, **changes: object) -> Played:
    return play(Scene(agent(script=SCRIPT, **changes), turns, variables={"name": "Ann"}, hang_up_at=hang_up_at))


def model(*turns: Says, answers: tuple[str, ...] = ("Fine.",), hang_up_at: float = 9.0, **changes: object) -> Played:
    written = [Writes([text]) for text in answers]
    return play(
        Scene(agent(**changes), turns, written, open_vocabulary=True, variables={"name": "Ann"}, hang_up_at=hang_up_at)
    )


def test_the_agent_begins_with_its_greeting() -> None:
    played = talk(**GREETING)
    assert played.transcript[0] == ("assistant", "Hello Ann. Can you make it?")
    assert played.sound[0][0] == 0.06
    led = model(**GREETING)
    assert led.transcript[0] == ("assistant", "Hello Ann.")
    assert led.llm.requests == []


def test_the_agent_begins_without_a_greeting() -> None:
    assert talk().transcript[0] == ("assistant", "Can you make it?")
    led = model(answers=("Good morning.",))
    assert led.transcript[0] == ("assistant", "Good morning.")
    assert [message.role for message in led.llm.requests[0][1].messages] == ["system", "user"]


def test_the_caller_begins_and_is_answered() -> None:
    played = talk(Says(2.0, 2.5, "", kind="rejected"), first_speaker="user")
    assert played.transcript == [("user", "[not understood]"), ("assistant", "Can you make it?")]
    assert played.sound[0][0] > 3.0
    known = talk(Says(2.0, 2.5, "yes"), first_speaker="user")
    assert known.transcript == [("user", "yes"), ("assistant", "Goodbye.")]
    led = model(Says(2.0, 2.5, "hello there"), first_speaker="user")
    assert led.transcript == [("user", "hello there"), ("assistant", "Fine.")]
    assert led.llm.requests[0][1].messages[-1].content == "hello there"


def test_the_caller_begins_and_the_greeting_is_the_first_reply() -> None:
    played = talk(Says(2.0, 2.5, "", kind="rejected"), first_speaker="user", **GREETING)
    assert played.transcript == [("user", "[not understood]"), ("assistant", "Hello Ann. Can you make it?")]
    led = model(Says(2.0, 2.5, "hello there"), Says(5.0, 5.5, "how are you"), first_speaker="user", **GREETING)
    assert [text for _, text in led.transcript] == ["hello there", "Hello Ann.", "how are you", "Fine."]
    assert [(m.role, m.content) for m in led.llm.requests[0][1].messages[1:]] == [
        ("user", "hello there"),
        ("assistant", "Hello Ann."),
        ("user", "how are you"),
    ]


def test_the_caller_should_begin_and_says_nothing() -> None:
    played = talk(first_speaker="user", hang_up_at=11.0, **GREETING)
    assert played.transcript == [("assistant", "Hello Ann. Can you make it?")]
    assert played.sound[0][0] == 8.06
    led = model(first_speaker="user", hang_up_at=11.0, **GREETING)
    assert led.transcript == [("assistant", "Hello Ann.")]


def test_a_key_may_come_first() -> None:
    played = talk(Presses(2.0, "1"), first_speaker="user")
    assert played.transcript == [("user", "[key 1]"), ("assistant", "Goodbye.")]


def test_the_first_message_waits_and_a_caller_who_speaks_before_is_answered_with_it() -> None:
    played = talk(first_message_delay_ms=2500)
    assert played.sound[0][0] == pytest.approx(2.56, abs=0.03)
    early = talk(Says(0.5, 1.2, "", kind="rejected"), first_message_delay_ms=2500, **GREETING)
    assert early.transcript == [("user", "[not understood]"), ("assistant", "Hello Ann. Can you make it?")]
    assert 1.7 < early.sound[0][0] < 1.82
    assert len(early.sound) == 1 or early.sound[1][0] < 3.0


def test_a_first_message_that_may_not_be_interrupted_may_not_be_as_an_answer_either() -> None:
    played = talk(
        Says(0.5, 1.2, "", kind="rejected"),
        Says(2.2, 3.0, "yes"),
        first_message_delay_ms=2500,
        first_message_uninterruptible=True,
        **GREETING,
    )
    assert played.transcript[1] == ("assistant", "Hello Ann. Can you make it?")
    assert played.media.flushed == []


def test_the_disclosure_comes_first_and_the_recording_after_it() -> None:
    played = talk(
        Says(0.3, 0.9, "yes"),
        disclosure="This call is recorded.",
        recording=RecordingSettings(after_disclosure=True),
        **GREETING,
    )
    assert played.transcript[:2] == [
        ("assistant", "This call is recorded."),
        ("assistant", "Hello Ann. Can you make it?"),
    ]
    (off, was_off), (on, was_on) = played.media.recording
    assert (off, was_off, was_on) == (0.0, False, True)
    # Four words from 0.06 on, and the pause after a sentence.
    assert on == pytest.approx(1.4, abs=0.05)
    assert played.media.flushed == []


def test_silence_is_prompted_and_then_ends_the_call() -> None:
    silence = SilenceSettings(prompt_after_ms=3000, prompts=("Hello?", "Still there?"), end_after=3)
    played = talk(silence=silence, hang_up_at=60)
    assert [text for _, text in played.transcript] == [
        "Can you make it?",
        "Hello?",
        "Still there?",
        "Still there?",
        "I cannot hear you any more. Goodbye.",
    ]
    assert played.end.reason is EndedReason.SILENCE_TIMEOUT
    # 4 words from 0.06 on end at 1.26, and the pause after a sentence (0.14) belongs to it.
    assert played.sound[1][0] == pytest.approx(1.4 + 3.0 + 0.06, abs=0.03)


def test_a_caller_who_speaks_makes_the_prompts_begin_anew() -> None:
    silence = SilenceSettings(prompt_after_ms=3000, prompts=("First?", "Second?"), end_after=2)
    played = talk(Says(7.0, 8.0, "", kind="rejected"), silence=silence, hang_up_at=17)
    assert [text for role, text in played.transcript if role == "assistant"][-1] == "First?"


def test_the_limit_of_the_call_is_a_polite_end() -> None:
    silence = SilenceSettings(prompt_after_ms=100_000)
    played = talk(max_call_seconds=30, hang_up_at=60, silence=silence)
    assert played.end.reason is EndedReason.MAX_DURATION
    assert played.transcript[-1] == ("assistant", "I am sorry, our time for this call is up. Goodbye.")
    assert played.sound[-1][0] == 24.06
    assert played.ended_at < 30


def test_the_limit_holds_even_in_mid_sentence() -> None:
    script = {"start": "a", "steps": {"a": {"say": "word " * 100, "end": True}}}
    played = play(Scene(agent(script=script, max_call_seconds=30), hang_up_at=60))
    assert played.end.reason is EndedReason.MAX_DURATION
    assert played.ended_at <= 30.03
    assert played.log.items[0].interrupted


def test_a_variable_without_a_value_is_a_problem_once() -> None:
    script = {
        "start": "a",
        "steps": {
            "a": {"say": "{{x}} {{x}} {{y|z}} hi.", "listen": [{"hear": ["yes"], "go": "b"}]},
            "b": {"say": "{{x}}bye.", "end": True},
        },
    }
    played = play(Scene(agent(script=script), [Says(3, 3.5, "yes")]))
    assert [problem.message for problem in played.log.problems] == ["The variable {{x}} has no value."]
