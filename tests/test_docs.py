"""The documents against the repository: paths and links that lead somewhere, settings and dependencies that exist, examples that work."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from control_api.operations import OPERATIONS
from inference.script import read_script
from sipserver.cli import app
from sipserver.settings import Settings, load, masked

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ROOMS = ("sipserver", "media", "inference", "control_api", "config", "docs", "docker", "tests", ".ci")
SANS_IO_NEVER = ("asyncio", "socket", "ssl", "time", "random", "threading")
TOP_FILES = ("Makefile", "pyproject.toml", "LICENSE", "NOTICE")

_CODE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(rf"(?:{'|'.join(re.escape(room) for room in ROOMS)})(?:/[\w.*-]+)*/?")
_COMMAND = re.compile(r"(?:^|[`(]|bin/)antiphon ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def _text(page: Path) -> str:
    return page.read_text("utf-8")


def _prose(page: Path) -> str:
    return _FENCE.sub("", _text(page))


def paths_named(text: str) -> Iterator[str]:
    """What stands in backticks and looks like a path of this repository: a room with a slash, or a well-known file."""
    for code in _CODE.findall(text):
        if code in TOP_FILES or ("/" in code and _PATH.fullmatch(code)):
            yield code


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as they are commonly made: lower case, no marks, hyphens for spaces."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text)}


def json_examples(page: Path) -> Iterator[dict[str, Any]]:
    for language, body in _FENCE.findall(_text(page)):
        if language == "json":
            yield json.loads(body)


def commands_named(text: str) -> Iterator[tuple[str, ...]]:
    """Commands of ours as they are typed: `antiphon doctor`, `antiphon calls list`."""
    for name, below in _COMMAND.findall(text):
        yield (name, below) if below else (name,)


def is_command(words: tuple[str, ...], command: object) -> bool:
    """Whether these words name a command of `command`. What follows one that has none below it is an argument."""
    below = getattr(command, "commands", None)
    if not words or below is None:
        return True
    return words[0] in below and is_command(words[1:], below[words[0]])


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    antiphon = typer.main.get_command(app)
    assert [words for words in commands_named(_text(page)) if not is_command(words, antiphon)] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    missing = [path for path in paths_named(_prose(page)) if not list(ROOT.glob(path.rstrip("/")))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_relative_link_resolves(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_prose(page)):
        target, _, anchor = link.partition("#")
        if "://" in link:
            continue
        place = (page.parent / target).resolve() if target else page
        if not place.exists() or (anchor and anchor not in anchors(_text(place))):
            broken.append(link)
    assert broken == []


def test_the_checks_above_find_what_is_wrong() -> None:
    assert list(paths_named("see `media/engine.py`, `Makefile`, `go/where` and `min_free_mb`")) == [
        "media/engine.py",
        "Makefile",
    ]
    assert list(commands_named("`antiphon calls list` and\nantiphon doctor -c x")) == [("calls", "list"), ("doctor",)]
    antiphon = typer.main.get_command(app)
    assert is_command(("calls", "list"), antiphon)
    assert not is_command(("calls", "fly"), antiphon)
    assert anchors("# Signals, and drain\n## kill -9") == {"signals-and-drain", "kill--9"}


def test_the_scripts_in_the_guide_are_scripts() -> None:
    agents = [example for example in json_examples(ROOT / "docs/scripts.md") if "script" in example]
    assert agents
    for agent in agents:
        read_script(agent["script"])


def test_every_setting_is_explained_and_every_explained_one_exists() -> None:
    table = _text(ROOT / "docs/operations.md").partition("| setting |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"^\| `(\w+\.\w+)`", table, re.MULTILINE))
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    assert explained == {f"{section}.{key}" for section, model in sections.items() for key in model.model_fields}


def test_the_example_configuration_holds_the_defaults() -> None:
    assert masked(load(ROOT / "config/example.toml", {})) == masked(load(None, {}))


def test_every_operation_is_in_the_guide() -> None:
    guide = _text(ROOT / "docs/http-api.md")
    named = {f"{method} {path}" for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`]*)`", guide)}
    assert named == {f"{op.method} {re.sub(r'{[^}]*}', '{id}', op.path)}" for op in OPERATIONS}


def test_what_is_called_sans_io_is() -> None:
    paragraph = _text(ROOT / "docs/architecture.md").partition("**Sans-I/O.**")[2].partition("\n\n")[0]
    files = [file for path in paths_named(paragraph) for file in _modules(ROOT / path)]
    assert len(files) > len(SANS_IO_NEVER)
    assert [(_name(file), name) for file in files for name in _imported(file) if name in SANS_IO_NEVER] == []


def _modules(path: Path) -> list[Path]:
    return sorted(path.glob("**/*.py")) if path.is_dir() else [path]


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(_text(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_the_reasons_are_given_for_the_dependencies_that_there_are() -> None:
    project = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]
    needed = {re.split(r"[<>=~!;]", entry)[0].strip() for entry in project["dependencies"]}
    explained = set(re.findall(r"^\| ([\w.\[\]-]+) \|", _text(ROOT / "docs/dependencies.md"), re.MULTILINE)) - {
        "package"
    }
    assert explained == needed
