"""Variables in texts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from inference.prompt import call_variables, render
from sipserver.protocols import Agent, CallDirection, LiveCall


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hello {{name}}!", "Hello Ann!"),
        ("Hello {{ name }}!", "Hello Ann!"),
        ("{{Name|friend}}", "friend"),
        ("{{nobody}}.", "."),
        ("{{nobody|}}.", "."),
        ("{{count}} {{yes}} {{list}} {{null|none}}", '3 true [1,"ü"] none'),
        ("{{sly}}", "{{name}}"),
        ("{{not a name}} {name} {{}}", "{{not a name}} {name} {{}}"),
        ("{{ name | nobody }}", "Ann"),
    ],
)
def test_templates(template: str, text: str) -> None:
    values: dict[str, Any] = {"name": "Ann", "count": 3, "yes": True, "list": [1, "ü"], "null": None, "sly": "{{name}}"}
    assert render(template, values) == text


def test_a_missing_name_is_told_and_one_with_a_fallback_is_not() -> None:
    missing: list[str] = []
    render("{{a}} {{b|x}} {{c}} {{a}}", {"c": 1}, missing.append)
    assert missing == ["a", "a"]


def test_built_in_variables_are_in_the_agents_zone_and_can_be_overridden() -> None:
    call = LiveCall(
        id="c",
        direction=CallDirection.OUTBOUND,
        agent=Agent(id="a", organization_id="o", name="n", timezone="Asia/Tokyo"),
        customer_number="+1",
        agent_number="+2",
        variables={"current_time": "noon", "day": "Monday"},
        media=None,  # type: ignore[arg-type]
        off_record=None,  # type: ignore[arg-type]
    )
    assert call_variables(call, datetime(2026, 11, 22, 20, 30, tzinfo=UTC)) == {
        "call_id": "c",
        "direction": "outbound",
        "customer_number": "+1",
        "agent_number": "+2",
        "current_date": "2026-11-23",
        "current_time": "noon",
        "current_weekday": "Monday",
        "day": "Monday",
    }
