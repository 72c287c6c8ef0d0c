"""Calls led by a script: who begins, when a turn is answered, what is captured, how the call ends."""

from __future__ import annotations

import json
from pathlib import Path

from inference.stt.base import SttHints
from sipserver.protocols import EndedReason, SilenceSettings
from tests.inference.conversation.scene import Played, Presses, Says, Scene, agent, play

AGENTS = Path(__file__).parents[3] / "config" / "agents"
SCRIPT = {
    "start": "confirm",
    "steps": {
        "confirm": {
            "say": "Can you make it on {{day}}?",
            "listen": [
                {"hear": ["yes [please]"], "set": {"confirmed": True}, "go": "bye"},
                {"hear": ["no", "i can not [make it]"], "set": {"confirmed": False}, "go": "when"},
                {"dtmf": "1", "set": {"confirmed": True}, "go": "bye"},
            ],
            "else": {"say": "Yes or no?", "times": 1, "go": "bye"},
        },
        "when": {
            "say": "Which day suits you?",
            "listen": [{"hear": ["[on] <date:new_day>"], "go": "number"}],
        },
        "number": {
            "say": "{{new_day}}. Your number please.",
            "listen": [{"dtmf": "<digits:number>", "go": "done"}, {"hear": ["never mind"], "go": "bye"}],
        },
        "done": {"say": "Noted {{number}}.", "end": True},
        "bye": {"say": "Thank you. Goodbye.", "end": True},
    },
    "anywhere": [{"hear": ["stop calling [me]"], "set": {"opt_out": True}, "go": "bye"}],
}


def caller(*turns: object, **changes: object) -> Scene:
    return Scene(agent(script=SCRIPT), turns, variables={"day": "Monday"}, **changes)  # type: ignore[arg-type]


def test_a_yes_is_answered_200_ms_after_it_is_complete() -> None:
    # The question: 6 words, first chunk after 50 ms, so it sounds from 0.06 s for 1.8 s.
    played = play(caller(Says(3.0, 3.5, "yes please")))
    assert played.transcript == [
        ("assistant", "Can you make it on Monday?"),
        ("user", "yes please"),
        ("assistant", "Thank you. Goodbye."),
    ]
    assert played.end.reason is EndedReason.AGENT_ENDED
    assert played.end.captured == played.log.values == {"confirmed": True}
    question, answer = played.sound
    assert question == (0.06, 1.86)
    # Silence from 3.5; the last word's partial is there at 3.6 and stable at 3.8; recogniser 20 ms, voice 50 ms, tick 20 ms.
    assert 3.8 < answer[0] <= 3.94
    assert played.end.turn_latencies_ms == (round((answer[0] - 3.5) * 1000),)
    assert played.events("turn") == [{"latencyMs": played.end.turn_latencies_ms[0], "atMs": round(answer[0] * 1000)}]
    assert played.end.turn_count == 1
    user = played.log.items[1]
    assert (user.start_ms, user.end_ms, user.interrupted) == (3000, 3500, False)
    # The call ends when the farewell has been heard: three words and a pause between two sentences.
    assert round(played.ended_at - answer[1], 2) <= 0.2


def test_dates_are_captured_and_read_back_and_digits_are_collected() -> None:
    played = play(
        caller(
            Says(2.5, 3.2, "i can not make it"),
            Says(6.0, 7.2, "on the fourteenth of march"),
            Presses(9.0, "4"),
            Presses(9.2, "7"),
            Presses(9.4, "#"),
        )
    )
    assert played.end.captured == {"confirmed": False, "new_day": "2027-03-14", "number": "47"}
    assert [text for role, text in played.transcript if role == "assistant"] == [
        "Can you make it on Monday?",
        "Which day suits you?",
        "Sunday, March 14. Your",
        "Noted 4 7.",
    ]
    assert ("user", "[keys **]") in played.transcript
    assert [event["digit"] for event in played.events("digit")] == ["4", "7", "#"]


def test_a_number_keyed_in_without_hash_is_complete_after_a_pause() -> None:
    played = play(caller(Says(2.5, 3.2, "no"), Says(6.0, 6.5, "tomorrow"), Presses(9.0, "4"), Presses(11.5, "7")))
    assert played.end.captured["number"] == "47"
    assert 14.5 <= played.sound[-1][0] <= 14.7


def test_a_key_interrupts_and_answers() -> None:
    played = play(caller(Presses(0.8, "9"), Presses(1.0, "1")))
    assert played.end.captured == {"confirmed": True}
    first, second, third = played.log.items
    assert (first.text, first.interrupted) == ("Can you make", True)
    assert (second.role, second.text) == ("user", "[key 1]")
    assert third.text == "Thank you. Goodbye."
    at, dropped = played.media.flushed[0]
    assert 1.0 < at <= 1.04
    assert dropped > 0
    # The answer sounds 60 ms later: what the voice and the next tick take.
    assert any(round(position / 8000 - at, 2) == 0.06 for position, _ in played.media.left)


def test_what_is_not_understood_is_asked_again_and_then_left() -> None:
    played = play(caller(Says(3.0, 4.0, "", kind="rejected"), Says(7.0, 8.0, "purple elephants", partials=False)))
    assert played.transcript == [
        ("assistant", "Can you make it on Monday?"),
        ("user", "[not understood]"),
        ("assistant", "Yes or no?"),
        ("user", "purple elephants"),
        ("assistant", "Thank you. Goodbye."),
    ]
    assert played.end.captured == {}
    # Rejected speech ends after 500 ms of silence.
    assert 4.5 < played.sound[1][0] <= 4.64


def test_a_cough_while_the_agent_listens_is_no_turn() -> None:
    played = play(caller(Says(3.0, 3.2, "", kind="rejected"), Says(5.0, 5.5, "yes")))
    assert [text for _, text in played.transcript] == ["Can you make it on Monday?", "yes", "Thank you. Goodbye."]


def test_words_that_were_hardly_understood_are_asked_back() -> None:
    played = play(
        caller(
            Says(3.0, 3.5, "yes", confirm=True),
            Says(6.0, 6.5, "no"),
            Says(9.0, 9.5, "no", confirm=True),
            Says(12, 12.5, "yes"),
        )
    )
    assert [text for _, text in played.transcript] == [
        "Can you make it on Monday?",
        "yes",
        "Did you say: yes?",
        "no",
        "Yes or no?",
        "no",
        "Did you say: no?",
        "yes",
        "Which day suits you?",
        "Are you still there?",
        "Are you still there?",
        "I cannot hear you any more. Goodbye.",
    ]
    assert played.end.captured == {"confirmed": False}
    assert played.end.reason is EndedReason.SILENCE_TIMEOUT


def test_who_wants_no_more_calls_is_heard_anywhere() -> None:
    played = play(caller(Says(3.0, 3.8, "stop calling me")))
    assert played.end.opt_out
    assert played.end.captured == {"opt_out": True}


def test_the_recogniser_listens_for_the_step_and_for_backchannels() -> None:
    played = play(caller(Says(3.0, 3.5, "no"), Says(6.0, 6.6, "tomorrow")))
    first, second = (hints for _, hints in played.stt.begun[:2])
    assert isinstance(first, SttHints)
    assert first.grammar is not None
    assert "yes [ please ]" in first.grammar
    assert "uh huh" in first.grammar
    assert first.phrases == ("yes [please]", "no", "i can not [make it]", "stop calling [me]")
    assert second.grammar is not None
    assert "<date>" in second.grammar
    assert "yes [ please ]" not in second.grammar
    # The utterance begins one tick after the onset: nothing of it is lost, for frames are asked for from before it.
    assert round(played.stt.begun[0][0], 2) == 3.02


def test_the_end_of_a_date_is_waited_for() -> None:
    played = play(
        caller(
            Says(2.5, 3.0, "no"),
            Says(6.0, 6.6, "on the fourteenth"),
            Says(7.3, 7.7, "of march"),
            Presses(11.0, "1"),
            Presses(11.2, "#"),
        )
    )
    assert ("user", "on the fourteenth of march") in played.transcript
    assert played.end.captured["new_day"] == "2027-03-14"


def shipped(name: str, *turns: Says | Presses, **variables: object) -> Played:
    """A call with one of the agents in `config/agents`, to its end."""
    given = json.loads((AGENTS / f"{name}.json").read_text())
    of = agent(
        script=given["script"],
        first_speaker=given["firstSpeaker"],
        greeting=given["agentGreeting"],
        greeting_enabled=given["agentGreetingEnabled"],
        silence=SilenceSettings(8000, tuple(given["silence"]["prompts"]), given["silence"]["endAfter"]),
    )
    return play(Scene(of, turns, variables=variables))


def test_the_shipped_order_status_line() -> None:
    keys = [Presses(15.0 + index, key) for index, key in enumerate("4711#")]
    played = shipped(
        "order_status",
        Says(9.0, 10.5, "where is my package"),
        *keys,
        Says(26.0, 27.0, "no thank you"),
        order_status="it is on its way",
    )
    assert played.end.captured == {"wish": "status", "order_number": "4711"}
    assert played.end.reason is EndedReason.AGENT_ENDED
    said = [text for role, text in played.transcript if role == "assistant"]
    assert said[0].startswith("Thank you for calling our shop. Would you like to know where your order is")
    assert said[2] == "Your order 4 7 1 1: it is on its way. Is there anything else?"
    assert said[-1] == "Thank you for calling our shop. Goodbye."
    assert played.log.problems == []


def test_the_shipped_appointment_reminder() -> None:
    played = shipped(
        "appointment_reminder",
        Says(9.0, 10.0, "no i can not"),
        Says(15.0, 17.0, "next tuesday at half past nine"),
        day="Monday",
        time="10 a.m.",
        practice="Dr. Smith",
    )
    assert played.end.captured == {"confirmed": False, "new_day": "2026-11-24", "new_time": "09:30"}
    assert played.transcript[0][1].startswith(
        "Hello, this is the assistant of Dr. Smith. I am calling about your appointment"
    )
    assert "Tuesday, November 24 9:30 a.m." in played.transcript[-1][1]
    gone = shipped("appointment_reminder", Says(9.0, 10.0, "please stop calling me"))
    assert gone.end.opt_out
