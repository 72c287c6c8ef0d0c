"""The caller is handed over: what is said on either side, and how the conversation goes on when nobody could be reached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inference.llm.base import ToolCall
from sipserver.protocols import Agent, EndedReason, TransferFailure, TransferMode, TransferOrder, TransferTarget
from tests.inference.conversation.scene import Played, Says, Scene, Transfers, Writes, agent, play

RECEPTION = TransferTarget("reception", TransferMode.WARM_BRIEFING, number="+12025550177", description="people")
DOCTOR = TransferTarget("doctor", TransferMode.COLD, number="+12025550178")


def script(**human: Any) -> dict[str, Any]:
    return {
        "start": "wish",
        "steps": {
            "wish": {
                "say": "What can I do?",
                "listen": [
                    {"hear": ["somebody please"], "set": {"wish": "a person"}, "go": "human"},
                    {"hear": ["the doctor please"], "go": "doctor"},
                ],
            },
            "human": {"say": "One moment please.", "transfer": "reception", **human},
            "doctor": {"say": "I connect you.", "transfer": "doctor", "failed": "sorry"},
            "sorry": {"say": "It was {{transfer_failed}}.", "end": True},
        },
    }


def desk(**changes: Any) -> Agent:
    settings = {"hold_message": "Please hold the line.", "transfer_targets": (RECEPTION, DOCTOR), "script": script()}
    return agent(**{**settings, **changes})


def says(transcript: list[tuple[str, str]]) -> list[str]:
    return [text for role, text in transcript if role == "assistant"]


def test_a_script_hands_the_caller_over_and_whoever_answers_is_briefed() -> None:
    played = play(Scene(desk(), [Says(2.5, 3.2, "somebody please")], transfers=[Transfers(answers=2.0)]))
    assert played.end.reason is EndedReason.TRANSFERRED
    assert played.desk.orders == [TransferOrder(RECEPTION)]
    assert says(played.transcript) == ["What can I do?", "One moment please.", "Please hold the line."]
    # It is dialled while the hold message is said; the music waits until it was heard.
    announced, held = played.sound[-1]
    assert announced < played.desk.begun[0] < held - 1.0
    assert held - 0.2 <= played.desk.music[0] <= held + 0.3
    # Nobody wrote a briefing: who calls, and what was learnt.
    assert played.desk.said == ["This is a call from 1 2 0 2 5 5 5 0 1 2 3. wish: a person."]
    assert played.ended_at - played.desk.decided[0] < 0.1


def test_a_transfer_that_fails_gives_the_caller_back_with_the_reason() -> None:
    busy = Transfers(takes=3.0, failure=TransferFailure.BUSY)
    played = play(Scene(desk(), [Says(2.5, 3.2, "the doctor please")], transfers=[busy]))
    assert says(played.transcript) == ["What can I do?", "I connect you.", "It was busy."]
    assert played.end.reason is EndedReason.AGENT_ENDED
    assert played.end.captured == played.log.values == {"transfer_failed": "busy"}
    # A blind transfer has no hold message: it begins when the agent has finished, and music may begin at once.
    assert played.desk.music[0] - played.desk.begun[0] < 0.01
    assert 0 < played.sound[-1][0] - played.desk.decided[0] < 0.2


def test_without_a_step_for_failure_the_call_ends_politely() -> None:
    nobody = Transfers(failure=TransferFailure.NO_ANSWER)
    played = play(Scene(desk(hold_message=None), [Says(2.5, 3.2, "somebody please")], transfers=[nobody]))
    assert says(played.transcript)[-1] == "I am sorry, I could not reach anybody. Goodbye."
    assert played.end.reason is EndedReason.AGENT_ENDED


def test_a_briefing_of_the_script_is_told_instead() -> None:
    with_briefing = desk(script=script(briefing="{{customer_number}} wants {{wish}}."))
    played = play(Scene(with_briefing, [Says(2.5, 3.2, "somebody please")], transfers=[Transfers(answers=1.0)]))
    assert played.desk.said == ["+12025550123 wants a person."]


def test_what_the_caller_says_while_on_hold_is_not_answered_and_stops_no_music() -> None:
    waits = Transfers(takes=20.0, failure=TransferFailure.REJECTED)
    turns = [Says(2.5, 3.2, "the doctor please"), Says(10.0, 12.0, "hello are you there")]
    played = play(Scene(desk(max_call_seconds=20), turns, transfers=[waits]))
    # Neither the turn, nor silence, nor the limit of the agent's part of the call says anything meanwhile.
    assert says(played.transcript) == ["What can I do?", "I connect you.", "It was rejected."]
    assert [text for role, text in played.transcript if role == "user"] == ["the doctor please"]
    assert played.media.barge_in[-2][1].enabled is False or played.media.barge_in[-1][1].enabled is False
    assert not any(10.0 < at < 12.5 for at, on in played.media.barge_in if on.enabled)


def model(*answers: Writes, transfers: list[Transfers], **changes: Any) -> Played:
    settings = {"first_speaker": "user", "transfer_targets": (RECEPTION, DOCTOR), **changes}
    turns = [Says(1.0, 2.0, "i want to speak to a person")]
    return play(Scene(agent(**settings), turns, answers, open_vocabulary=True, hang_up_at=14.0, transfers=transfers))


def wants(**arguments: str) -> ToolCall:
    text = ", ".join(f'"{name}": "{value}"' for name, value in arguments.items())
    return ToolCall("t1", "transfer_call", f"{{{text}}}")


def test_a_model_chooses_among_labels_and_briefs() -> None:
    wish = wants(target="reception", briefing="A patient with a toothache.")
    played = model(Writes(["I will connect you. ", wish]), transfers=[Transfers(answers=1.0)])
    assert played.end.reason is EndedReason.TRANSFERRED
    assert played.transcript[-1] == ("assistant", "I will connect you.")
    assert played.desk.orders == [TransferOrder(RECEPTION, "A patient with a toothache.")]
    assert played.desk.said == ["A patient with a toothache."]
    tool = next(tool for tool in played.llm.requests[0][1].tools if tool.name == "transfer_call")
    assert tool.parameters["properties"]["target"]["enum"] == ["reception", "doctor"]
    assert "reception (people)" in tool.description
    assert "+1202" not in str(tool)


def test_a_model_that_says_nothing_has_the_caller_told_and_is_told_when_it_failed() -> None:
    refused = [Transfers(takes=2.0, failure=TransferFailure.REFER_REFUSED)]
    played = model(Writes([wants(target="doctor")]), Writes(["She cannot be reached. "]), transfers=refused)
    assert says(played.transcript) == ["One moment please, I will connect you.", "She cannot be reached."]
    last = played.llm.requests[-1][1].messages[-1]
    assert last.role == "user"
    assert "refused it" in last.content
    assert played.hung_up


def test_a_target_that_the_agent_does_not_have_is_refused_to_the_model() -> None:
    played = model(Writes([wants(target="+19005550100")]), Writes(["I cannot do that. "]), transfers=[])
    assert played.desk.orders == []
    told = played.llm.requests[-1][1].messages[-1]
    assert (told.role, "must be one of: reception, doctor" in told.content) == ("tool", True)


def test_an_order_makes_the_agent_let_go() -> None:
    order = TransferOrder(replace(DOCTOR, mode=TransferMode.WARM), "An order.")
    scene = Scene(desk(), ordered=[(0.5, order), (0.6, order)], transfers=[Transfers(answers=1.0)])
    played = play(scene)
    assert played.desk.orders == [order]
    assert played.desk.taken == [True, False]
    assert played.log.items[0].interrupted
    assert says(played.transcript)[1:] == ["Please hold the line."]
    assert played.desk.said == ["An order."]
    assert played.end.reason is EndedReason.TRANSFERRED


def test_after_an_ordered_transfer_that_failed_the_question_stands_again() -> None:
    order = TransferOrder(replace(DOCTOR, mode=TransferMode.WARM))
    failed = [Transfers(failure=TransferFailure.REJECTED), Transfers(answers=1.0)]
    scene = Scene(desk(), [Says(14.0, 15.0, "somebody please")], ordered=[(0.5, order)], transfers=failed)
    played = play(scene)
    assert "I am sorry, I could not reach anybody. What can I do?" in says(played.transcript)
    assert played.end.reason is EndedReason.TRANSFERRED


def test_an_order_for_a_call_that_takes_a_message_is_not_taken() -> None:
    scene = Scene(desk(), not_ready=("no model",), ordered=[(0.5, TransferOrder(DOCTOR))], hang_up_at=3.0)
    assert play(scene).desk.taken == [False]
