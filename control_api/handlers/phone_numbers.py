"""Phone numbers: create, list, read, change, delete, each with the trunk that its SIP fields describe."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.context import Context, Page
from control_api.errors import conflict, not_found
from control_api.models.base import MASK, PageQuery, iso, iso_or_none
from control_api.models.phone_number import Health, NumberCreate, NumberUpdate, PhoneNumber, Registration
from control_api.services import Services
from control_api.store import agents, calls, phone_numbers, trunks
from control_api.store.phone_numbers import PhoneNumberRow
from control_api.store.tables import calls as calls_table
from control_api.store.trunks import TrunkRow
from control_api.trunk_fields import FIELDS, fields_of, refuse_hosted, sip_of, trunk_from

PLAIN = {"number": "number", "name": "name", "agentId": "agent_id", "metadata": "metadata"}
"""The fields that are kept with the number itself, and their columns."""


async def create_phone_number(context: Context, body: NumberCreate) -> PhoneNumber:
    services, organization_id = context.services, context.organization_id
    refuse_hosted(body.given())
    now = services.now()
    wanted = trunk_from(body.model_dump(by_alias=True), organization_id, services.box, now)
    row = PhoneNumberRow(
        id=body.id or str(uuid.uuid4()),
        organization_id=organization_id,
        number=body.number,
        name=body.name,
        provider=body.provider,
        trunk_id=None,
        agent_id=body.agent_id,
        metadata=body.metadata,
        created_at=now,
        updated_at=now,
    )

    async def write(connection: AsyncConnection) -> PhoneNumber:
        trunk = await trunks.create_or_share(connection, wanted)
        placed = replace(row, trunk_id=trunk.id)
        number = _resource(placed, trunk, services)
        await context.keep(connection, number)
        await _check_agent(connection, organization_id, row.agent_id)
        await _check_free(connection, row)
        if await phone_numbers.id_is_taken(connection, row.id):
            raise conflict("There is a phone number with this id already.")
        await phone_numbers.insert(connection, placed)
        return number

    number = await services.store.write(write)
    await services.directory.refresh()
    return number


async def list_phone_numbers(context: Context, query: PageQuery) -> Page[PhoneNumber]:
    async def read(connection: AsyncConnection) -> tuple[list[PhoneNumber], int]:
        rows, total = await phone_numbers.list_page(connection, context.organization_id, query.limit, query.offset)
        known = await trunks.by_ids(connection, [row.trunk_id for row in rows if row.trunk_id])
        resources = [_resource(row, known[row.trunk_id], context.services) for row in rows if row.trunk_id]
        return resources, total

    items, total = await context.services.store.read(read)
    return Page(items, total, query.limit, query.offset)


async def get_phone_number(context: Context, phone_number_id: str) -> PhoneNumber:
    async def read(connection: AsyncConnection) -> PhoneNumber:
        row, trunk = await _find(connection, context.organization_id, phone_number_id)
        return _resource(row, trunk, context.services)

    return await context.services.store.read(read)


async def update_phone_number(context: Context, body: NumberUpdate, phone_number_id: str) -> PhoneNumber:
    services, now = context.services, context.services.now()
    given = body.given()
    refuse_hosted(given)
    plain = {column: given[name] for name, column in PLAIN.items() if name in given}

    async def write(connection: AsyncConnection) -> PhoneNumber:
        found, trunk = await _find(connection, context.organization_id, phone_number_id)
        row = replace(found, **plain, updated_at=now)
        await _check_agent(connection, row.organization_id, row.agent_id)
        if row.number != found.number:
            await _check_free(connection, row)
        if FIELDS & set(given):
            trunk = await trunks.create_or_share(connection, _changed(services, trunk, given, now))
            row = replace(row, trunk_id=trunk.id)
        await phone_numbers.update(connection, row)
        if found.trunk_id and found.trunk_id != row.trunk_id:
            await trunks.delete_if_unused(connection, found.trunk_id)
        return _resource(row, trunk, services)

    number = await services.store.write(write)
    await services.directory.refresh()
    return number


async def delete_phone_number(context: Context, phone_number_id: str) -> None:
    now = context.services.now()

    async def write(connection: AsyncConnection) -> None:
        _, trunk = await _find(connection, context.organization_id, phone_number_id)
        if await calls.has_live(connection, calls_table.c.phone_number_id, phone_number_id):
            raise conflict("The number has calls that are not over.")
        await phone_numbers.delete(connection, phone_number_id, now)
        await trunks.delete_if_unused(connection, trunk.id)

    await context.services.store.write(write)
    await context.services.directory.refresh()


async def _find(
    connection: AsyncConnection, organization_id: str, phone_number_id: str
) -> tuple[PhoneNumberRow, TrunkRow]:
    row = await phone_numbers.get(connection, organization_id, phone_number_id)
    trunk = await trunks.get(connection, row.trunk_id) if row is not None and row.trunk_id else None
    if row is None or trunk is None:
        raise not_found("phone number")
    return row, trunk


async def _check_agent(connection: AsyncConnection, organization_id: str, agent_id: str | None) -> None:
    if agent_id is not None and await agents.get(connection, organization_id, agent_id) is None:
        raise not_found("agent")


async def _check_free(connection: AsyncConnection, row: PhoneNumberRow) -> None:
    if await phone_numbers.by_number(connection, row.number) is not None:
        raise conflict(f"The number {row.number} is in use.")


def _changed(services: Services, trunk: TrunkRow, given: Mapping[str, Any], now: int) -> TrunkRow:
    """The trunk that a number has after a change. What is not given stays, the password too while the mode does."""
    fields = fields_of(trunk)
    if given.get("sipMode", trunk.mode) != trunk.mode:
        fields = {"sipPort": 5060, "sipRegisterTransport": "udp", "sipProtocol": "udp"}
    fields |= {name: value for name, value in given.items() if name in FIELDS}
    if fields.get("sipPassword") == MASK:
        fields["sealedPassword"] = trunk.password
    return trunk_from(fields, trunk.organization_id, services.box, now)


def _resource(row: PhoneNumberRow, trunk: TrunkRow, services: Services) -> PhoneNumber:
    return PhoneNumber(
        id=row.id,
        name=row.name,
        number=row.number,
        provider="sip",
        sip_mode="registration" if trunk.mode == "registration" else "ip_allowlist",
        agent_id=row.agent_id,
        created_at=iso(row.created_at),
        updated_at=iso(row.updated_at),
        organization_id=row.organization_id,
        trunk_id=trunk.id,
        metadata=dict(row.metadata),
        sip=sip_of(trunk),
        registration=_registration(trunk, services),
        health=_health(trunk, services),
    )


def _registration(trunk: TrunkRow, services: Services) -> Registration | None:
    """A trunk that is being written is not followed yet: it will be in a moment."""
    if trunk.mode != "registration" or services.trunk_states is None:
        return None
    state = services.trunk_states.registration(trunk.id)
    if state is None:
        return Registration(status="registering", expires_at=None, last_error=None)
    return Registration(status=state.status, expires_at=iso_or_none(state.expires_at), last_error=state.last_error)


def _health(trunk: TrunkRow, services: Services) -> Health | None:
    health = None if services.trunk_states is None else services.trunk_states.health(trunk.id)
    if health is None:
        return None
    return Health(
        status=health.status,
        checked_at=iso_or_none(health.checked_at),
        round_trip_ms=health.round_trip_ms,
        last_error=health.last_error,
    )
