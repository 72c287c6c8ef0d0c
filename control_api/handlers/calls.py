"""Calls: place, list, read, end."""

from __future__ import annotations

import json
import re
import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.call_view import call_item, call_resource, is_over
from control_api.context import Context, Page
from control_api.errors import busy, conflict, invalid, not_found
from control_api.models.base import micros
from control_api.models.call import Call, CallCreate, CallItem, CallQuery, Transcript
from control_api.services import DAY, SECOND, Services
from control_api.store import calls, outbox, phone_numbers, transcripts, transfers
from control_api.store.calls import CallFilter, CallRow
from control_api.transfer_view import transcript_items
from sipserver.protocols import Trunk

RETRY_AFTER = 10
FARTHEST = 365 * DAY
_METADATA_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_ -]{0,63}", re.ASCII)
"""What SQLite's and PostgreSQL's `->` both read as a key, and not as a path or an index."""


async def create_call(context: Context, body: CallCreate) -> Call:
    services = context.services
    _refuse_unavailable(body)
    row = await _new_call(context, body)
    call = call_resource(row, (), (), (), services.links)

    async def write(connection: AsyncConnection) -> None:
        await context.keep(connection, call)
        if await calls.count_queued(connection) >= services.dialling.max_queue:
            raise busy("The queue of calls to be placed is full.", RETRY_AFTER)
        if await calls.get_any(connection, row.id) is not None:
            raise conflict("There is a call with this id already.")
        await calls.insert(connection, row)
        await outbox.after_creation(connection, row, row.created_at)

    await services.store.write(write)
    services.poke_jobs()
    return call


async def list_calls(context: Context, query: CallQuery) -> Page[CallItem]:
    wanted = CallFilter(
        status=query.status,
        direction=query.direction,
        agent_id=query.agent_id,
        phone_number_id=query.phone_number_id,
        customer_number=query.customer_number,
        created_after=None if query.created_after is None else micros(query.created_after),
        created_before=None if query.created_before is None else micros(query.created_before),
        metadata=_metadata_filters(query),
    )

    async def read(connection: AsyncConnection) -> Page[CallItem]:
        rows, total = await calls.list_page(connection, context.organization_id, wanted, query.limit, query.offset)
        problems = await transcripts.problems_of_calls(connection, [row.id for row in rows])
        handed_over = await transfers.of_calls(connection, [row.id for row in rows])
        links = context.services.links
        items = [call_item(row, problems.get(row.id, ()), handed_over.get(row.id, ()), links) for row in rows]
        return Page(items, total, query.limit, query.offset)

    return await context.services.store.read(read)


async def get_call(context: Context, call_id: str) -> Call:
    async def read(connection: AsyncConnection) -> Call:
        row = await find_call(connection, context, call_id)
        spoken = await transcripts.of_call(connection, row.id)
        problems = await transcripts.problems_of(connection, row.id)
        handed_over = await transfers.of_call(connection, row.id)
        return call_resource(row, spoken, problems, handed_over, context.services.links)

    return await context.services.store.read(read)


async def get_transcript(context: Context, call_id: str) -> Transcript:
    async def read(connection: AsyncConnection) -> Transcript:
        row = await find_call(connection, context, call_id)
        return Transcript(call_id=row.id, transcript=transcript_items(await transcripts.of_call(connection, row.id)))

    return await context.services.store.read(read)


async def end_call(context: Context, call_id: str) -> Call:
    """A call that is over stays as it is, and is answered as it is."""
    services = context.services
    row = await services.store.read(lambda connection: find_call(connection, context, call_id))
    if not is_over(row) and not await services.call_log.cancel(row.id) and not await services.dialler.hang_up(row.id):
        row = await services.store.read(lambda connection: find_call(connection, context, call_id))
        if not is_over(row):
            raise conflict("The call is just being placed; try again in a second.")
    return await get_call(context, row.id)


async def find_call(connection: AsyncConnection, context: Context, call_id: str) -> CallRow:
    """The call, if the key's organization has it; a signed link names the call that it opens. Raises ApiError 404."""
    if context.key is None:
        row = await calls.get_any(connection, call_id)
    else:
        row = await calls.get(connection, context.organization_id, call_id)
    if row is None:
        raise not_found("call")
    return row


async def _new_call(context: Context, body: CallCreate) -> CallRow:
    """The row of a call that may be placed. Raises ApiError for every reason against it."""
    services, organization_id = context.services, context.organization_id
    now = services.now()
    number = await services.store.read(
        lambda connection: phone_numbers.get(connection, organization_id, body.phone_number_id)
    )
    trunk = services.directory.trunk_of_number(body.phone_number_id)
    if number is None or trunk is None:
        raise not_found("phone number")
    _check_trunk(trunk)
    await _check_agent(services, organization_id, body.agent_id)
    services.dialling.check(body.to, number.number, services.directory.own_numbers(), trunk.options.region)
    _check_accepting(services)
    scheduled = _scheduled(body, now)
    return CallRow(
        id=body.id or str(uuid.uuid4()),
        organization_id=organization_id,
        agent_id=body.agent_id,
        phone_number_id=number.id,
        direction="outbound",
        status="queued",
        customer_number=body.to,
        agent_number=number.number,
        context_variables=body.context_variables,
        metadata=body.metadata,
        ring_timeout_seconds=body.ring_timeout_seconds
        or trunk.options.ring_timeout_seconds
        or services.ring_timeout_seconds,
        created_at=now,
        scheduled_at=scheduled,
        expires_at=max(now, scheduled or now) + body.max_queue_seconds * SECOND,
    )


def _refuse_unavailable(body: CallCreate) -> None:
    given = {"retry": body.retry, "callingWindow": body.calling_window}
    problems = [(name, "is not available yet") for name, value in given.items() if value is not None]
    if problems:
        raise invalid(*problems)


def _scheduled(body: CallCreate, now: int) -> int | None:
    if body.scheduled_at is None:
        return None
    at = micros(body.scheduled_at)
    if at > now + FARTHEST:
        raise invalid(("scheduledAt", "must be within a year"))
    return at


async def _check_agent(services: Services, organization_id: str, agent_id: str) -> None:
    agent = services.directory.agent(agent_id)
    if agent is None or agent.organization_id != organization_id:
        raise not_found("agent")
    if not agent.is_active:
        raise conflict("The agent is not active.")
    problems = await services.checks.readiness(agent)
    if problems:
        raise conflict(f"The agent is not ready: {' '.join(problems)}")


def _check_trunk(trunk: Trunk) -> None:
    if not trunk.host:
        raise conflict("The number's sipIp names only blocks of addresses, so there is no machine to send a call to.")


def _check_accepting(services: Services) -> None:
    reason = services.call_log.accepting()
    if services.draining():
        reason = "The node is going down."
    if reason is not None:
        raise busy(reason, RETRY_AFTER)


def _metadata_filters(query: CallQuery) -> list[tuple[str, tuple[str, ...]]]:
    """`metadata.<key>=<value>`: a text, or the number or truth value that is written so."""
    filters: list[tuple[str, tuple[str, ...]]] = []
    for name, value in (query.model_extra or {}).items():
        if name.startswith("metadata."):
            key = name.removeprefix("metadata.")
            if not _METADATA_KEY.fullmatch(key):
                raise invalid((name, "calls cannot be filtered by such a key"))
            filters.append((key, (json.dumps(value, ensure_ascii=False), value)))
    return filters
