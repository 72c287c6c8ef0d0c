"""What somebody orders the agent to say is said between what the two say to each other, and heard to its end."""

from __future__ import annotations

from inference.speech_orders import MOST
from sipserver.protocols import EndedReason, SpeechOrder, TransferMode, TransferOrder, TransferTarget
from tests.inference.conversation.scene import Played, Says, Scene, Transfers, agent, play

SCRIPT = {
    "start": "wish",
    "steps": {
        "wish": {"say": "How can I help you today?", "listen": [{"hear": ["my bill please"], "go": "bill"}]},
        "bill": {"say": "Your bill is on its way.", "listen": [{"hear": ["my bill please"], "go": "bill"}]},
    },
}
ORDER = SpeechOrder("A colleague of {{name}} listens.")


def call(*orders: tuple[float, SpeechOrder], says: tuple[Says, ...] = (), **changes: object) -> Played:
    fields = {"ordered": orders, "variables": {"name": "Ada"}, "hang_up_at": 9.0, **changes}
    return play(Scene(agent(script=SCRIPT), says, **fields))  # type: ignore[arg-type]


def test_it_waits_for_the_end_of_what_the_agent_says() -> None:
    played = call((0.5, ORDER))
    assert played.transcript == [
        ("assistant", "How can I help you today?"),
        ("assistant", "A colleague of Ada listens."),
    ]
    assert not any(item.interrupted for item in played.log.items)
    began, ended, again, _ = (event["atMs"] for event in played.events("speech"))
    assert began < ended < again < ended + 200


def test_it_waits_for_a_caller_who_speaks_and_for_the_answer() -> None:
    played = call((4.2, ORDER), says=(Says(4.0, 5.0, "my bill please"),))
    assert [text for _, text in played.transcript] == [
        "How can I help you today?", "my bill please", "Your bill is on its way.", "A colleague of Ada listens.",
    ]  # fmt: skip
    assert not any(item.interrupted for item in played.log.items)


def test_at_once_takes_the_place_of_what_the_agent_says() -> None:
    played = call((0.9, SpeechOrder("Stop please.", interrupt=True)))
    first, second = played.log.items
    assert first.interrupted
    assert "How can I help you today?".startswith(first.text)
    assert second.text == "Stop please."


def test_a_farewell_is_heard_to_its_end_and_then_the_agent_hangs_up() -> None:
    played = call(
        (0.9, SpeechOrder("We close now.", interrupt=True, ends=True)), says=(Says(2.0, 3.0, "my bill please"),)
    )
    assert played.transcript[-1] == ("assistant", "We close now.")
    assert not played.log.items[-1].interrupted
    assert played.end.reason is EndedReason.AGENT_ENDED


def test_a_caller_may_interrupt_it_and_goes_on_with_the_agent() -> None:
    long = SpeechOrder("This is a long sentence with very many words that nobody wants to hear until its end.")
    played = call((0.5, long), says=(Says(4.0, 5.0, "my bill please"),))
    assert [item.text for item in played.log.items if item.interrupted] == [played.log.items[1].text]
    assert played.transcript[-1] == ("assistant", "Your bill is on its way.")


def test_several_are_said_in_order() -> None:
    played = call(*((0.5, SpeechOrder(f"Number {word}.")) for word in ("one", "two", "three")))
    assert [text for _, text in played.transcript][1:] == ["Number one.", "Number two.", "Number three."]


def test_there_is_a_limit_to_what_is_kept() -> None:
    played = call(*((0.2, ORDER) for _ in range(MOST + 5)), hang_up_at=0.6)
    assert False in played.desk.taken
    assert sum(played.desk.taken) >= MOST


def test_nothing_is_ordered_of_an_agent_that_has_handed_the_caller_over() -> None:
    target = TransferTarget("desk", TransferMode.WARM, number="+12025550177")
    played = call((0.5, TransferOrder(target)), (3.0, ORDER), transfers=[Transfers(takes=5.0)])  # type: ignore[arg-type]
    assert played.desk.taken == [True, False]
