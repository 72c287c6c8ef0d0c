"""Scripts: every mistake is named with its place; a script without one is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference.script import Collect, ScriptError, phrase_places, read_script

AGENTS = Path(__file__).parents[2] / "config" / "agents"


def script(**changes: Any) -> dict[str, Any]:
    """The contract's example, with steps or keys replaced (None removes)."""
    steps: dict[str, Any] = {
        "confirm": {
            "say": "Can you make it on {{day}}?",
            "listen": [
                {"hear": ["yes [please]", "that is (fine|right|correct)"], "set": {"confirmed": True}, "go": "bye"},
                {"hear": ["no", "i can not [make it]"], "set": {"confirmed": False}, "go": "when"},
                {"dtmf": "1", "go": "bye"},
            ],
            "else": {"say": "Sorry, is that a yes or a no?", "times": 2, "go": "bye"},
        },
        "when": {"say": "Which day suits you?", "listen": [{"hear": ["[on] <date:new_day>"], "go": "bye"}]},
        "bye": {"say": "Thank you. Goodbye.", "end": True},
    }
    whole: dict[str, Any] = {
        "start": "confirm",
        "steps": steps,
        "anywhere": [{"hear": ["goodbye", "stop calling [me]"], "set": {"opt_out": True}, "go": "bye"}],
    }
    for name, change in changes.items():
        (steps if name in steps or name.startswith("s_") else whole)[name] = change
    return whole


def test_the_contracts_example_is_read() -> None:
    read = read_script(script())
    assert read.start == "confirm"
    assert [answer.go for answer in read.answers(read.steps["confirm"])] == ["bye", "when", "bye", "bye"]
    assert read.steps["confirm"].otherwise.times == 2
    assert read.steps["bye"].end


def test_keys_can_be_collected() -> None:
    step = {"listen": [{"dtmf": "<digits:order_number>", "length": 4, "go": "bye"}]}
    read = read_script(script(when=step))
    assert read.steps["when"].listen[0].collect == Collect("order_number", 4)


def step(**changes: Any) -> dict[str, Any]:
    """The step `when`, with keys replaced."""
    return {"say": "Which day suits you?", "listen": [{"hear": ["<date:new_day>"], "go": "bye"}], **changes}


@pytest.mark.parametrize(
    ("given", "where", "says"),
    [
        (script(start="nowhere"), "start", "no step 'nowhere'"),
        (script(start=None), "start", "must be a text"),
        (script(steps={}), "steps", "1 to 200 steps"),
        (script(steps=[]), "steps", "must be an object"),
        (script(s_lost=step()), "steps.s_lost", "no way leads"),
        (script(when=step(listen=[{"hear": ["yes"], "go": "x"}])), "steps.when.listen.0.go", "no step 'x'"),
        (script(when=step(listen=[{"hear": ["(yes"], "go": "bye"}])), "steps.when.listen.0.hear.0", "character 1"),
        (script(when=step(listen=[{"hear": [7], "go": "bye"}])), "steps.when.listen.0.hear.0", "empty"),
        (script(when=step(listen=[{"hear": [], "go": "bye"}])), "steps.when.listen.0.hear", "1 to 100"),
        (script(when=step(listen=[{"go": "bye"}])), "steps.when.listen.0", "exactly one"),
        (script(when=step(listen=[{"hear": ["yes"]}])), "steps.when.listen.0.go", "must be a text"),
        (script(when=step(listen=[{"dtmf": "12", "go": "bye"}])), "steps.when.listen.0.dtmf", "one key"),
        (
            script(when=step(listen=[{"dtmf": "1", "length": 3, "go": "bye"}])),
            "steps.when.listen.0.length",
            "goes with",
        ),
        (
            script(when=step(listen=[{"dtmf": "<digits:a>", "go": "bye"}, {"dtmf": "1", "go": "bye"}])),
            "steps.when.listen",
            "single keys",
        ),
        (script(when=step(listen=[])), "steps.when", "either listens"),
        (script(when=step(end=True)), "steps.when", "either listens"),
        (script(when=step(transfer="reception")), "steps.when", "either listens"),
        (script(when={"transfer": 7}), "steps.when.transfer", "must be a text"),
        (
            script(when={"transfer": "accounts"}),
            "steps.when.transfer",
            "no transfer target 'accounts' (its labels: reception)",
        ),
        (script(when={"transfer": "reception", "failed": "x"}), "steps.when.failed", "no step 'x'"),
        (script(when=step(failed="bye")), "steps.when.failed", "goes with `transfer`"),
        (script(when=step(**{"else": {"times": 0}})), "steps.when.else.times", "1 to 10"),
        (script(when=step(**{"else": {"go": "x"}})), "steps.when.else.go", "no step 'x'"),
        (script(when=step(listn=[])), "steps.when.listn", "nothing that a step has"),
        (script(when=step(say=["a"])), "steps.when.say", "must be a text"),
        (script(anywhere={"hear": []}), "anywhere", "must be a list"),
        (
            script(when=step(listen=[{"hear": ["yes"], "set": {"a b": 1}, "go": "bye"}])),
            "steps.when.listen.0.set.a b",
            "letters",
        ),
        (
            script(when=step(listen=[{"hear": ["yes"], "set": {"a": []}, "go": "bye"}])),
            "steps.when.listen.0.set.a",
            "must be a text, a number",
        ),
    ],
)
def test_every_mistake_is_named_with_its_place(given: dict[str, Any], where: str, says: str) -> None:
    with pytest.raises(ScriptError) as caught:
        read_script(given, ["reception"])
    assert [says in problem.message for problem in caught.value.problems if problem.where == where] == [True]


def test_a_step_hands_over_and_goes_on_where_it_failed() -> None:
    way = {
        "s_sorry": {"say": "Sorry.", "end": True},
        "when": {"transfer": "reception", "briefing": "b", "failed": "s_sorry"},
    }
    step = read_script(script(**way), ["reception"]).steps["when"]
    assert (step.transfer, step.briefing, step.failed, step.listen, step.end) == (
        "reception",
        "b",
        "s_sorry",
        (),
        False,
    )


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ScriptError) as caught:
        read_script(script(when=step(say=1, listen=[{"hear": ["("], "go": "bye"}]), start=""))
    assert len(caught.value.problems) == 3


def test_phrases_are_found_with_their_places() -> None:
    assert list(phrase_places(script()))[:3] == [
        ("anywhere.0.hear.0", "goodbye"),
        ("anywhere.0.hear.1", "stop calling [me]"),
        ("steps.confirm.listen.0.hear.0", "yes [please]"),
    ]


@pytest.mark.parametrize("name", ["appointment_reminder", "order_status"])
def test_the_shipped_agents_have_scripts_without_mistakes(name: str) -> None:
    agent = json.loads((AGENTS / f"{name}.json").read_text())
    assert read_script(agent["script"]).steps
    assert set(agent) >= {"name", "script", "firstSpeaker", "agentGreeting", "postCallExtractionSchema"}
