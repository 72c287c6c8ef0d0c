"""A language model behind an OpenAI-compatible `/chat/completions` (vLLM, llama.cpp, a hosted one).

The answer is streamed (server-sent events). Closing the iterator early closes the connection, by which such servers abort the
generation. What cannot be served raises `LlmUnavailable` with a sentence in which no key and no prompt stands.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import httpx

from inference.llm.base import (
    Finished,
    LlmDelta,
    LlmRequest,
    LlmUnavailable,
    Message,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
)
from inference.llm.schema import first_json, violations

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_HEALTHY_FOR = 10.0
"""How long an answer about its health is believed, in seconds."""
_RETRY_AFTER_MAX = 1.0
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class ChatTimeouts:
    """Seconds: to connect, to the first token, from one to the next, and for a whole answer that is not streamed."""

    connect: float = 2.0
    first_token: float = 4.0
    between_tokens: float = 4.0
    whole: float = 60.0


@dataclass(slots=True)
class _Call:
    """A tool call whose parts are still arriving."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class _Stream:
    """What has arrived of one answer."""

    calls: dict[int, _Call] = field(default_factory=dict)
    finish: str = ""
    usage: dict[str, int] = field(default_factory=dict)


class OpenAiChat:
    """LlmEngine over HTTP. `base_url` ends before `/chat/completions`, such as `http://127.0.0.1:8000/v1`."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        timeouts: ChatTimeouts = ChatTimeouts(),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeouts = timeouts
        self._http = httpx.AsyncClient(
            base_url=base_url.rstrip("/") + "/",
            headers=headers,
            timeout=httpx.Timeout(timeouts.whole, connect=timeouts.connect),
            transport=transport,
        )
        self._health: tuple[float, str | None] | None = None

    async def health(self) -> str | None:
        """None when it answers `/models`; else what is wrong. Asked at most every 10 s."""
        now = asyncio.get_running_loop().time()
        if self._health is None or now - self._health[0] > _HEALTHY_FOR:
            self._health = (now, await self._ask_health())
        return self._health[1]

    async def stream(self, request: LlmRequest) -> AsyncIterator[LlmDelta]:
        """The answer as it is written. A refusal before the first token that may pass is tried once more."""
        async with aclosing(cast("AsyncGenerator[LlmDelta]", self._attempt(_body(request, stream=True)))) as deltas:
            async for delta in deltas:
                yield delta

    async def extract(self, request: LlmRequest, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """JSON that keeps the schema: asked with response_format, then once more with the mistakes, then as a forced tool."""
        asked = replace(request, messages=(*request.messages, Message("user", _schema_text(schema))))
        plain = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
        wrong = ["the server refused response_format"]
        for extra in ({"response_format": plain}, {}):
            answer = await self._whole(asked, extra)
            if answer is None:
                continue
            text = answer.get("content") or ""
            value = first_json(text)
            wrong = violations(value, schema)
            if not wrong:
                return cast("Mapping[str, Any]", value)
            told = (
                Message("assistant", text),
                Message("user", f"That does not fit: {'; '.join(wrong)}. Only the JSON."),
            )
            asked = replace(asked, messages=(*asked.messages, *told))
        return await self._forced(request, schema, wrong)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _ask_health(self) -> str | None:
        try:
            response = await self._http.get("models", timeout=self._timeouts.first_token)
        except httpx.HTTPError as error:
            return f"it cannot be reached ({type(error).__name__})."
        if response.status_code in {401, 403}:
            return f"it refuses the key (HTTP {response.status_code})."
        # A server without /models is no reason to doubt it: some answer 404 or fail there, and still serve.
        return None if response.status_code < 500 or response.status_code == 501 else f"HTTP {response.status_code}."

    async def _attempt(self, body: Mapping[str, Any]) -> AsyncIterator[LlmDelta]:
        response = await self._open(body)
        try:
            stream = _Stream()
            async for line in self._lines(response):
                for delta in _read(line, stream):
                    yield delta
                if line == "[DONE]":
                    break
            if not stream.finish:
                raise LlmUnavailable("the language model broke off in the middle of an answer")
            for call in stream.calls.values():
                yield ToolCallDelta(ToolCall(call.id or f"call_{call.name}", call.name, call.arguments))
            yield Finished(stream.finish, stream.usage)
        finally:
            await response.aclose()

    async def _open(self, body: Mapping[str, Any]) -> httpx.Response:
        """The response whose body is the stream. Raises LlmUnavailable."""
        for last in (False, True):
            response = await self._send(body)
            if response.status_code == httpx.codes.OK:
                return response
            await response.aclose()
            if last or not _may_pass(response):
                break
            await asyncio.sleep(_retry_after(response))
        raise LlmUnavailable(f"the language model answered HTTP {response.status_code}")

    async def _send(self, body: Mapping[str, Any]) -> httpx.Response:
        request = self._http.build_request("POST", "chat/completions", json=body)
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.first_token):
                return await self._http.send(request, stream=True)
        except TimeoutError:
            raise LlmUnavailable("the language model did not answer in time") from None
        except httpx.HTTPError as error:
            raise LlmUnavailable(f"the language model cannot be reached ({type(error).__name__})") from None

    async def _lines(self, response: httpx.Response) -> AsyncIterator[str]:
        """The data of each event. Raises LlmUnavailable when the next is late or the connection breaks."""
        limit = self._timeouts.first_token
        async with aclosing(cast("AsyncGenerator[str]", response.aiter_lines())) as lines:
            while True:
                try:
                    async with asyncio.timeout(limit):
                        line = await anext(lines)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise LlmUnavailable("the language model fell silent") from None
                except httpx.HTTPError as error:
                    raise LlmUnavailable(f"the language model broke off ({type(error).__name__})") from None
                if line.startswith("data:") and len(line) < _LONGEST_LINE:
                    limit = self._timeouts.between_tokens
                    yield line[5:].strip()

    async def _whole(self, request: LlmRequest, extra: Mapping[str, Any]) -> dict[str, Any] | None:
        """The message of an answer that is not streamed. None when the server refuses `extra`."""
        body = {**_body(request, stream=False), **extra}
        try:
            response = await self._http.post("chat/completions", json=body)
            if extra and response.status_code in {400, 404, 422, 500, 501}:
                return None
            if response.status_code != httpx.codes.OK:
                raise LlmUnavailable(f"the language model answered HTTP {response.status_code}")
            message = response.json()["choices"][0]["message"]
        except httpx.HTTPError as error:
            raise LlmUnavailable(f"the language model cannot be reached ({type(error).__name__})") from None
        except (ValueError, LookupError, TypeError):
            raise LlmUnavailable("the language model answered what is no chat completion") from None
        return message if isinstance(message, dict) else {}

    async def _forced(self, request: LlmRequest, schema: Mapping[str, Any], wrong: list[str]) -> Mapping[str, Any]:
        """The last way: a tool that the model must call, whose parameters are the schema."""
        tool = ToolSpec("answer", "Give the answer.", schema)
        extra = {"tool_choice": {"type": "function", "function": {"name": tool.name}}}
        message = await self._whole(replace(request, tools=(tool,)), extra) or {}
        for call in message.get("tool_calls") or ():
            value = first_json(str(_get(call, "function", "arguments") or ""))
            if not (wrong := violations(value, schema)):
                return cast("Mapping[str, Any]", value)
        raise LlmUnavailable(f"the language model gives no JSON that fits: {'; '.join(wrong[:3])}")


def _read(data: str, stream: _Stream) -> list[LlmDelta]:
    """The deltas of one event; tool calls and usage are kept in `stream` until the end."""
    if data == "[DONE]":
        stream.finish = stream.finish or "stop"
        return []
    try:
        event = json.loads(data)
    except json.JSONDecodeError:
        raise LlmUnavailable("the language model sent an event that is no JSON") from None
    if _get(event, "error"):
        raise LlmUnavailable("the language model reported an error in the middle of an answer")
    if isinstance(usage := _get(event, "usage"), dict):
        stream.usage = {name: count for name, count in usage.items() if isinstance(count, int)}
    choice = _get(event, "choices", 0)
    stream.finish = _get(choice, "finish_reason") or stream.finish
    for part in _get(choice, "delta", "tool_calls") or ():
        _add_call(stream, part)
    text = _get(choice, "delta", "content")
    return [TextDelta(text)] if isinstance(text, str) and text else []


def _add_call(stream: _Stream, part: Any) -> None:
    index = _get(part, "index")
    call = stream.calls.setdefault(index if isinstance(index, int) else len(stream.calls), _Call())
    call.id = _get(part, "id") or call.id
    call.name = _get(part, "function", "name") or call.name
    call.arguments += _get(part, "function", "arguments") or ""


def _get(value: Any, *path: str | int) -> Any:
    """A part of what a server sent; None where it is not there, for servers leave out what they like."""
    for key in path:
        if isinstance(key, str):
            value = value.get(key) if isinstance(value, dict) else None
        else:
            value = value[key] if isinstance(value, list) and len(value) > key else None
    return value


def _body(request: LlmRequest, *, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "stream": stream,
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in request.tools
        ]
    return body


def _message(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        written["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return written


def _schema_text(schema: Mapping[str, Any]) -> str:
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{json.dumps(schema)}"


def _may_pass(response: httpx.Response) -> bool:
    return response.status_code in {408, 409, 425, 429} or response.status_code >= 500


def _retry_after(response: httpx.Response) -> float:
    """How long to wait before the second try: a caller is waiting, so never long."""
    given = response.headers.get("Retry-After", "")
    return min(float(given), _RETRY_AFTER_MAX) if given.isdigit() else 0.2
