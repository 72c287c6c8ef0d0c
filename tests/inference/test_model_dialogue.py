"""A language model's side of the dialogue: what it is asked, and its tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from inference.dialogue import Heard
from inference.llm.base import Finished, LlmDelta, LlmRequest, TextDelta, ToolCall, ToolCallDelta, ToolSpec
from inference.llm.model_dialogue import ModelDialogue
from inference.tools import Tool, ToolFailed, ToolResult
from sipserver.protocols import Agent


class Model:
    """Answers with one list of deltas after the other."""

    def __init__(self, *answers: list[LlmDelta]) -> None:
        self.answers = list(answers)
        self.requests: list[LlmRequest] = []

    async def stream(self, request: LlmRequest) -> AsyncIterator[LlmDelta]:
        self.requests.append(request)
        for delta in self.answers[len(self.requests) - 1]:
            yield delta


async def nobody_presses(digits: str) -> bool:
    raise AssertionError(digits)


def dialogue(model: Model) -> ModelDialogue:
    agent = Agent(id="a", organization_id="o", name="n", system_prompt="You are {{who}}.")
    return ModelDialogue(model, "m", agent, {"who": "Ada"}, lambda name: None, nobody_presses)  # type: ignore[arg-type]


def lookup(ran: list[Mapping[str, Any]], fails: str | None = None) -> Tool:
    async def run(arguments: Mapping[str, Any]) -> ToolResult:
        ran.append(arguments)
        if fails:
            raise ToolFailed(fails)
        return ToolResult("on its way")

    return Tool(ToolSpec("lookup", "Look it up.", {"type": "object"}), run)


def call(arguments: str = '{"order": 4711}', name: str = "lookup") -> list[LlmDelta]:
    return [ToolCallDelta(ToolCall("c1", name, arguments)), Finished("tool_calls")]


SAYS: list[LlmDelta] = [TextDelta("It is on its way."), Finished("stop")]


def test_a_tool_runs_only_when_the_turn_is_certain_and_its_result_is_told() -> None:
    async def main() -> None:
        ran: list[Mapping[str, Any]] = []
        model = Model(call(), SAYS)
        leader = dialogue(model)
        leader.tools["lookup"] = lookup(ran)
        answer = leader.answer(Heard("where is my order"))

        async def read() -> list[str]:
            return [piece async for piece in answer.pieces()]

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.01)
        assert (ran, reading.done()) == ([], False)
        answer.commit()
        assert await reading == ["It is on its way."]
        assert ran == [{"order": 4711}]
        assert [message.role for message in model.requests[1].messages] == ["system", "user", "assistant", "tool"]
        assert model.requests[1].messages[-1].content == "on its way"
        assert leader.memory == []

    asyncio.run(main())


def test_what_goes_wrong_with_a_tool_is_told_to_the_model() -> None:
    async def told(first: list[LlmDelta], fails: str | None = None) -> str:
        model = Model(first, SAYS)
        leader = dialogue(model)
        leader.tools["lookup"] = lookup([], fails)
        answer = leader.answer(Heard("hm"))
        answer.commit()
        assert [piece async for piece in answer.pieces()] == ["It is on its way."]
        return model.requests[1].messages[-1].content

    assert asyncio.run(told(call(), "too late")) == "The tool failed: too late"
    assert asyncio.run(told(call("{nonsense"))) == "The arguments are no JSON."
    assert asyncio.run(told(call("[1]"))) == "The arguments are no JSON object."
    assert asyncio.run(told(call(name="other"))) == "There is no tool 'other'."


def test_a_model_that_uses_tools_for_ever_is_stopped() -> None:
    async def main() -> list[str]:
        model = Model(*[call()] * 9)
        leader = dialogue(model)
        leader.tools["lookup"] = lookup([])
        answer = leader.answer(Heard("hm"))
        answer.commit()
        pieces = [piece async for piece in answer.pieces()]
        assert len(model.requests) == 5
        return pieces

    assert asyncio.run(main()) == ["Sorry, I did not catch that. Could you say it again, please?"]


def test_roles_alternate_in_what_the_model_reads() -> None:
    model = Model(SAYS)
    leader = dialogue(model)
    leader.agent_said("Hello.")
    leader.caller_said("one")
    leader.caller_said("two")

    async def main() -> None:
        async for _ in leader.answer(Heard("three")).pieces():
            pass

    asyncio.run(main())
    messages = model.requests[0].messages
    assert [message.role for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[0].content.startswith("You are Ada.")
    assert messages[-1].content == "one\ntwo\nthree"
