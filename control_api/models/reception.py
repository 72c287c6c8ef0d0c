"""What a number says of its callers: when it is open, who answers instead, and whom it does not take."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from control_api.models.base import Body, Id, Number, Timezone
from control_api.models.transfer import SipUri

Reason = Literal["inactive", "not_ready", "limit", "closed", "error"]
REASONS: tuple[Reason, ...] = ("inactive", "not_ready", "limit", "closed", "error")

_CALLER = re.compile(r"\+[1-9][0-9]{6,14}|\+[1-9][0-9]{0,13}\*|anonymous", re.ASCII)

Clock = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", examples=["09:00"])]
Span = Annotated[list[Clock], Field(min_length=2, max_length=2, examples=[["09:00", "17:00"]])]


def _follow(spans: list[list[str]]) -> list[list[str]]:
    edges = [edge for span in spans for edge in span]
    if any(begin >= end for begin, end in spans) or edges != sorted(edges):
        raise ValueError("must be times in their order, each [from, to] with to after from; a night is two days'")
    return spans


Spans = Annotated[list[Span], Field(max_length=10), AfterValidator(_follow)]


class Days(Body):
    """When it is open on each weekday. A day that is not named is closed."""

    mon: Annotated[Spans, Field(default_factory=list)]
    tue: Annotated[Spans, Field(default_factory=list)]
    wed: Annotated[Spans, Field(default_factory=list)]
    thu: Annotated[Spans, Field(default_factory=list)]
    fri: Annotated[Spans, Field(default_factory=list)]
    sat: Annotated[Spans, Field(default_factory=list)]
    sun: Annotated[Spans, Field(default_factory=list)]


class OpeningHours(Body):
    """By the wall clock of `timezone`. At other times `closedAgentId` answers, else the `fallback` for `closed`, else nobody (480)."""

    timezone: Timezone
    days: Days
    closed_agent_id: Id | None = None


class Fallback(Body):
    """Who takes a call that the agent does not take, and for which reasons: one of `number`, `sipUri` and `agentId`."""

    number: Number | None = None
    sip_uri: SipUri | None = None
    agent_id: Id | None = None
    when: Annotated[list[Reason], Field(min_length=1, max_length=len(REASONS), default_factory=lambda: list(REASONS))]

    @model_validator(mode="after")
    def _leads_to_one(self) -> Fallback:
        if [self.number, self.sip_uri, self.agent_id].count(None) != 2:
            raise ValueError("has one of number, sipUri and agentId")
        return self


def _caller(text: str) -> str:
    if not _CALLER.fullmatch(text):
        raise ValueError("must be an E.164 number, the beginning of one with a star (`+1900*`), or `anonymous`")
    return text


BlockedCallers = Annotated[list[Annotated[str, Field(max_length=16), AfterValidator(_caller)]], Field(max_length=1000)]
