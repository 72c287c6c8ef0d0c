"""What was said in a call, and what went wrong in it: rows that are only ever added."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store.direct import prepared
from control_api.store.tables import call_problems, calls, utterances
from sipserver.protocols import Problem, Utterance

FINAL = ("completed", "failed", "no_answer")


def _adding(table: sa.Table, *columns: str) -> sa.Insert:
    """Adds a row unless the call is final: the condition is in the statement, so nothing comes between question and writing."""
    values = [sa.bindparam(name, type_=table.c[name].type) for name in columns]
    source = sa.select(calls.c.id, *values).where(calls.c.id == sa.bindparam("of_call"), calls.c.status.not_in(FINAL))
    return prepared(sa.insert(table).from_select(["call_id", *columns], source))


_ADD_UTTERANCE = _adding(utterances, "role", "content", "start_ms", "end_ms", "interrupted")
_ADD_PROBLEM = _adding(call_problems, "at", "part", "message")


async def append(connection: AsyncConnection, call_id: str, item: Utterance) -> None:
    """Add to the transcript, unless the call is final."""
    values = {
        "of_call": call_id,
        "role": item.role,
        "content": item.text,
        "start_ms": item.start_ms,
        "end_ms": item.end_ms,
        "interrupted": item.interrupted,
    }
    await connection.execute(_ADD_UTTERANCE, values)


async def append_problem(connection: AsyncConnection, call_id: str, problem: Problem) -> None:
    """Add to the call's problems, unless the call is final."""
    values = {"of_call": call_id, "at": problem.at, "part": problem.part, "message": problem.message}
    await connection.execute(_ADD_PROBLEM, values)


async def of_call(connection: AsyncConnection, call_id: str) -> list[Utterance]:
    """The transcript in the order in which it was written."""
    rows = await connection.execute(
        sa.select(utterances).where(utterances.c.call_id == call_id).order_by(utterances.c.id)
    )
    return [Utterance(row.role, row.content, row.start_ms, row.end_ms, row.interrupted) for row in rows]


async def problems_of(connection: AsyncConnection, call_id: str) -> list[Problem]:
    rows = await connection.execute(
        sa.select(call_problems).where(call_problems.c.call_id == call_id).order_by(call_problems.c.id)
    )
    return [Problem(row.at, row.part, row.message) for row in rows]


async def problems_of_calls(connection: AsyncConnection, call_ids: Sequence[str]) -> dict[str, list[Problem]]:
    """The problems of several calls, by call; calls without any are not in it."""
    query = sa.select(call_problems).where(call_problems.c.call_id.in_(call_ids)).order_by(call_problems.c.id)
    found: dict[str, list[Problem]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.call_id, []).append(Problem(row.at, row.part, row.message))
    return found


async def last_ms(connection: AsyncConnection, call_id: str) -> int:
    """The last position that the transcript knows of, in milliseconds of the recording; 0 when nothing was said."""
    query = sa.select(sa.func.max(utterances.c.end_ms)).where(utterances.c.call_id == call_id)
    return await connection.scalar(query) or 0
