"""What a dialogue engine is to a conversation: something that answers turns with text, piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


class LlmUnavailable(Exception):
    """The language model cannot be reached, refused, or broke off."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the dialogue so far, as a chat model reads it."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_call_id: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool: `arguments` is the JSON text as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool the model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """One turn for a chat model."""

    model: str
    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    max_tokens: int = 400
    temperature: float = 0.3


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A complete tool call."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete."""

    reason: str
    usage: Mapping[str, int] = field(default_factory=dict)


LlmDelta = TextDelta | ToolCallDelta | Finished


class LlmEngine(Protocol):
    """A chat model. Leaving the iterator early (`aclose`) aborts the request upstream."""

    async def health(self) -> str | None:
        """None when it can serve; else the sentence that says why not."""

    def stream(self, request: LlmRequest) -> AsyncIterator[LlmDelta]:
        """The answer, as it is written. Raises LlmUnavailable."""

    async def extract(self, request: LlmRequest, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """An answer that keeps the JSON schema: response_format, validated, one retry, then a forced tool. Raises LlmUnavailable."""

    async def aclose(self) -> None:
        """Close connections. Idempotent."""
