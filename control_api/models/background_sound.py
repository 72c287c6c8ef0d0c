"""Background sounds: what this installation can play under its agents' speech."""

from __future__ import annotations

from control_api.models.base import Id, Resource


class BackgroundSound(Resource):
    """A loop; the id of a built-in one is the same on every machine, that of a file follows from its name."""

    id: Id
    name: str
    built_in: bool
    seconds: float
