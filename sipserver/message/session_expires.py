"""What a message says of session timers: Session-Expires and Min-SE (RFC 4028 sections 4 and 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from sipserver.message.message import Request, Response

TIMER = "timer"
"""The option tag of session timers."""
MIN_SE = 90
"""Seconds: no session interval may be smaller (section 4), and we take each that is not."""

_SECONDS = re.compile(r"[0-9]{1,10}")

Refresher = Literal["uac", "uas"]


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """A session interval in seconds, and who refreshes it: the sender of the request (`uac`), or who answers it."""

    seconds: int
    refresher: Refresher | None = None

    @classmethod
    def of(cls, message: Request | Response) -> SessionExpires | None:
        """None where there is none; what is no number of seconds is as if it were not there."""
        text = message.headers.first("session-expires")
        if text is None:
            return None
        value, *params = text.split(";")
        seconds = _number(value)
        if seconds is None:
            return None
        named = {"".join(param.split()).lower() for param in params}
        refresher: Refresher | None = "uac" if "refresher=uac" in named else "uas" if "refresher=uas" in named else None
        return cls(seconds, refresher)

    def __str__(self) -> str:
        return str(self.seconds) if self.refresher is None else f"{self.seconds};refresher={self.refresher}"


def min_se(message: Request | Response) -> int:
    """The smallest session interval that whoever wrote this takes, in seconds."""
    text = message.headers.first("min-se")
    return MIN_SE if text is None else max(MIN_SE, _number(text.partition(";")[0]) or 0)


def knows_timers(request: Request) -> bool:
    """Whether its sender has session timers; Require says no less than Supported."""
    return any(tag.lower() == TIMER for name in ("supported", "require") for tag in request.headers.all(name))


def lengthened(request: Request, refusal: Response) -> Request | None:
    """The request again as this 422 wants it (section 7.3), but for its CSeq; None where that is nothing new."""
    asked = SessionExpires.of(request)
    least = max(min_se(request), min_se(refusal))
    if asked is None or (asked.seconds >= least and min_se(request) >= least):
        return None
    again = replace(request, headers=request.headers.copy())
    again.headers.set("Session-Expires", str(replace(asked, seconds=max(asked.seconds, least))))
    again.headers.set("Min-SE", str(least))
    return again


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if _SECONDS.fullmatch(text) else None
