"""The OpenAI-compatible client against a small server of our own on loopback: good answers, broken ones, refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from inference.llm.base import (
    Finished,
    LlmRequest,
    LlmUnavailable,
    Message,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
)
from inference.llm.openai_chat import ChatTimeouts, OpenAiChat

KEY = "sk-very-secret"
FAST = ChatTimeouts(connect=0.5, first_token=0.5, between_tokens=0.3, whole=1.0)
REQUEST = LlmRequest("m", (Message("system", "Be brief."), Message("user", "my private words")))


@dataclass
class Reply:
    """What the server answers to one request: JSON, or events (None hangs, "cut" closes the connection)."""

    status: int = 200
    body: Any = None
    events: list[Any] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """Answers requests one after the other, the last reply again and again."""

    replies: list[Reply]
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone.set()
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((head[0], headers, json.loads(body or b"{}")))
        reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
        extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\nConnection: close\r\n{extra}".encode())
        if reply.events:
            writer.write(b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            await self._stream(reply.events, reader, writer)
        else:
            payload = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            writer.write(f"Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
            await writer.drain()

    async def _stream(self, events: list[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for event in events:
            if event is None:
                await reader.read()
                self.gone.set()
                return
            if event == "cut":
                return
            data = event if isinstance(event, str) else json.dumps(event)
            line = f"data: {data}\n\n".encode()
            writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


@asynccontextmanager
async def chat(*replies: Reply) -> AsyncIterator[tuple[OpenAiChat, Server]]:
    server = Server(list(replies))
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    client = OpenAiChat(f"http://127.0.0.1:{server.port}/v1", KEY, FAST)
    try:
        yield client, server
    finally:
        await client.aclose()
        listener.close()
        await listener.wait_closed()


def with_server(test: Callable[[OpenAiChat, Server], Awaitable[None]], *replies: Reply) -> None:
    async def main() -> None:
        async with chat(*replies) as (client, server):
            await test(client, server)

    asyncio.run(main())


def text(piece: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": piece}, "finish_reason": finish}]}


def answer(content: str = "", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content, **message}}]}


def test_text_tool_calls_and_usage_are_streamed() -> None:
    call = [
        {
            "choices": [
                {"delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "end_call", "arguments": ""}}]}}
            ]
        },
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"farewell":'}}]}}]},
        {
            "choices": [
                {
                    "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '"Bye"}'}}]},
                    "finish_reason": "tool_calls",
                }
            ]
        },
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "details": {}}},
        "[DONE]",
    ]

    async def test(client: OpenAiChat, server: Server) -> None:
        tool = ToolSpec("end_call", "Hang up.", {"type": "object"})
        asked = Message("assistant", "", tool_calls=(ToolCall("c0", "x", "{}"),))
        request = LlmRequest("m", (*REQUEST.messages, asked, Message("tool", "done", "c0")), (tool,))
        deltas = [delta async for delta in client.stream(request)]
        assert deltas == [
            TextDelta("Hel"),
            TextDelta("lo."),
            ToolCallDelta(ToolCall("c1", "end_call", '{"farewell":"Bye"}')),
            Finished("tool_calls", {"prompt_tokens": 7, "completion_tokens": 3}),
        ]
        line, headers, body = server.requests[0]
        assert line == "POST /v1/chat/completions HTTP/1.1"
        assert headers["authorization"] == f"bearer {KEY}"
        assert body["stream"] is True
        assert body["tools"][0]["function"]["name"] == "end_call"
        assert body["messages"][2]["tool_calls"][0]["id"] == "c0"
        assert body["messages"][3] == {"role": "tool", "content": "done", "tool_call_id": "c0"}

    with_server(test, Reply(events=[text("Hel"), text("lo."), *call]))


def test_closing_early_closes_the_connection() -> None:
    async def test(client: OpenAiChat, server: Server) -> None:
        async with aclosing(client.stream(REQUEST)) as deltas:  # type: ignore[type-var]
            assert await anext(deltas) == TextDelta("Hello")
        await asyncio.wait_for(server.gone.wait(), 2)

    with_server(test, Reply(events=[text("Hello"), None]))


@pytest.mark.parametrize(
    ("replies", "says", "requests"),
    [
        ([Reply(events=[text("Hello"), "cut"])], "broke off", 1),
        ([Reply(events=[text("Hello")])], "broke off", 1),
        ([Reply(events=[text("Hello"), None])], "fell silent", 1),
        ([Reply(events=["{nonsense"])], "no JSON", 1),
        ([Reply(events=[{"error": {"message": KEY}}])], "reported an error", 1),
        ([Reply(500, {"error": KEY})], "HTTP 500", 2),
        ([Reply(429, {}, headers={"Retry-After": "0"})], "HTTP 429", 2),
        ([Reply(401, {})], "HTTP 401", 1),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(replies: list[Reply], says: str, requests: int) -> None:
    async def test(client: OpenAiChat, server: Server) -> None:
        with pytest.raises(LlmUnavailable, match=says) as caught:
            async for _ in client.stream(REQUEST):
                pass
        assert KEY not in repr(caught.value)
        assert "private" not in repr(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        assert len(server.requests) == requests

    with_server(test, *replies)


def test_a_refusal_that_passes_is_tried_once_more() -> None:
    async def test(client: OpenAiChat, server: Server) -> None:
        deltas = [delta async for delta in client.stream(REQUEST)]
        assert deltas == [TextDelta("Hello."), Finished("stop")]

    with_server(test, Reply(503, {}), Reply(events=[text("Hello."), text("", "stop"), "[DONE]"]))


def test_nobody_there() -> None:
    async def main() -> None:
        client = OpenAiChat("http://127.0.0.1:1/v1", KEY, FAST)
        with pytest.raises(LlmUnavailable, match="cannot be reached"):
            await anext(aiter(client.stream(REQUEST)))
        assert "cannot be reached" in (await client.health() or "")
        await client.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(("status", "says"), [(200, None), (404, None), (401, "refuses the key"), (503, "HTTP 503")])
def test_health(status: int, says: str | None) -> None:
    async def test(client: OpenAiChat, server: Server) -> None:
        wrong = await client.health()
        assert (wrong is None) if says is None else (says in (wrong or ""))
        await client.health()
        assert len(server.requests) == 1

    with_server(test, Reply(status, {}))


SCHEMA = {"type": "object", "properties": {"kept": {"type": ["boolean", "null"]}}, "required": ["kept"]}


@pytest.mark.parametrize(
    ("replies", "requests"),
    [
        ([Reply(body=answer('{"kept": true}'))], 1),
        ([Reply(400, {}), Reply(body=answer('Sure! {"kept": true} Anything else?'))], 2),
        ([Reply(body=answer("I would say yes")), Reply(body=answer('{"kept": true}'))], 2),
        (
            [
                Reply(body=answer('{"kept": "yes"}')),
                Reply(body=answer("no idea")),
                Reply(body=answer(tool_calls=[{"function": {"name": "answer", "arguments": '{"kept": true}'}}])),
            ],
            3,
        ),
    ],
)
def test_extraction_gets_json_that_fits_whatever_the_server_can(replies: list[Reply], requests: int) -> None:
    async def test(client: OpenAiChat, server: Server) -> None:
        assert await client.extract(REQUEST, SCHEMA) == {"kept": True}
        assert len(server.requests) == requests
        assert server.requests[0][2]["response_format"]["json_schema"]["schema"] == SCHEMA
        if requests == 3:
            assert "must be of type" in server.requests[1][2]["messages"][-1]["content"]
            assert server.requests[2][2]["tool_choice"]["function"]["name"] == "answer"

    with_server(test, *replies)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(body=answer("never any JSON")), "no JSON that fits"),
        (Reply(body=b"<html>"), "no chat completion"),
        (Reply(body={"choices": []}), "no chat completion"),
        (Reply(429, {}), "HTTP 429"),
    ],
)
def test_extraction_that_fails_says_so(reply: Reply, says: str) -> None:
    async def test(client: OpenAiChat, server: Server) -> None:
        with pytest.raises(LlmUnavailable, match=says):
            await client.extract(REQUEST, SCHEMA)

    with_server(test, reply)
