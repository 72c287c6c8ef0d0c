"""Agents: create, list, read, change, delete."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.context import Context, Page
from control_api.errors import conflict, invalid, not_found
from control_api.models.agent import Agent, AgentCreate, AgentSettings, AgentUpdate, Readiness
from control_api.models.base import MASK, PageQuery, iso
from control_api.models.transfer import Target
from control_api.profiles import agent_of
from control_api.services import Services
from control_api.store import agents, calls, phone_numbers, trunks
from control_api.store.agents import AgentRow
from control_api.store.tables import calls as calls_table

SECRET = "postCallWebhookSecret"
NOT_SETTINGS = ("id", "toolIds", SECRET)


async def create_agent(context: Context, body: AgentCreate) -> Agent:
    services = context.services
    now = services.now()
    given = body.given()
    agent_id = body.id or str(uuid.uuid4())
    changes = await _checked(services, body, given)
    settings = {**_settings(AgentSettings()), **changes}
    await check_transfers(context, agent_id, settings, changes)
    row = AgentRow(
        id=agent_id,
        organization_id=context.organization_id,
        settings=settings,
        webhook_secret=_secret(services, None, given),
        created_at=now,
        updated_at=now,
    )
    agent = await resource(services, row)

    async def write(connection: AsyncConnection) -> None:
        await context.keep(connection, agent)
        if await agents.get_any(connection, row.id) is not None:
            raise conflict("There is an agent with this id already.")
        await agents.insert(connection, row)

    await services.store.write(write)
    await services.directory.refresh()
    return agent


async def list_agents(context: Context, query: PageQuery) -> Page[Agent]:
    rows, total = await context.services.store.read(
        lambda connection: agents.list_page(connection, context.organization_id, query.limit, query.offset)
    )
    return Page([await resource(context.services, row) for row in rows], total, query.limit, query.offset)


async def get_agent(context: Context, agent_id: str) -> Agent:
    return await resource(context.services, await find_agent(context, agent_id))


async def update_agent(context: Context, body: AgentUpdate, agent_id: str) -> Agent:
    services = context.services
    given = body.given()
    changes = await _checked(services, body, given)
    before = await find_agent(context, agent_id)
    await check_transfers(context, agent_id, {**before.settings, **changes}, changes)
    now = services.now()

    async def write(connection: AsyncConnection) -> AgentRow:
        found = await agents.get(connection, context.organization_id, agent_id)
        if found is None:
            raise not_found("agent")
        secret = _secret(services, found.webhook_secret, given)
        row = replace(found, settings={**found.settings, **changes}, webhook_secret=secret, updated_at=now)
        await agents.update(connection, row)
        return row

    row = await services.store.write(write)
    await services.directory.refresh()
    return await resource(services, row)


async def delete_agent(context: Context, agent_id: str) -> None:
    now = context.services.now()

    async def write(connection: AsyncConnection) -> None:
        if await agents.get(connection, context.organization_id, agent_id) is None:
            raise not_found("agent")
        numbers = await phone_numbers.answered_by(connection, agent_id)
        if numbers:
            raise conflict(f"The agent answers {', '.join(numbers)}; give these numbers another agent, or none, first.")
        if await trunks.caught_by(connection, agent_id):
            raise conflict("The agent is the catchAllAgentId of a trunk; change that first.")
        if await calls.has_live(connection, calls_table.c.agent_id, agent_id):
            raise conflict("The agent has calls that are not over.")
        await agents.delete(connection, agent_id, now)

    await context.services.store.write(write)
    await context.services.directory.refresh()


async def find_agent(context: Context, agent_id: str) -> AgentRow:
    """The agent, if the key's organization has it. Raises ApiError 404."""
    organization_id = context.organization_id
    row = await context.services.store.read(lambda connection: agents.get(connection, organization_id, agent_id))
    if row is None:
        raise not_found("agent")
    return row


async def check_transfers(
    context: Context, agent_id: str, settings: Mapping[str, Any], changes: Collection[str]
) -> None:
    """Whether the agents among the targets exist, and the script as it would be names none that is missing. Raises ApiError 400."""
    if not {"transferTargets", "script"} & set(changes):
        return
    targets = [Target.model_validate(target) for target in settings.get("transferTargets", ())]
    problems = [
        (f"transferTargets.{index}.targetAgentId", "There is no other agent with this id.")
        for index, target in enumerate(targets)
        if target.target_agent_id is not None and not _is_colleague(context, agent_id, target.target_agent_id)
    ]
    script = settings.get("script")
    if script is not None:
        found = await context.services.checks.script(script, [target.name for target in targets])
        problems += [(f"script.{problem.where}" if problem.where else "script", problem.message) for problem in found]
    if problems:
        raise invalid(*problems)


def _is_colleague(context: Context, agent_id: str, other: str) -> bool:
    agent = context.services.directory.agent(other)
    return agent is not None and agent.organization_id == context.organization_id and agent.id != agent_id


async def resource(services: Services, row: AgentRow) -> Agent:
    """The agent as it is read, with its readiness at this moment."""
    problems = list(await services.checks.readiness(agent_of(row)))
    return Agent.model_validate(
        {
            **row.settings,
            SECRET: None if row.webhook_secret is None else MASK,
            "id": row.id,
            "organizationId": row.organization_id,
            "toolIds": [],
            "createdAt": iso(row.created_at),
            "updatedAt": iso(row.updated_at),
            "readiness": Readiness(ok=not problems, problems=problems),
        }
    )


async def _checked(services: Services, body: AgentCreate | AgentUpdate, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among what was given, with our ids for aliases. Raises ApiError 400, naming everything that is wrong."""
    changes = _settings(body, given)
    problems = _unknown_ids(services, changes)
    problems += [(f"toolIds.{index}", "There is no tool with this id.") for index, _ in enumerate(body.tool_ids)]
    for field in ("postCallWebhookUrl", "holdMusicUrl"):
        url = changes.get(field)
        refusal = services.check_url(url) if url is not None else None
        if refusal is not None:
            problems.append((field, refusal))
    if problems:
        raise invalid(*problems)
    return changes


def _unknown_ids(services: Services, changes: dict[str, Any]) -> list[tuple[str, str]]:
    """Puts our ids in place of aliases; what is not known is told, with the list to look in."""
    catalogue, problems = services.catalogue, []
    for field, lookup, place in (
        ("voiceId", catalogue.voice_id, "GET /v1/voices lists them"),
        ("slmModelId", catalogue.model_id, "GET /v1/models lists them"),
        ("backgroundSoundId", catalogue.background_sound_id, "GET /v1/background-sounds lists them"),
    ):
        if changes.get(field) is not None:
            known = lookup(changes[field])
            if known is None:
                problems.append((field, f"This installation has no such id; {place}."))
            changes[field] = known
    return problems


def _settings(body: AgentSettings, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    values = body.model_dump(mode="json", by_alias=True) if given is None else given
    return {name: value for name, value in values.items() if name not in NOT_SETTINGS}


def _secret(services: Services, sealed: str | None, given: Mapping[str, Any]) -> str | None:
    """The mask means unchanged; a secret is sealed before it is kept."""
    if given.get(SECRET, MASK) == MASK:
        return sealed
    return None if given[SECRET] is None else services.box.seal(given[SECRET])
