"""What a trunk's test found."""

from __future__ import annotations

from typing import Literal

from control_api.models.base import Resource


class Step(Resource):
    """One thing that was tried, in milliseconds, and a sentence about it."""

    name: Literal["dns", "tls", "register", "options", "codecs"]
    ok: bool
    ms: float
    detail: str


class TrunkTest(Resource):
    """`ok` when every step was."""

    ok: bool
    steps: list[Step]
