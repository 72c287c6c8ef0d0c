"""Transfers: to whom an agent may hand callers over, and the order to do it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import JSONResponse

from control_api.context import Context
from control_api.errors import conflict, invalid, not_found
from control_api.handlers.agents import check_transfers, find_agent
from control_api.handlers.calls import find_call, get_call
from control_api.models.call import Call
from control_api.models.transfer import CallTransfer, TransferTargets
from control_api.store import agents
from control_api.store.calls import CallRow
from sipserver.protocols import TransferMode, TransferOrder, TransferTarget


async def replace_transfer_targets(context: Context, body: TransferTargets, agent_id: str) -> JSONResponse:
    """The whole list. Calls that are under way keep the one that they began with."""
    services = context.services
    before = await find_agent(context, agent_id)
    targets = body.given()["transferTargets"]
    changed = {**before.settings, "transferTargets": targets}
    await check_transfers(context, agent_id, changed, ["transferTargets"])

    async def write(connection: AsyncConnection) -> None:
        found = await agents.get(connection, context.organization_id, agent_id)
        if found is None:
            raise not_found("agent")
        settings = {**found.settings, "transferTargets": targets}
        await agents.update(connection, replace(found, settings=settings, updated_at=services.now()))

    await services.store.write(write)
    await services.directory.refresh()
    return JSONResponse({"success": True, **({"warnings": context.warnings} if context.warnings else {})})


async def transfer_call(context: Context, body: CallTransfer, call_id: str) -> Call:
    """The agent lets go of the caller and hands over; how it goes is told by the call's `transferCalls`."""
    services = context.services
    row = await services.store.read(lambda connection: find_call(connection, context, call_id))
    order = TransferOrder(_target(context, row, body), body.briefing)
    if not await services.dialler.transfer(row.id, order):
        raise conflict(
            "Only a call that is answered, and with an agent that speaks with the caller, can be transferred."
        )
    return await get_call(context, row.id)


def _target(context: Context, row: CallRow, body: CallTransfer) -> TransferTarget:
    """Raises ApiError: 400 for what is no target, 403 for what must not be dialled, 404 for an agent that is not there."""
    services = context.services
    if body.label is not None:
        agent = services.directory.agent(row.agent_id)
        found = agent.transfer_target(body.label) if agent else None
        if found is None:
            raise invalid(("label", "The call's agent has no transfer target of this label."))
        return replace(found, mode=TransferMode(body.mode)) if body.mode and found.agent_id is None else found
    if body.target_agent_id is not None:
        colleague = services.directory.agent(body.target_agent_id)
        if colleague is None or colleague.organization_id != context.organization_id:
            raise not_found("agent")
        return TransferTarget(colleague.name, TransferMode.AGENT, agent_id=colleague.id)
    to = body.number or ""
    trunk = services.directory.trunk_of_number(row.phone_number_id)
    region = trunk.options.region if trunk else None
    services.dialling.check(to, row.agent_number, services.directory.own_numbers(), region)
    return TransferTarget(to, TransferMode(body.mode or "cold"), number=to)
