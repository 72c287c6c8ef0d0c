"""The keys that scripts and models press."""

from __future__ import annotations

from inference.llm.base import ToolCall
from sipserver.protocols import EndedReason
from tests.inference.conversation.scene import Says, Scene, Writes, agent, play


def test_a_step_of_a_script_presses_keys_when_its_words_were_heard() -> None:
    script = {
        "start": "menu",
        "steps": {
            "menu": {"press": "{{branch}}-1#", "listen": [{"hear": ["press two"], "go": "two"}]},
            "two": {"say": "One moment.", "press": "2", "listen": [{"hear": ["good bye"], "go": "bye"}]},
            "bye": {"say": "Goodbye.", "end": True},
        },
    }
    caller = (Says(3.0, 3.6, "press two"), Says(8.0, 8.6, "good bye"))
    played = play(Scene(agent(script=script), caller, variables={"branch": "47"}))
    (first, keys), (second, more) = played.media.pressed
    assert (keys, more) == ("471#", "2")
    assert first < 0.2
    assert second >= played.sound[0][1]
    assert played.log.problems == []


def test_keys_that_the_other_side_does_not_take_are_a_problem_of_the_call() -> None:
    script = {
        "start": "menu",
        "steps": {
            "menu": {"press": "1", "listen": [{"hear": ["good bye"], "go": "bye"}]},
            "bye": {"say": "Goodbye.", "end": True},
        },
    }
    played = play(Scene(agent(script=script), (Says(3.0, 3.6, "good bye"),), takes_keys=False))
    assert [problem.part for problem in played.log.problems] == ["media"]
    assert played.end.reason is EndedReason.AGENT_ENDED


def test_a_model_presses_keys_by_its_tool_and_is_told_what_came_of_it() -> None:
    for keys, takes, result in (
        ("4711#", True, "The keys were pressed."),
        ("4711#", False, "The tool failed: the other side takes no keys."),
        ("call me", True, "The tool failed: digits must be 1 to 32 of the keys 0-9, *, # and A-D."),
    ):
        answers = [Writes([ToolCall("c", "send_dtmf", f'{{"digits": "{keys}"}}')]), Writes(["Done."])]
        played = play(
            Scene(
                agent(system_prompt="x", first_speaker="user"),
                (Says(1.0, 1.6, "press two for english"),),
                answers,
                open_vocabulary=True,
                takes_keys=takes,
                hang_up_at=6,
            )
        )
        assert [pressed for _, pressed in played.media.pressed] == ([keys] if keys.endswith("#") else [])
        assert played.llm.requests[1][1].messages[-1].content == result
