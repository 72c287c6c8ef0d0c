"""docs/interop.md and docs/sip-requirements.md name tests that are there, and every test here is named by the first."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
TABLE = (TESTS.parent / "docs" / "interop.md").read_text()
REQUIREMENTS = (TESTS.parent / "docs" / "sip-requirements.md").read_text()
_TEST = r"`([\w/]+\.py)::(test_\w+)`"
NAMED = re.findall(_TEST, TABLE)


def _tests_of(path: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))


def _is_head(line: str) -> bool:
    return line.startswith(("|---", "| what they do |", "| what went wrong |", "| section | code |", "| what | code |"))


def test_each_test_that_the_table_names_is_there() -> None:
    assert len(NAMED) > 50
    named = [*NAMED, *re.findall(_TEST, REQUIREMENTS)]
    assert [f"{file}::{name}" for file, name in named if name not in _tests_of(TESTS / file)] == []


def test_each_line_of_the_table_names_one() -> None:
    lines = [line for line in (TABLE + REQUIREMENTS).splitlines() if line.startswith("|") and not _is_head(line)]
    assert [line for line in lines if "::test_" not in line] == []


def test_each_interop_test_is_in_the_table() -> None:
    ours = [*Path(__file__).parent.glob("test_interop_[cp]*.py"), TESTS / "peers" / "test_peer_interop.py"]
    names = {name for file in ours for name in _tests_of(file)}
    assert names - {name for _, name in NAMED} == set()
