"""Trunks by themselves: create, list, read, change, delete."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.context import Context, Page
from control_api.errors import ApiError, conflict, from_validation, not_found
from control_api.models.base import PageQuery
from control_api.models.trunk import OPTIONS, Trunk, TrunkCreate, TrunkOptions, TrunkUpdate
from control_api.models.trunk_check import Step, TrunkTest, TrunkTrial
from control_api.store import agents, trunks
from control_api.store.trunks import TrunkRow
from control_api.trial_call import trial_call
from control_api.trunk_fields import FIELDS, INBOUND, changed, trunk_from
from control_api.trunk_view import trunk_resource


async def create_trunk(context: Context, body: TrunkCreate) -> Trunk:
    services, given = context.services, body.given()
    made = trunk_from(body.model_dump(by_alias=True), context.organization_id, services.box, services.now())
    row = replace(made, id=body.id or str(uuid.uuid4()), name=body.name, options=_options({}, given), standalone=True)
    trunk = trunk_resource(row, 0, services)

    async def write(connection: AsyncConnection) -> None:
        await context.keep(connection, trunk)
        await _check_agent(connection, row)
        if await trunks.get(connection, row.id) is not None:
            raise conflict("There is a trunk with this id already.")
        await _check_alone(connection, row)
        await trunks.insert(connection, row)

    await services.store.write(write)
    await services.directory.refresh()
    return trunk


async def list_trunks(context: Context, query: PageQuery) -> Page[Trunk]:
    async def read(connection: AsyncConnection) -> Page[Trunk]:
        rows, total = await trunks.list_page(connection, context.organization_id, query.limit, query.offset)
        counts = await trunks.counts(connection, [row.id for row in rows])
        items = [trunk_resource(row, counts.get(row.id, 0), context.services) for row in rows]
        return Page(items, total, query.limit, query.offset)

    return await context.services.store.read(read)


async def get_trunk(context: Context, trunk_id: str) -> Trunk:
    async def read(connection: AsyncConnection) -> Trunk:
        row = await find_trunk(connection, context, trunk_id)
        return await _counted(connection, context, row)

    return await context.services.store.read(read)


async def update_trunk(context: Context, body: TrunkUpdate, trunk_id: str) -> Trunk:
    services, given, now = context.services, body.given(), context.services.now()

    async def write(connection: AsyncConnection) -> Trunk:
        found = await find_trunk(connection, context, trunk_id)
        row = replace(found, options=_options(found.options, given), name=given.get("name", found.name), updated_at=now)
        if {*FIELDS, *INBOUND, "transport"} & set(given):
            kept = {name: getattr(row, name) for name in ("id", "created_at", "name", "options", "standalone")}
            row = replace(changed(row, _chosen(given), services.box, now), **kept)
        await _check_agent(connection, row)
        await _check_alone(connection, row)
        await trunks.update(connection, row)
        return await _counted(connection, context, row)

    trunk = await services.store.write(write)
    await services.directory.refresh()
    return trunk


async def test_trunk(context: Context, body: TrunkTrial, trunk_id: str) -> TrunkTest:
    """One test of a trunk at a time: it sends requests, and whoever asks twice would only be banned."""
    services = context.services
    await services.store.read(lambda connection: find_trunk(connection, context, trunk_id))
    trunk, running = services.directory.trunk(trunk_id), services.trunks_in_test
    if trunk is None or services.trunk_tester is None:
        raise ApiError(503, "Trunks cannot be tested now.")
    call = None if body.to is None else trial_call(services, trunk, body.to)
    if trunk_id in running:
        raise conflict("This trunk is being tested.")
    running.add(trunk_id)
    try:
        steps = await services.trunk_tester.check(trunk, call)
    finally:
        running.discard(trunk_id)
    found = [Step.model_validate(asdict(step), strict=False) for step in steps]
    return TrunkTest(ok=all(step.ok for step in found), steps=found)


async def delete_trunk(context: Context, trunk_id: str) -> None:
    async def write(connection: AsyncConnection) -> None:
        await find_trunk(connection, context, trunk_id)
        if await trunks.counts(connection, [trunk_id]):
            raise conflict("Numbers come by this trunk; delete them, or give them another trunk, first.")
        await trunks.delete(connection, trunk_id)

    await context.services.store.write(write)
    await context.services.directory.refresh()


async def find_trunk(connection: AsyncConnection, context: Context, trunk_id: str) -> TrunkRow:
    """The trunk, if the key's organization has it. Raises ApiError 404."""
    row = await trunks.get(connection, trunk_id)
    if row is None or row.organization_id != context.organization_id:
        raise not_found("trunk")
    return row


async def _counted(connection: AsyncConnection, context: Context, row: TrunkRow) -> Trunk:
    counts = await trunks.counts(connection, [row.id])
    return trunk_resource(row, counts.get(row.id, 0), context.services)


def _options(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options after a change, checked together. Raises ApiError 400."""
    options = {**before, **{name: value for name, value in given.items() if name in OPTIONS}}
    try:
        TrunkOptions.model_validate(options)
    except ValidationError as error:
        raise from_validation(error) from None
    return options


def _chosen(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """`transport` before the field of the mode: what was read as `auto` is sent back beside a `udp`."""
    return given if given.get("transport") else {name: value for name, value in given.items() if name != "transport"}


async def _check_agent(connection: AsyncConnection, row: TrunkRow) -> None:
    agent_id = row.options.get("catchAllAgentId")
    if agent_id is not None and await agents.get(connection, row.organization_id, agent_id) is None:
        raise not_found("agent")


async def _check_alone(connection: AsyncConnection, row: TrunkRow) -> None:
    """One user at one registrar is one registration; the same sources twice would not tell whose a call is."""
    other = await trunks.by_identity(connection, row.organization_id, row.identity)
    if other is not None and other.id != row.id:
        raise conflict(f"There is a trunk with this user and registrar, or these sources, already: {other.id}.")
    if row.inbound_username is not None:
        guest = await trunks.by_inbound_username(connection, row.inbound_username)
        if guest is not None and guest.id != row.id:
            raise conflict("There is a trunk with this inboundUsername already.")
