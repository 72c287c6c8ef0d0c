"""Background sounds: what this installation can play under its agents' speech."""

from __future__ import annotations

from control_api.context import Context, Page
from control_api.models.background_sound import BackgroundSound
from control_api.models.base import PageQuery


async def list_background_sounds(context: Context, query: PageQuery) -> Page[BackgroundSound]:
    sounds = context.services.catalogue.background_sounds
    return Page(list(sounds[query.offset : query.offset + query.limit]), len(sounds), query.limit, query.offset)
