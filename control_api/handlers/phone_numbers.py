"""Phone numbers: create, list, read, change, delete, each with the trunk that its SIP fields describe."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.context import Context, Page
from control_api.errors import conflict, invalid, not_found
from control_api.models.base import PageQuery, iso
from control_api.models.phone_number import NumberCreate, NumberUpdate, PhoneNumber
from control_api.models.reception import Fallback, OpeningHours
from control_api.services import Services
from control_api.store import agents, calls, phone_numbers, trunks
from control_api.store.phone_numbers import PhoneNumberRow
from control_api.store.tables import calls as calls_table
from control_api.store.trunks import TrunkRow
from control_api.trunk_fields import FIELDS, changed, refuse_hosted, sip_of, trunk_from
from control_api.trunk_view import health_of, registration_of

PLAIN = {
    "number": "number",
    "name": "name",
    "agentId": "agent_id",
    "metadata": "metadata",
    "openingHours": "opening_hours",
    "fallback": "fallback",
    "blockedCallers": "blocked_callers",
}
"""The fields that are kept with the number itself, and their columns."""


async def create_phone_number(context: Context, body: NumberCreate) -> PhoneNumber:
    services, organization_id = context.services, context.organization_id
    given = body.given()
    refuse_hosted(given)
    now = services.now()
    wanted = None if body.trunk_id else trunk_from(body.model_dump(by_alias=True), organization_id, services.box, now)
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
        opening_hours=given.get("openingHours"),
        fallback=given.get("fallback"),
        blocked_callers=given.get("blockedCallers", []),
    )

    async def write(connection: AsyncConnection) -> PhoneNumber:
        if wanted is None:
            trunk = await _named(connection, organization_id, given)
        else:
            trunk = await trunks.create_or_share(connection, wanted)
        _check_form(row.number, trunk)
        _check_fallback(services, row, trunk)
        placed = replace(row, trunk_id=trunk.id)
        number = _resource(placed, trunk, services)
        await context.keep(connection, number)
        await _check_agents(connection, row)
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
        await _check_agents(connection, row)
        if row.number != found.number:
            await _check_free(connection, row)
        trunk = await _trunk_after(connection, services, trunk, given, now)
        _check_form(row.number, trunk)
        _check_fallback(services, row, trunk)
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


async def _check_agents(connection: AsyncConnection, row: PhoneNumberRow) -> None:
    hours, fallback = row.opening_hours or {}, row.fallback or {}
    for agent_id in (row.agent_id, hours.get("closedAgentId"), fallback.get("agentId")):
        if agent_id is not None and await agents.get(connection, row.organization_id, agent_id) is None:
            raise not_found("agent")


def _check_fallback(services: Services, row: PhoneNumberRow, trunk: TrunkRow) -> None:
    """Calls are handed on at our cost: what may not be dialled is refused now. Raises ApiError 400 or 403.

    An extension is at home where its trunk is.
    """
    number = (row.fallback or {}).get("number")
    if number is not None:
        services.dialling.check(number, row.number, services.directory.own_numbers(), trunk.options.get("region"))


def _check_form(number: str, trunk: TrunkRow) -> None:
    if not number.startswith("+") and trunk.options.get("numberFormat") != "raw":
        raise invalid(
            ("number", "must be in E.164, with a plus sign; extensions are for trunks whose numberFormat is raw")
        )


async def _named(connection: AsyncConnection, organization_id: str, given: Mapping[str, Any]) -> TrunkRow:
    """The trunk that `trunkId` names; its SIP fields are its own. Raises ApiError."""
    trunk = await trunks.get(connection, given["trunkId"])
    if trunk is None or trunk.organization_id != organization_id:
        raise not_found("trunk")
    beside = sorted(name for name in FIELDS - {"sipMode"} if given.get(name) is not None)
    if given.get("sipMode", trunk.mode) != trunk.mode:
        beside.append("sipMode")
    if beside:
        raise invalid(*((name, "belongs to the trunk that trunkId names; change it there") for name in beside))
    return trunk


async def _trunk_after(
    connection: AsyncConnection, services: Services, trunk: TrunkRow, given: Mapping[str, Any], now: int
) -> TrunkRow:
    """The trunk that a number has after a change: another one, the same one, or one that the SIP fields describe."""
    if given.get("trunkId") not in (None, trunk.id):
        return await _named(connection, trunk.organization_id, given)
    if not FIELDS & set(given):
        return trunk
    # Inbound credentials are the trunk's own: another one that a number's fields describe has none.
    bare = replace(trunk, inbound_username=None, inbound_password=None)
    wanted = changed(bare, given, services.box, now)
    return await trunks.create_or_share(connection, wanted)


async def _check_free(connection: AsyncConnection, row: PhoneNumberRow) -> None:
    if await phone_numbers.by_number(connection, row.number) is not None:
        raise conflict(f"The number {row.number} is in use.")


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
        opening_hours=None if row.opening_hours is None else OpeningHours.model_validate(row.opening_hours),
        fallback=None if row.fallback is None else Fallback.model_validate(row.fallback),
        blocked_callers=list(row.blocked_callers),
        sip=sip_of(trunk),
        registration=registration_of(trunk, services),
        health=health_of(trunk, services),
    )
