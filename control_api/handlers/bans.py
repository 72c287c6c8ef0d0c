"""Sources that are banned: list them, lift a ban. They belong to the server, not to an organization."""

from __future__ import annotations

from control_api.context import Context, Page
from control_api.errors import not_found
from control_api.models.ban import Ban
from control_api.models.base import PageQuery, iso


async def list_bans(context: Context, query: PageQuery) -> Page[Ban]:
    bans = context.services.bans
    found = () if bans is None else bans.banned()
    chosen = found[query.offset : query.offset + query.limit]
    items = [Ban.model_validate({"address": ban.address, "until": iso(ban.until), "why": ban.why}) for ban in chosen]
    return Page(items, len(found), query.limit, query.offset)


async def lift_ban(context: Context, address: str) -> None:
    """Of an IPv6 /64, any address of it will do: a path cannot hold the slash of a prefix."""
    bans = context.services.bans
    if bans is None or not bans.lift(address):
        raise not_found("ban")
