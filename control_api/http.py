"""uvicorn inside our own event loop: on a socket that is bound already, and with the process's signals left alone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle. Longer than clients keep theirs (httpx: 5 s), so that it is they who close it: a request
that is sent while we close would get no answer."""


class _Impatient(H11Protocol):
    """Closes a connection that does not bring the head of a request in so many seconds; uvicorn would wait for ever."""

    def __init__(self, seconds: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seconds = seconds
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        """Between two requests, from the first byte of the next on; an idle connection is uvicorn's to close."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self._seconds, self.transport.close)

    def _cancel(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs the loop."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Raises OSError, naming the address, when the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from None
    return bound


class HttpServer:
    """Serves an application on a bound socket. `start` returns at once: connections wait in the socket until it accepts."""

    def __init__(
        self, app: ASGIApp, bound: socket.socket, grace: float = 5.0, head_seconds: float = HEAD_SECONDS
    ) -> None:
        config = uvicorn.Config(
            app,
            http=cast(type[asyncio.Protocol], partial(_Impatient, head_seconds)),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int(grace),
        )
        self._server = _Quiet(config)
        self._socket = bound
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def start(self) -> None:
        """Begin to serve, in a task of its own."""
        self._socket.listen(128)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="http")

    async def stop(self) -> None:
        """Finish what is under way (for a few seconds), then close. Idempotent."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None
        self._socket.close()
