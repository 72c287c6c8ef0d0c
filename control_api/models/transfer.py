"""To whom calls are handed over: an agent's targets, and the order to do it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from control_api.models.base import Body, Id, Number, Resource
from control_api.models.call import Call

Mode = Literal["cold", "warm", "warm_briefing"]
Label = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$", examples=["reception"])]
SipUri = Annotated[
    str, Field(max_length=255, pattern=r"^sips?:[^\s<>\"@]+@[^\s<>\"@]+$", examples=["sip:reception@pbx.example.com"])
]
MAX_TARGETS = 50


class Target(Body):
    """Another agent (`targetAgentId`), or a person (`number`, also `phoneNumber`, or `sipUri`) with the `mode` in which they are reached.

    An agent without a `label` is named by its id.
    """

    type: Literal["agent", "phone"]
    target_agent_id: Id | None = None
    number: Annotated[Number | None, Field(validation_alias=AliasChoices("number", "phoneNumber"))] = None
    sip_uri: SipUri | None = None
    label: Label | None = None
    mode: Mode | None = None
    description: Annotated[str | None, Field(max_length=500)] = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Target:
        if self.type == "agent":
            if self.target_agent_id is None or (self.number, self.sip_uri, self.mode) != (None, None, None):
                raise ValueError("an agent has a targetAgentId, and no number, sipUri and mode")
        elif (self.number is None) == (self.sip_uri is None) or self.target_agent_id is not None:
            raise ValueError("a phone has either a number or a sipUri, and no targetAgentId")
        elif self.label is None or self.mode is None:
            raise ValueError("a phone has a label and a mode: cold, warm or warm_briefing")
        return self

    @property
    def name(self) -> str:
        """What scripts and models call it."""
        return self.label or self.target_agent_id or ""


def _unique(targets: list[Target]) -> list[Target]:
    names = [target.name for target in targets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each label stands for one target: {', '.join(twice)}")
    return targets


Targets = Annotated[list[Target], Field(max_length=MAX_TARGETS), AfterValidator(_unique)]


class TransferTargets(Body):
    """The whole list."""

    transfer_targets: Annotated[Targets, Field(validation_alias=AliasChoices("transferTargets", "targets"))]


class Success(Resource):
    """It is done."""

    success: Literal[True] = True


class CallTransfer(Body):
    """Hand a live call over: to one of the agent's targets by its `label`, to a `number`, or to another agent.

    `mode` may be left out with a label (its target's) and with an agent.
    """

    READ_ONLY: ClassVar[frozenset[str]] = frozenset(str(field.alias) for field in Call.model_fields.values())

    label: Label | None = None
    number: Annotated[
        str | None,
        Field(min_length=1, max_length=255, validation_alias=AliasChoices("number", "phoneNumber", "to")),
    ] = None
    target_agent_id: Id | None = None
    mode: Mode | None = None
    briefing: Annotated[str | None, Field(min_length=1, max_length=2000)] = None

    @model_validator(mode="after")
    def _one_target(self) -> CallTransfer:
        if sum(value is not None for value in (self.label, self.number, self.target_agent_id)) != 1:
            raise ValueError("exactly one of label, number and targetAgentId")
        if self.number is not None and self.mode is None:
            raise ValueError("a number needs a mode: cold, warm or warm_briefing")
        if self.target_agent_id is not None and self.mode is not None:
            raise ValueError("a mode is for people, not for agents")
        return self
