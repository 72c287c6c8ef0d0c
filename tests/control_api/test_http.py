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
