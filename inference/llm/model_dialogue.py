"""A language model leads the call: its memory of the dialogue, its tools, its answers as they are written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from inference.backchannel import is_backchannel
from inference.courtesy import courtesies
from inference.dialogue import Answer, Heard, Said, TransferWish
from inference.hear import words_of
from inference.keypad import KeysWanted
from inference.llm.base import LlmDelta, LlmEngine, LlmRequest, Message, TextDelta, ToolCall, ToolCallDelta
from inference.prompt import render
from inference.stt.base import SttHints
from inference.tools import Press, ToolResult, run_tool, tools_of
from inference.turns import Hypothesis
from sipserver.protocols import Agent, TransferFailure, TransferOutcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_MANNERS = (
    "You are speaking on the telephone. Answer in one to three short sentences, as they are spoken: no lists, no markup, "
    "no emoji. What the caller says comes from a speech recogniser and may contain mistakes; ask back when it makes no sense."
)
_BEGIN = "(The call is connected. Begin the conversation.)"
_FAILURES = {
    None: "it was not done.",
    TransferFailure.BUSY: "the line is busy.",
    TransferFailure.NO_ANSWER: "nobody answered.",
    TransferFailure.REJECTED: "the call was declined.",
    TransferFailure.UNAVAILABLE: "they cannot be reached now.",
    TransferFailure.REFER_REFUSED: "the caller's telephone system refused it.",
    TransferFailure.NOT_ALLOWED: "this number may not be called.",
    TransferFailure.AT_CAPACITY: "all lines are taken.",
}
_ROUNDS = 5
"""How often in one turn a model may use tools before it has to answer."""


class ModelDialogue:
    """Leads one call by a chat model."""

    speculates = True

    def __init__(
        self,
        engine: LlmEngine,
        model: str,
        agent: Agent,
        variables: Mapping[str, Any],
        missing: Callable[[str], None],
        press: Press,
    ) -> None:
        self.captured: Mapping[str, Any] = {}
        self.off_record = False
        self.memory: list[Message] = []
        self.tools = tools_of(agent, press)
        self.polite = courtesies(agent.language)
        self._engine = engine
        self._model = model
        self._language = agent.language or "en"
        self._system = f"{render(agent.system_prompt, variables, missing)}\n\n{_MANNERS}".strip()

    def hints(self) -> SttHints:
        """Anything may be said."""
        return SttHints(language=self._language)

    def hypothesis(self, text: str) -> Hypothesis:
        """Without a grammar no sentence is known to be complete."""
        return Hypothesis(text, content=not is_backchannel(words_of(text)))

    def keys(self) -> KeysWanted:
        """Keys are collected, and told to the model."""
        return KeysWanted(collect=True)

    def open(self) -> Answer:
        """The model begins."""
        return ModelAnswer(self, None)

    def greet(self, greeting: str, heard: Heard | None) -> Answer:
        """The greeting alone: then it is the caller's turn."""
        return Said(greeting)

    def answer(self, heard: Heard) -> Answer:
        """What the model says to the turn. Only `caller_said` and `agent_said` change what it remembers."""
        if not heard.understood:
            return Said(self.polite.say_again)
        return ModelAnswer(self, _keys_text(heard.text) if heard.keyed else heard.text)

    def returned(self, outcome: TransferOutcome) -> Answer:
        """The model is told that nobody took the caller over, and why."""
        return ModelAnswer(self, f"(The transfer failed: {_FAILURES[outcome.failure]} The caller is with you again.)")

    def caller_said(self, text: str) -> None:
        """Remember a turn of the caller's."""
        self._remember("user", text)

    def agent_said(self, text: str) -> None:
        """Remember what the caller heard of the agent."""
        self._remember("assistant", text)

    def stream(self, messages: Sequence[Message]) -> AsyncIterator[LlmDelta]:
        """The model's answer to a dialogue."""
        request = LlmRequest(
            model=self._model,
            messages=(Message("system", self._system), *_begun(messages)),
            tools=tuple(tool.spec for tool in self.tools.values()),
        )
        return self._engine.stream(request)

    def _remember(self, role: str, text: str) -> None:
        self.memory = joined(self.memory, Message("user" if role == "user" else "assistant", text))


def joined(memory: Sequence[Message], message: Message) -> list[Message]:
    """A memory with one message more. Neighbours of one role become one: chat templates want the roles to alternate."""
    last = memory[-1] if memory else None
    if last is not None and last.role == message.role:
        return [*memory[:-1], Message(last.role, f"{last.content}\n{message.content}")]
    return [*memory, message]


def _begun(memory: Sequence[Message]) -> Sequence[Message]:
    """A dialogue that the agent began gets a first user's message: some chat templates refuse it otherwise."""
    return memory if memory and memory[0].role == "user" else (Message("user", _BEGIN), *memory)


def _keys_text(keys: str) -> str:
    return f"(The caller pressed {' '.join(keys)} on the keypad.)"


class ModelAnswer:
    """One answer of a model, tools included. Tools wait for `commit`: a speculated turn has no effects."""

    def __init__(self, dialogue: ModelDialogue, said: str | None) -> None:
        self.ends = False
        self.transfer: TransferWish | None = None
        self.press = ""
        self._dialogue = dialogue
        self._context = joined(dialogue.memory, Message("user", said)) if said is not None else list(dialogue.memory)
        self._committed = asyncio.Event()

    def commit(self) -> None:
        """The turn is certain."""
        self._committed.set()

    async def pieces(self) -> AsyncIterator[str]:
        """The text as it is written. Raises LlmUnavailable."""
        context = list(self._context)
        spoke = False
        for _ in range(_ROUNDS):
            calls: list[ToolCall] = []
            async with aclosing(cast("AsyncGenerator[LlmDelta]", self._dialogue.stream(context))) as deltas:
                async for delta in deltas:
                    if isinstance(delta, TextDelta):
                        spoke = spoke or bool(delta.text.strip())
                        yield delta.text
                    elif isinstance(delta, ToolCallDelta):
                        calls.append(delta.call)
            if not calls:
                break
            results = await self._use(calls)
            if farewell := self._ending(results, spoke):
                yield farewell
            if self.ends or self.transfer is not None:
                return
            context += _exchange(calls, results)
        if not spoke:
            yield self._dialogue.polite.say_again

    async def _use(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        await self._committed.wait()
        return [await run_tool(self._dialogue.tools, call) for call in calls]

    def _ending(self, results: Sequence[ToolResult], spoke: bool) -> str:
        """The last words when a tool ends the call or hands it over; nothing when it does not, or the model has said them."""
        self.transfer = next((result.transfer for result in results if result.transfer is not None), None)
        if self.transfer is not None:
            return "" if spoke else self._dialogue.polite.one_moment
        ending = next((result for result in results if result.ends_call), None)
        if ending is None:
            return ""
        self.ends = True
        return "" if spoke else ending.say or self._dialogue.polite.goodbye


def _exchange(calls: Sequence[ToolCall], results: Sequence[ToolResult]) -> list[Message]:
    """Tool calls and their results, as the model reads them."""
    asked = Message("assistant", "", tool_calls=tuple(calls))
    told = [Message("tool", result.content, tool_call_id=call.id) for call, result in zip(calls, results, strict=True)]
    return [asked, *told]
