"""What somebody orders of a call that is under way."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AliasChoices, Field

from control_api.models.base import Body
from control_api.models.call import Call


class CallKeys(Body):
    """Keys to press, one after the other; `w` (or a comma) is a pause of half a second."""

    READ_ONLY: ClassVar[frozenset[str]] = frozenset(str(field.alias) for field in Call.model_fields.values())

    digits: Annotated[str, Field(min_length=1, max_length=64, pattern="^[0-9A-Da-d*#wW,]+$", examples=["1ww204#"])]


class CallTrace(Body):
    """What is to be kept for the call's trace from now on: the headers of its RTP packets, never what is said in them."""

    READ_ONLY: ClassVar[frozenset[str]] = frozenset(str(field.alias) for field in Call.model_fields.values())

    rtp: bool


class CallSpeech(Body):
    """What the agent is to say; `{{name}}` stands for the call's variables.

    It is said when neither side speaks. With `interrupt` it takes the place of what the agent says at that moment, unless that must not
    be interrupted; a caller who speaks is never spoken over. With `endCall` the agent hangs up afterwards.
    """

    READ_ONLY: ClassVar[frozenset[str]] = frozenset(str(field.alias) for field in Call.model_fields.values())

    text: Annotated[
        str,
        Field(
            min_length=1, max_length=2000, pattern=r"\S", validation_alias=AliasChoices("text", "message", "content")
        ),
    ]
    interrupt: bool = False
    end_call: bool = False
