"""Voices: what this installation can speak with."""

from __future__ import annotations

from control_api.models.base import Id, Resource


class Voice(Resource):
    """A voice; its id is the same on every machine."""

    id: Id
    name: str
    engine: str
    language: str
    gender: str | None
