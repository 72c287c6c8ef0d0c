"""Calls. Every change of a call says in its own statement which status it may leave, so a final call stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import page
from control_api.store.direct import prepared
from control_api.store.tables import agents, calls, transfers

LIVE = ("queued", "ringing", "in_progress")
FINAL = ("completed", "failed", "no_answer")


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as it is kept. `analysis`, `quality` and `latency` are JSON objects in the contract's names."""

    id: str
    organization_id: str
    direction: str
    status: str
    customer_number: str
    agent_number: str
    created_at: int
    agent_id: str | None = None
    phone_number_id: str | None = None
    node: str | None = None
    provider: str = "sip"
    ended_reason: str | None = None
    sip_call_id: str | None = None
    context_variables: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    captured: Mapping[str, Any] = field(default_factory=dict)
    analysis: Mapping[str, Any] | None = None
    turn_count: int = 0
    latency: Mapping[str, Any] | None = None
    quality: Mapping[str, Any] | None = None
    sip_code: int | None = None
    sip_reason: str | None = None
    opt_out: bool = False
    cost: int | None = None
    ring_timeout_seconds: int = 60
    recorded_at: int | None = None
    recording_until: int | None = None
    scheduled_at: int | None = None
    expires_at: int | None = None
    dialing_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None

    @property
    def recording_deleted(self) -> bool:
        """It had a recording, whose time is over."""
        return self.recorded_at is None and self.recording_until is not None


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; None asks for nothing. Times are half open: from `created_after` on, before `created_before`.

    `metadata` pairs a key with the JSON texts that its value may have.
    """

    status: str | None = None
    direction: str | None = None
    agent_id: str | None = None
    phone_number_id: str | None = None
    customer_number: str | None = None
    created_after: int | None = None
    created_before: int | None = None
    metadata: Sequence[tuple[str, Sequence[str]]] = ()


# Built once: a statement costs more to build than to run, and these run several times in every call.
_INSERT = prepared(sa.insert(calls))
_COLUMNS = tuple(column.name for column in fields(CallRow))
_BY_ID = sa.select(calls).where(calls.c.id == sa.bindparam("call_id"))
_RINGING = prepared(sa.update(calls).where(calls.c.id == sa.bindparam("call_id"), calls.c.status == "queued"))
_ANSWERED = prepared(
    sa.update(calls).where(
        calls.c.id == sa.bindparam("call_id"), sa.or_(calls.c.status == "queued", calls.c.status == "ringing")
    )
)
# `IN` with a list is written anew for each run; comparisons are not.
_IS_LIVE = sa.or_(*(calls.c.status == status for status in LIVE))
_WHILE_LIVE = prepared(sa.update(calls).where(calls.c.id == sa.bindparam("call_id"), _IS_LIVE))
_FINAL = (
    sa.select(
        calls.c.id,
        calls.c.organization_id,
        calls.c.agent_id,
        calls.c.direction,
        calls.c.started_at,
        agents.c.settings["postCallWebhookUrl"].as_string(),
        sa.exists().where(transfers.c.call_id == calls.c.id, transfers.c.ended_at.is_(None)),
    )
    .select_from(calls.outerjoin(agents, agents.c.id == calls.c.agent_id))
    .where(calls.c.id == sa.bindparam("call_id"))
)
_CAPTURED = (
    sa.select(calls.c.captured).where(calls.c.id == sa.bindparam("call_id"), calls.c.status.in_(LIVE)).with_for_update()
)


async def insert(connection: AsyncConnection, row: CallRow) -> None:
    """Raises IntegrityError when the id is taken."""
    await connection.execute(_INSERT, {name: getattr(row, name) for name in _COLUMNS})


async def get(connection: AsyncConnection, organization_id: str, call_id: str) -> CallRow | None:
    query = sa.select(calls).where(calls.c.organization_id == organization_id, calls.c.id == call_id)
    found = (await connection.execute(query)).first()
    return CallRow(**found._asdict()) if found else None


async def get_any(connection: AsyncConnection, call_id: str) -> CallRow | None:
    """A call, whosever it is."""
    found = (await connection.execute(_BY_ID, {"call_id": call_id})).first()
    return CallRow(**found._asdict()) if found else None


async def list_page(
    connection: AsyncConnection, organization_id: str, wanted: CallFilter, limit: int, offset: int
) -> tuple[list[CallRow], int]:
    rows, total = await page.fetch(connection, calls, _conditions(organization_id, wanted), limit, offset)
    return [CallRow(**row) for row in rows], total


async def count_queued(connection: AsyncConnection) -> int:
    """How many calls of all organizations wait to be placed."""
    query = sa.select(sa.func.count()).select_from(calls).where(calls.c.status == "queued")
    return await connection.scalar(query) or 0


async def has_live(connection: AsyncConnection, column: sa.ColumnElement[str], value: str) -> bool:
    """Whether a call that is not over has this value, such as an agent."""
    query = sa.select(calls.c.id).where(column == value, calls.c.status.in_(LIVE)).limit(1)
    return await connection.scalar(query) is not None


async def held_by(connection: AsyncConnection, node: str) -> list[CallRow]:
    """The calls that this node had in hand: being dialled, ringing or answered."""
    query = sa.select(calls).where(
        calls.c.node == node,
        calls.c.status.in_(LIVE),
        sa.or_(calls.c.status != "queued", calls.c.dialing_at.is_not(None)),
    )
    return [CallRow(**row._asdict()) for row in await connection.execute(query)]


async def begin_dialling(connection: AsyncConnection, call_id: str, node: str, now: int) -> CallRow | None:
    """Mark a queued call as being dialled, once and for all; None when it was before, or is no longer queued.

    The INVITE may be sent when this is committed, and only then: a call is dialled at most once (DESIGN, decision 6).
    """
    change = (
        sa.update(calls)
        .where(calls.c.id == call_id, calls.c.status == "queued", calls.c.dialing_at.is_(None))
        .values(dialing_at=now, node=node)
    )
    if (await connection.execute(change)).rowcount == 0:
        return None
    return await get_any(connection, call_id)


async def ringing(connection: AsyncConnection, call_id: str, sip_call_id: str) -> bool:
    """False when the call was past that already."""
    values = {"call_id": call_id, "status": "ringing", "sip_call_id": sip_call_id}
    return (await connection.execute(_RINGING, values)).rowcount == 1


async def answered(connection: AsyncConnection, call_id: str, sip_call_id: str, at: int) -> bool:
    """False when the call was answered before, or is over."""
    values = {"call_id": call_id, "status": "in_progress", "sip_call_id": sip_call_id, "started_at": at}
    return (await connection.execute(_ANSWERED, values)).rowcount == 1


async def merge_captured(connection: AsyncConnection, call_id: str, values: Mapping[str, Any]) -> None:
    """Add to what the conversation has learnt, newer values over older ones."""
    known = (await connection.execute(_CAPTURED, {"call_id": call_id})).scalar_one_or_none()
    if known is not None:
        await connection.execute(_WHILE_LIVE, {"call_id": call_id, "captured": {**known, **values}})


@dataclass(frozen=True, slots=True)
class FinalCall:
    """What decides what follows a call's end, asked for at once: nearly all calls end alike.

    `webhook_url` is its agent's, also where that is deleted; `in_transfer`: a transfer of it is not over.
    """

    id: str
    organization_id: str
    agent_id: str | None
    direction: str
    started_at: int | None
    webhook_url: str | None
    in_transfer: bool


async def end(connection: AsyncConnection, call_id: str, values: Mapping[str, Any]) -> FinalCall | None:
    """Make a call final with these columns, status among them; None when it is final already, or unknown."""
    if (await connection.execute(_WHILE_LIVE, {"call_id": call_id, **values})).rowcount == 0:
        return None
    return FinalCall(*(await connection.execute(_FINAL, {"call_id": call_id})).one())


async def set_analysis(connection: AsyncConnection, call_id: str, analysis: Mapping[str, Any]) -> None:
    await connection.execute(sa.update(calls).where(calls.c.id == call_id).values(analysis=analysis))


async def set_recorded(connection: AsyncConnection, call_id: str, at: int, until: int) -> None:
    """The recording can be fetched from now on, by its link until `until`."""
    change = sa.update(calls).where(calls.c.id == call_id)
    await connection.execute(change.values(recorded_at=at, recording_until=until))


@dataclass(frozen=True, slots=True)
class CallEnded:
    """When a call of an agent was over."""

    id: str
    agent_id: str
    ended_at: int


async def ends_of(connection: AsyncConnection, call_ids: Sequence[str]) -> list[CallEnded]:
    """Of these calls, those that an agent had and that are over."""
    columns = (calls.c.id, calls.c.agent_id, calls.c.ended_at)
    known = (calls.c.agent_id.is_not(None), calls.c.ended_at.is_not(None))
    query = sa.select(*columns).where(calls.c.id.in_(call_ids), *known)
    return [CallEnded(**row._asdict()) for row in await connection.execute(query)]


async def forget_recordings(connection: AsyncConnection, call_ids: Sequence[str]) -> None:
    """These calls have no recording any more. That they had one is told by `recording_until`, which stays."""
    change = sa.update(calls).where(calls.c.id.in_(call_ids))
    await connection.execute(change.values(recorded_at=None))


def _conditions(organization_id: str, wanted: CallFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [calls.c.organization_id == organization_id]
    for name in ("status", "direction", "agent_id", "phone_number_id", "customer_number"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(calls.c[name] == value)
    if wanted.created_after is not None:
        conditions.append(calls.c.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(calls.c.created_at < wanted.created_before)
    return conditions + [_metadata_is(key, texts) for key, texts in wanted.metadata]


def _metadata_is(key: str, texts: Sequence[str]) -> sa.ColumnElement[bool]:
    """Both databases know `->` with a key, and give JSON text: so `true`, `5` and `"5"` stay apart."""
    value = calls.c.metadata.op("->", return_type=sa.Text)(sa.literal(key, sa.String))
    return sa.cast(value, sa.Text).in_(texts)
