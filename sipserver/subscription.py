"""Event and Subscription-State (RFC 6665 sections 8.2.1 and 8.2.3): which subscription a NOTIFY belongs to, and how that stands."""

from __future__ import annotations

from dataclasses import dataclass

from sipserver.message import MessageError, Params, Request
from sipserver.message.grammar import is_token


@dataclass(frozen=True, slots=True)
class Event:
    """An event package in lower case, and the `id` that tells subscriptions of one dialog apart; None where there is none."""

    package: str
    id: str | None = None

    @classmethod
    def of(cls, request: Request) -> Event:
        """The Event of a request. Raises MessageError for a malformed one; the package is empty where there is none."""
        package, semicolon, rest = (request.headers.get("event") or "").partition(";")
        return cls(package.strip().lower(), Params.parse(semicolon + rest).get("id"))

    def __str__(self) -> str:
        return self.package if self.id is None else f"{self.package};id={self.id}"


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """`active`, `pending` or `terminated`, in lower case. `expires`: seconds that are left; `reason`: why it was terminated."""

    state: str
    reason: str | None = None
    expires: int | None = None

    @classmethod
    def of(cls, request: Request) -> SubscriptionState:
        """That of a NOTIFY. One without the header, which is a MUST and yet is left out, counts as active. Raises MessageError."""
        state, semicolon, rest = (request.headers.get("subscription-state") or "active").partition(";")
        state = state.strip().lower()
        if not is_token(state):
            raise MessageError(f"This is no state of a subscription: {state[:80]!r}.")
        params = Params.parse(semicolon + rest)
        expires = params.get("expires") or ""
        seconds = int(expires) if expires.isascii() and expires.isdigit() and len(expires) <= 10 else None
        return cls(state, (params.get("reason") or "").lower() or None, seconds)

    @property
    def is_over(self) -> bool:
        """Whether no NOTIFY follows."""
        return self.state == "terminated"

    def __str__(self) -> str:
        reason = "" if self.reason is None else f";reason={self.reason}"
        expires = "" if self.expires is None else f";expires={self.expires}"
        return f"{self.state}{reason}{expires}"
