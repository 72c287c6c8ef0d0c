"""The tools that a language model may use in a call: a table, so that more are added by a row.

A tool answers with what the model is told. A tool that fails tells the model so; the caller never hears silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.dialogue import TransferWish
from inference.llm.base import ToolCall, ToolSpec
from sipserver.protocols import Agent

MAX_BRIEFING = 2000
Press = Callable[[str], Awaitable[bool]]
_KEYS = re.compile(r"[0-9*#A-Da-d]{1,32}")


class ToolFailed(Exception):
    """The tool could not do it; the text tells the model why."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool came to: `content` for the model, `say` for the caller. `ends_call`: the agent hangs up afterwards; `transfer`: it
    hands the caller over."""

    content: str
    say: str = ""
    ends_call: bool = False
    transfer: TransferWish | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what the model is told of it, and what it does with its arguments (ToolFailed for bad ones)."""

    spec: ToolSpec
    run: Callable[[Mapping[str, Any]], Awaitable[ToolResult]]


async def _end_call(arguments: Mapping[str, Any]) -> ToolResult:
    farewell = arguments.get("farewell")
    return ToolResult("The call ends.", say=farewell if isinstance(farewell, str) else "", ends_call=True)


END_CALL = Tool(
    ToolSpec(
        name="end_call",
        description="Hang up. Use it when the conversation is over, or when the caller asks for it.",
        parameters={
            "type": "object",
            "properties": {
                "farewell": {
                    "type": "string",
                    "description": "The last sentence to say, if you have not said goodbye yet.",
                }
            },
            "additionalProperties": False,
        },
    ),
    _end_call,
)


def press_tool(press: Press) -> Tool:
    """Presses keys. They leave at once: what the agent is saying waits meanwhile."""

    async def run(arguments: Mapping[str, Any]) -> ToolResult:
        digits = arguments.get("digits")
        if not isinstance(digits, str) or not _KEYS.fullmatch(digits):
            raise ToolFailed("digits must be 1 to 32 of the keys 0-9, *, # and A-D.")
        if not await press(digits):
            raise ToolFailed("the other side takes no keys.")
        return ToolResult("The keys were pressed.")

    return Tool(
        ToolSpec(
            name="send_dtmf",
            description="Press keys of the telephone, to answer the menu of a machine that you are speaking with. "
            "Never use it with a person.",
            parameters={
                "type": "object",
                "properties": {
                    "digits": {"type": "string", "description": "The keys, one after the other, such as 1 or 4711#."}
                },
                "required": ["digits"],
                "additionalProperties": False,
            },
        ),
        run,
    )


def transfer_tool(agent: Agent) -> Tool:
    """Hands the caller over to one of the agent's targets. The model chooses among their labels, and never sees a number."""
    labels = [target.label for target in agent.transfer_targets]

    async def run(arguments: Mapping[str, Any]) -> ToolResult:
        label, briefing = arguments.get("target"), arguments.get("briefing")
        if label not in labels:
            raise ToolFailed(f"target must be one of: {', '.join(labels)}.")
        wish = TransferWish(label, briefing.strip()[:MAX_BRIEFING] or None if isinstance(briefing, str) else None)
        return ToolResult("The call is being transferred.", transfer=wish)

    return Tool(
        ToolSpec(
            name="transfer_call",
            description=f"Hand the caller over to somebody else. {_who(agent)} Before you use it, tell the caller in one sentence "
            "that you are going to connect them. You are told when nobody could be reached.",
            parameters={
                "type": "object",
                "properties": {
                    "target": {"type": "string", "enum": labels, "description": "Whom to hand the caller over to."},
                    "briefing": {
                        "type": "string",
                        "description": "One or two sentences for whoever answers: who is calling, and what about.",
                    },
                },
                "required": ["target"],
                "additionalProperties": False,
            },
        ),
        run,
    )


def _who(agent: Agent) -> str:
    """The targets as the model is told of them."""
    told = [
        f"{target.label} ({target.description})" if target.description else target.label
        for target in agent.transfer_targets
    ]
    return f"Targets: {'; '.join(told)}."


def tools_of(agent: Agent, press: Press) -> dict[str, Tool]:
    """The tools of an agent, by name. press: sends keys, False where they are not taken."""
    tools = [
        press_tool(press),
        *([END_CALL] if agent.allow_end_call else []),
        *([transfer_tool(agent)] if agent.transfer_targets else []),
    ]
    return {tool.spec.name: tool for tool in tools}


async def run_tool(tools: Mapping[str, Tool], call: ToolCall) -> ToolResult:
    """Do what the model asked for. Whatever goes wrong becomes a result that tells the model so."""
    tool = tools.get(call.name)
    if tool is None:
        return ToolResult(f"There is no tool {call.name!r}.")
    try:
        arguments = json.loads(call.arguments or "{}")
    except json.JSONDecodeError:
        return ToolResult("The arguments are no JSON.")
    if not isinstance(arguments, dict):
        return ToolResult("The arguments are no JSON object.")
    try:
        return await tool.run(arguments)
    except ToolFailed as error:
        return ToolResult(f"The tool failed: {error}")
