"""Where the demo's webhook arrives: a small HTTP server on this machine that verifies what it gets."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_api.http import HttpServer, listen
from control_api.webhook_signature import sign


@dataclass(frozen=True, slots=True)
class Received:
    """A webhook that came: its id, its payload, whether its signature was made with our secret, and its body as it was sent."""

    webhook_id: str
    payload: dict[str, Any]
    verified: bool
    body: bytes


class Receiver:
    """Listens on 127.0.0.1, on a free port unless one is given; `url` is where webhooks go. Use as an asynchronous context manager.

    `answers` holds what the next webhooks get, None for no answer at all; when it is empty each gets 204.
    """

    def __init__(self, secret: str, port: int = 0) -> None:
        self.answers: deque[Response | None] = deque()
        self._secret = secret
        self._received: asyncio.Queue[Received] = asyncio.Queue(maxsize=100)
        app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])
        self._server = HttpServer(app, listen("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._server.address[1]}/hook"

    async def __aenter__(self) -> Receiver:
        self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def next(self, timeout: float) -> Received:
        """The next webhook. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            return await self._received.get()

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self._received.put_nowait(
            Received(request.headers.get("webhook-id", ""), json.loads(body), self._verified(request, body), body)
        )
        answer = self.answers.popleft() if self.answers else Response(status_code=204)
        return answer or await _silence(request)

    def _verified(self, request: Request, body: bytes) -> bool:
        try:
            timestamp = int(request.headers["webhook-timestamp"])
            ours = sign(self._secret, request.headers["webhook-id"], timestamp, body)
        except (KeyError, ValueError):
            return False
        return ours["webhook-signature"] in request.headers.get("webhook-signature", "").split()


async def _silence(request: Request) -> Response:
    """Say nothing until the sender has given up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response(status_code=204)
