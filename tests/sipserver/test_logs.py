"""What a log line shows of a defect, and what it must not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from sipserver.logs import configure, say


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def _fail_with_a_password() -> None:
    password = "hunter2" + "-secret"
    raise ValueError(f"a password of {len(password)} characters")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_local_variables(
    form: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure("debug", form)
    try:
        _fail_with_a_password()
    except ValueError:
        structlog.get_logger().exception("broken", part="test")
    shown = capsys.readouterr().err
    assert "hunter2-secret" not in shown
    assert "a password of 14 characters" in shown
    assert "_fail_with_a_password" in shown
    if form == "json":
        assert json.loads(shown)["part"] == "test"


@pytest.mark.parametrize("form", ["console", "json"])
def test_the_short_way_writes_what_structlog_writes(
    form: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure("info", form)
    say("sip", direction="<", peer="192.0.2.1:5060/udp", odd="two words")
    structlog.get_logger().info("sip", direction="<", peer="192.0.2.1:5060/udp", odd="two words")
    short, long = (
        re.sub(r"\d{4}-\d\d-\d\dT[\d:]+\.\d{6}Z", "TIME", text) for text in capsys.readouterr().err.splitlines()
    )
    assert short == long
    assert "TIME" in short
