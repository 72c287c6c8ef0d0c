"""The HTTP server starts on a bound socket, answers, and leaves the loop's signals alone."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from control_api.bodies import read
from control_api.errors import ApiError
from control_api.http import KEEP_ALIVE_SECONDS, HttpServer, listen


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def test_it_serves_and_stops() -> None:
    before = signal.getsignal(signal.SIGINT)

    async def run() -> str:
        server = HttpServer(Starlette(routes=[Route("/", _hello)]), listen("127.0.0.1", 0))
        server.start()
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{server.address[1]}/")
        await server.stop()
        await server.stop()
        return answer.text

    assert asyncio.run(run()) == "hello"
    assert signal.getsignal(signal.SIGINT) is before


def test_a_port_in_use_is_named() -> None:
    taken = listen("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
        listen("127.0.0.1", port)
    taken.close()


def test_clients_close_idle_connections_before_the_server_does() -> None:
    theirs = httpx.Limits().keepalive_expiry
    assert theirs is not None
    assert theirs < KEEP_ALIVE_SECONDS


def test_who_sends_a_request_byte_by_byte_is_not_waited_for() -> None:
    async def run() -> list[bytes]:
        server = HttpServer(Starlette(routes=[Route("/", _hello)]), listen("127.0.0.1", 0), head_seconds=0.2)
        server.start()
        ends = []
        for whole, half in (
            (b"", b""),
            (b"", b"GET / HTTP/1.1\r\nHos"),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HT"),
        ):
            reader, writer = await asyncio.open_connection(*server.address)
            async with asyncio.timeout(5):
                writer.write(whole)
                answer = await reader.readuntil(b"hello") if whole else b""
                writer.write(half)
                ends.append(answer + await reader.read())
            writer.close()
            await writer.wait_closed()
        await server.stop()
        return ends

    silent, half, one_and_a_half = asyncio.run(run())
    assert (silent, half) == (b"", b"")
    assert one_and_a_half.startswith(b"HTTP/1.1 200")
    assert one_and_a_half.endswith(b"hello")


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def nothing() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "headers": [(b"content-type", b"application/json")]}, nothing)
    with pytest.raises(ApiError) as refused:
        asyncio.run(read(request, 0.01))
    assert (refused.value.status, refused.value.error) == (400, "The body was not here after 0.01 s.")
    assert refused.value.headers == {"Connection": "close"}
