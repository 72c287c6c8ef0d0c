"""Calls led by a language model: speaking while it writes, speculation, tools, memory, failures."""

from __future__ import annotations

from inference.llm.base import ToolCall
from sipserver.protocols import EndedReason
from tests.inference.conversation.scene import Played, Presses, Says, Scene, Writes, agent, play


def talk(*turns: Says | Presses, answers: list[Writes], hang_up_at: float | None = 9.0, **changes: object) -> Played:
    settings = {"first_speaker": "user", "system_prompt": "You are {{name}}.", **changes}
    return play(
        Scene(agent(**settings), turns, answers, open_vocabulary=True, variables={"name": "Ada"}, hang_up_at=hang_up_at)
    )


def test_the_first_sentence_sounds_while_the_rest_is_written() -> None:
    slow = Writes(["Sure thing. ", "I will ", "look it up ", "for you. "], first=0.3, between=0.5)
    played = talk(Says(1.0, 2.0, "where is my order"), answers=[slow])
    # The words are certain at 2.52; they were there at 2.1, when the answer was begun: first token at 2.4.
    assert round(played.llm.requests[0][0], 2) == 2.1
    assert [round(at, 2) for at, _ in played.tts.said] == [2.4, 3.9]
    assert 2.52 <= played.sound[0][0] <= 2.56
    assert played.end.turn_latencies_ms == (round(played.sound[0][0] * 1000) - 2000,)
    assert played.transcript == [("user", "where is my order"), ("assistant", "Sure thing. I will look it up for you.")]
    messages = played.llm.requests[0][1].messages
    assert messages[0].content.startswith("You are Ada.\n\n")
    assert messages[-1].content == "where is my order"


def test_speech_that_goes_on_voids_what_was_speculated() -> None:
    played = talk(
        Says(1.0, 2.0, "i would like to order"),
        Says(2.3, 3.0, "a pizza"),
        answers=[Writes(["Wrong. "], first=1.0), Writes(["A pizza. "])],
    )
    assert played.transcript == [("user", "i would like to order a pizza"), ("assistant", "A pizza.")]
    assert played.llm.requests[0][1].messages[-1].content == "i would like to order"
    assert played.llm.aborted >= 1
    assert [text for _, text in played.tts.said] == ["A pizza."]


def test_an_answer_to_other_words_than_the_final_ones_is_not_said() -> None:
    # The last word's partial comes too late for the speculation at 100 ms.
    played = play(
        Scene(
            agent(first_speaker="user"),
            [Says(1.0, 2.0, "cancel my order", partials=False)],
            [Writes(["Done. "])],
            open_vocabulary=True,
            hang_up_at=6.0,
        )
    )
    assert len(played.llm.requests) == 1
    assert played.llm.requests[0][0] > 2.5
    assert played.transcript[-1] == ("assistant", "Done.")


def test_an_interruption_cancels_the_model_and_the_voice_and_the_model_remembers_what_was_heard() -> None:
    long = Writes(["One two three four five six. ", "Seven eight. ", *["nine ten. "] * 20], between=0.4)
    played = talk(
        Says(1.0, 1.5, "hello there"), Says(3.0, 4.0, "stop it please"), answers=[long, Writes(["Okay then. "])]
    )
    first, second, third, fourth = played.log.items
    assert first.text == "hello there"
    assert second.interrupted
    assert second.text == "One two three"
    assert (third.text, fourth.text) == ("stop it please", "Okay then.")
    assert played.llm.aborted == 1
    assert [(m.role, m.content) for m in played.llm.requests[-1][1].messages[1:]] == [
        ("user", "hello there"),
        ("assistant", "One two three"),
        ("user", "stop it please"),
    ]


def test_a_caller_who_goes_on_before_the_answer_sounds_is_answered_once() -> None:
    slow = Writes(["Too late. "], first=3.0)
    played = talk(Says(1.0, 2.0, "i want a pizza"), Says(2.8, 3.6, "and a coke"), answers=[slow, Writes(["Both. "])])
    assert [text for _, text in played.transcript] == ["i want a pizza", "and a coke", "Both."]
    assert played.llm.requests[-1][1].messages[-1].content == "i want a pizza\nand a coke"


def test_the_model_ends_the_call_when_its_last_words_were_heard() -> None:
    bye = Writes(["Goodbye then. ", ToolCall("c1", "end_call", "{}")])
    played = talk(Says(1.0, 1.5, "that is all"), answers=[bye], hang_up_at=None)
    assert played.end.reason is EndedReason.AGENT_ENDED
    assert played.transcript[-1] == ("assistant", "Goodbye then.")
    assert not played.log.items[-1].interrupted
    assert played.ended_at >= played.sound[-1][1]


def test_a_model_that_says_nothing_before_it_hangs_up_says_goodbye() -> None:
    given = talk(
        Says(1.0, 1.5, "bye bye"),
        answers=[Writes([ToolCall("c1", "end_call", '{"farewell": "Take care."}')])],
        hang_up_at=None,
    )
    assert given.transcript[-1] == ("assistant", "Take care.")
    silent = talk(Says(1.0, 1.5, "bye bye"), answers=[Writes([ToolCall("c1", "end_call", "{}")])], hang_up_at=None)
    assert silent.transcript[-1] == ("assistant", "Goodbye.")


def test_an_agent_that_may_not_hang_up_has_no_such_tool() -> None:
    wants = [Writes([ToolCall("c1", "end_call", "{}")]), Writes(["Anything else? "])]
    played = talk(Says(1.0, 1.5, "that is all"), answers=wants, allow_end_call=False)
    assert [tool.name for tool in played.llm.requests[0][1].tools] == ["send_dtmf"]
    assert played.llm.requests[-1][1].messages[-1].content == "There is no tool 'end_call'."
    assert played.transcript[-1] == ("assistant", "Anything else?")
    assert played.hung_up


def test_tools_wait_until_the_turn_is_certain() -> None:
    played = talk(
        Says(1.0, 2.0, "bye bye then"),
        Says(2.3, 2.8, "wait"),
        answers=[Writes([ToolCall("c", "end_call", "{}")], first=0.01)],
    )
    assert played.transcript[0] == ("user", "bye bye then wait")


def test_an_empty_answer_is_a_question() -> None:
    played = talk(Says(1.0, 1.5, "hello there"), answers=[Writes(["  "])])
    assert played.transcript[1][1].startswith("Sorry, I did not catch that.")


def test_keys_are_told_to_the_model() -> None:
    played = talk(Presses(1.0, "4"), Presses(1.2, "2"), Presses(1.4, "#"), answers=[Writes(["Thanks. "])])
    assert played.llm.requests[0][1].messages[-1].content == "(The caller pressed 4 2 on the keypad.)"
    assert played.transcript == [("user", "[keys **]"), ("assistant", "Thanks.")]


def test_a_model_that_fails_is_apologised_for() -> None:
    played = talk(Says(1.0, 1.5, "hello there"), answers=[Writes([], breaks="HTTP 503")], hang_up_at=None)
    assert played.end.reason is EndedReason.ERROR
    assert played.transcript[-1][1].startswith("I am sorry, there is a technical problem")
    assert [(problem.part, problem.message) for problem in played.log.problems] == [("llm", "HTTP 503")]


def test_a_model_that_breaks_off_is_heard_as_far_as_it_came() -> None:
    broken = Writes(["I can do that. ", "And then"], breaks="broke off")
    played = talk(Says(1.0, 1.5, "hello there"), answers=[broken], hang_up_at=None)
    assert [text for _, text in played.transcript[1:]] == [
        "I can do that.",
        "I am sorry, there is a technical problem on our side. Please call again later. Goodbye.",
    ]
    assert not played.log.items[1].interrupted


def test_words_the_recogniser_rejects_are_asked_for_again() -> None:
    played = talk(
        Says(1.0, 2.0, "", kind="rejected"),
        Says(6.0, 7.0, "", kind="rejected"),
        answers=[Writes(["Hi. "])],
        hang_up_at=14,
    )
    assert played.transcript[0] == ("user", "[not understood]")
    assert played.transcript[-1][1].startswith("Sorry, I did not catch that.")


def test_an_answer_that_is_ready_while_the_caller_murmurs_waits_for_the_verdict() -> None:
    # The answer could sound at about 3.2 s, in the middle of the murmur; it sounds when the murmur is known to be none.
    played = talk(
        Says(1.0, 2.0, "where is it"), Says(2.9, 3.8, "uh huh"), answers=[Writes(["It is here. "], first=1.0)]
    )
    assert played.transcript == [("user", "where is it"), ("assistant", "It is here.")]
    assert 4.3 < played.sound[0][0] < 4.4
    assert played.media.resumed == []
