"""Statements run without waiting: how the writer's thread runs what is written for an `AsyncConnection`.

A hop between threads for each cursor operation costs more than SQLite does (2.1 ms of CPU for a call event in seven hops, measured
on two busy cores). So a whole group of writes goes to the writer's thread in one hop, and there each write's coroutine is
driven to its end at once: all that it awaits is its connection, and this one never suspends.

Statements that are `prepared` go to the driver as text, written once: SQLAlchemy spends several times on a small statement what
SQLite does with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
S = TypeVar("S", sa.Insert, sa.Update)

_PREPARED = "prepared"

_texts: dict[tuple[sa.Executable, tuple[str, ...]], _Text] = {}
"""Only statements that are constants of a module come here, so it does not grow."""


def prepared(statement: S) -> S:
    """A statement that is a constant of its module, returns no rows and is always run with all its parameters."""
    return statement.execution_options(**{_PREPARED: True})


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement as SQLite takes it: each value's name, where it has one that is always the same that one, and its conversion."""

    sql: str
    values: Sequence[tuple[str, Any, Callable[[Any], Any] | None]]

    @classmethod
    def of(cls, statement: sa.Executable, names: tuple[str, ...], dialect: sa.Dialect) -> _Text:
        compiled = cast(sa.ClauseElement, statement).compile(dialect=dialect, column_keys=list(names))
        binds, fixed = compiled.binds, compiled.params  # type: ignore[attr-defined]  # of every SQLCompiler
        values = [
            (name, fixed[name], binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup  # type: ignore[attr-defined]
        ]
        return cls(str(compiled), values)

    def bound(self, parameters: Mapping[str, Any]) -> list[Any]:
        found = []
        for name, fixed, convert in self.values:
            value = parameters.get(name, fixed)
            found.append(value if convert is None else convert(value))
        return found


class DirectConnection:
    """The part of `AsyncConnection` that statements use, on a plain connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        if _PREPARED in statement.get_execution_options() and isinstance(parameters, Mapping):
            return cast("sa.CursorResult[Any]", self._run_prepared(statement, parameters))
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: sa.Executable, parameters: Any = None) -> Any:
        return self._connection.scalar(statement, parameters)

    async def scalars(self, statement: sa.Executable, parameters: Any = None) -> sa.ScalarResult[Any]:
        return self._connection.scalars(statement, parameters)

    async def exec_driver_sql(self, statement: str) -> sa.CursorResult[Any]:
        return self._connection.exec_driver_sql(statement)

    def _run_prepared(self, statement: sa.Executable, parameters: Mapping[str, Any]) -> Any:
        """Something with a `rowcount`. What fails is run again in the long way, which raises the errors that callers know."""
        key = (statement, tuple(parameters))
        text = _texts.get(key)
        if text is None:
            text = _texts[key] = _Text.of(*key, self._connection.dialect)
        driver = cast(sqlite3.Connection, self._connection.connection.driver_connection)
        try:
            return driver.execute(text.sql, text.bound(parameters))
        except sqlite3.Error:
            return self._connection.execute(statement, parameters)


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
