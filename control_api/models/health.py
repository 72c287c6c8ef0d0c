"""Whether the node lives, and whether it takes calls."""

from __future__ import annotations

from typing import Literal

from control_api.models.base import Resource


class Health(Resource):
    """`reasons` says why calls cannot be taken now."""

    status: Literal["ok", "unavailable"]
    reasons: list[str]
