"""What is said and pressed off the record serves the call, and is kept nowhere."""

from __future__ import annotations

from sipserver.protocols import EndedReason
from tests.inference.conversation.scene import Played, Presses, Says, Scene, agent, play

CARD = "4111"
SCRIPT = {
    "start": "pay",
    "steps": {
        "pay": {"say": "Pay by card?", "listen": [{"hear": ["yes please"], "set": {"pays": True}, "go": "card"}]},
        "card": {
            "say": "The number please.",
            "record": False,
            "listen": [
                {"dtmf": "<digits:card>", "length": 4, "set": {"given": True}, "go": "name"},
                {"hear": ["it is <digits:card>"], "go": "name"},
                {"hear": ["never again"], "set": {"opt_out": True}, "go": "bye"},
            ],
        },
        "name": {"say": "Ends in {{card}}.", "listen": [{"hear": ["yes please"], "go": "bye"}]},
        "bye": {"say": "Thank you.", "end": True},
    },
}


def call(*turns: Says | Presses, **changes: object) -> Played:
    return play(Scene(agent(script=SCRIPT), (Says(2.0, 2.6, "yes please"), *turns), **changes))  # type: ignore[arg-type]


def everything(played: Played) -> str:
    """All that anybody is told of the call: transcript, captured values, problems, live events."""
    log = played.log
    return repr((log.items, log.values, log.problems, log.events, played.end))


def test_keys_of_a_step_off_the_record_are_used_and_not_kept() -> None:
    played = call(*(Presses(6.0 + 0.3 * n, key) for n, key in enumerate(CARD)), Says(10.0, 10.6, "yes please"))
    assert played.transcript == [
        ("assistant", "Pay by card?"),
        ("user", "yes please"),
        ("assistant", "[off the record]"),
        ("user", "[off the record]"),
        ("assistant", "Ends in 4 1 1 1."),
        ("user", "yes please"),
        ("assistant", "Thank you."),
    ]
    assert played.end.reason is EndedReason.AGENT_ENDED
    assert played.end.captured == played.log.values == {"pays": True}
    assert [event["digit"] for event in played.events("digit")] == ["*"] * 4
    (off, was_off), (on, was_on) = played.media.recording
    assert (was_off, was_on) == (False, True)
    assert 2.6 < off < played.sound[1][0]
    assert 6.9 <= on < 7.0
    assert [(event["on"], event["atMs"] // 100) for event in played.events("recording")] == [
        (False, int(off * 10)),
        (True, 69),
    ]


def test_words_of_a_step_off_the_record_are_neither_written_nor_shown() -> None:
    played = call(Says(6.0, 8.0, "it is four one one one"), hang_up_at=14.0)
    assert ("user", "[off the record]") in played.transcript
    assert ("assistant", "Ends in 4 1 1 1.") in played.transcript
    assert "four" not in everything(played).replace("Ends in 4 1 1 1.", "")
    assert played.end.captured == {"pays": True}


def test_an_opt_out_counts_wherever_it_is_said() -> None:
    played = call(Says(6.0, 6.8, "never again"))
    assert played.end.opt_out
    assert played.end.captured == {"pays": True, "opt_out": True}


def test_an_operator_puts_keys_off_the_record_that_are_taken_after_it() -> None:
    # The number is complete 3 s after its last key, when the call is on the record again.
    script = {
        **SCRIPT,
        "steps": {
            **SCRIPT["steps"],
            "card": {"say": "The number.", "listen": [{"dtmf": "<digits:card>", "go": "bye"}]},
        },
        "start": "card",
    }  # type: ignore[dict-item]
    script["steps"] = {name: script["steps"][name] for name in ("card", "bye")}
    keys = (Presses(4.0, "4"), Presses(4.5, "1"))
    played = play(Scene(agent(script=script), keys, off_record=((3.9, True), (4.6, False))))
    assert played.transcript == [
        ("assistant", "The number."),
        ("user", "[off the record]"),
        ("assistant", "Thank you."),
    ]
    assert played.end.captured == played.log.values == {}
    assert [event["digit"] for event in played.events("digit")] == ["*", "*"]


def test_the_step_s_end_does_not_end_what_an_operator_began() -> None:
    keys = [Presses(6.0 + 0.3 * n, key) for n, key in enumerate(CARD)]
    played = call(*keys, Says(10.0, 10.6, "yes please"), off_record=((6.5, True), (9.5, False)))
    assert ("assistant", "Ends in 4 1 1 1.") not in played.transcript
    assert CARD not in everything(played)
    assert "4 1 1 1" not in everything(played)
    at, on = played.media.recording[-1]
    assert (round(at, 2), on) == (9.5, True)
    assert [on for _, on in played.media.recording[:-1]] == [False] * (len(played.media.recording) - 1)
    assert played.transcript[-2] == ("user", "yes please")
