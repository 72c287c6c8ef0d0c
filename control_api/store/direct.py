"""Statements run without waiting: how the writer's thread runs what is written for an `AsyncConnection`.

A hop between threads for each cursor operation costs more than SQLite does (2.1 ms of CPU for a call event in seven hops, measured
on two busy cores). So a whole group of writes goes to the writer's thread in one hop, and there each write's coroutine is
driven to its end at once: all that it awaits is its connection, and this one never suspends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


class DirectConnection:
    """The part of `AsyncConnection` that statements use, on a plain connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: sa.Executable, parameters: Any = None) -> Any:
        return self._connection.scalar(statement, parameters)

    async def scalars(self, statement: sa.Executable, parameters: Any = None) -> sa.ScalarResult[Any]:
        return self._connection.scalars(statement, parameters)

    async def exec_driver_sql(self, statement: str) -> sa.CursorResult[Any]:
        return self._connection.exec_driver_sql(statement)


def run(statements: Callable[[AsyncConnection], Awaitable[T]], connection: sa.Connection) -> T:
    """The statements' result. Raises what they raise, and RuntimeError when they wait for anything but the connection."""
    direct = cast(AsyncConnection, DirectConnection(connection))
    steps = statements(direct).__await__()
    try:
        next(steps)
    except StopIteration as end:
        return cast(T, end.value)
    steps.close()
    raise RuntimeError("a write awaited something that is not its connection")
