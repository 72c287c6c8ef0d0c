"""Texts with variables: `{{name}}` and `{{name|fallback}}` (CONTRACT, "Context variables").

Names are letters, digits and underscores, case-sensitive. A name without a value becomes its fallback, else nothing, and is
noted once. Nothing inside a value is expanded again: a caller's words never become a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sipserver.protocols import Agent, LiveCall

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*(?:\|([^{}]*))?\}\}")


def render(template: str, variables: Mapping[str, Any], missing: Callable[[str], None] | None = None) -> str:
    """The text with its variables. `missing` is told each name that has neither a value nor a fallback."""

    def replace(found: re.Match[str]) -> str:
        name, fallback = found[1], found[2]
        value = variables.get(name)
        if value is not None:
            return as_text(value)
        if fallback is None and missing is not None:
            missing(name)
        return (fallback or "").strip()

    return _VARIABLE.sub(replace, template)


class Texts:
    """The texts of one call: its variables, and which of them were missing."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = variables
        self._missing: dict[str, bool] = {}

    def render(self, template: str) -> str:
        """The text with the call's variables."""
        return render(template, self.variables, self.note_missing)

    def greeting(self, agent: Agent) -> str:
        """What the agent greets with; "" when it does not greet."""
        return self.render(agent.greeting or "") if agent.greeting_enabled else ""

    def note_missing(self, name: str) -> None:
        """A text names a variable that has no value."""
        self._missing.setdefault(name, False)

    def untold(self) -> list[str]:
        """The missing names that were not told before."""
        names = [name for name, told in self._missing.items() if not told]
        self._missing.update(dict.fromkeys(names, True))
        return names


def as_text(value: Any) -> str:
    """A value as it stands in a text: strings as they are, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def zone_of(name: str | None) -> ZoneInfo:
    """The agent's time zone; UTC where there is none, or none of that name."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def call_variables(call: LiveCall, now: datetime) -> dict[str, Any]:
    """The call's context variables with those that are always there, unless given."""
    local = now.astimezone(zone_of(call.agent.timezone))
    always = {
        "call_id": call.id,
        "direction": call.direction.value,
        "customer_number": call.customer_number,
        "agent_number": call.agent_number,
        "current_date": f"{local:%Y-%m-%d}",
        "current_time": f"{local:%H:%M}",
        "current_weekday": f"{local:%A}",
    }
    return {**always, **call.variables}
