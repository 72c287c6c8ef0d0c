"""What a trunk's test found."""

from __future__ import annotations

from typing import Literal

from control_api.models.base import Body, Dialled, Resource

Name = Literal[
    "dns", "tls", "options", "codecs", "register",
    "dial", "ringing", "answer", "codec", "first_packet", "loss", "jitter", "tone",
]  # fmt: skip
Failure = Literal[
    "at_capacity", "trunk_unavailable", "invalid_number", "busy", "rejected", "blocked", "no_answer", "not_acceptable",
    "no_packets", "hung_up", "loss", "jitter", "error",
]  # fmt: skip


class TrunkTrial(Body):
    """With `to` a call is placed over the trunk as well, from its first number: best to a number that echoes."""

    to: Dialled | None = None


class Step(Resource):
    """One thing that was tried, in milliseconds, and a sentence about it.

    `failure` of the steps of the call, `host` where the trunk has several.
    """

    name: Name
    ok: bool
    ms: float
    detail: str
    failure: Failure | None
    host: str | None


class TrunkTest(Resource):
    """`ok` when every step was."""

    ok: bool
    steps: list[Step]
