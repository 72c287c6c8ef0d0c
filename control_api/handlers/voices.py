"""Voices: what this installation can speak with."""

from __future__ import annotations

from control_api.context import Context, Page
from control_api.models.base import PageQuery
from control_api.models.voice import Voice


async def list_voices(context: Context, query: PageQuery) -> Page[Voice]:
    voices = context.services.catalogue.voices
    items = [
        Voice(id=voice.id, name=voice.name, engine=voice.engine, language=voice.language, gender=voice.gender)
        for voice in voices[query.offset : query.offset + query.limit]
    ]
    return Page(items, len(voices), query.limit, query.offset)
