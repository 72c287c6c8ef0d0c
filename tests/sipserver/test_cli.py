"""The command line: help everywhere, exact forms that others rely on, and errors as one sentence."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

from control_api import keytext
from control_api.admin import list_keys
from media.quiet import NoiseSuppression
from media.sockets.choice import AUTO, BACKENDS
from sipserver import __version__
from sipserver.cli import app
from sipserver.packaged import data_path

HEAVY = {"numpy", "scipy", "sqlalchemy", "alembic", "httpx", "starlette", "pydantic", "phonenumbers", "rich", "av"}


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), env=env)


def sentence(result: Result) -> str:
    """What a refused command says: one line on stderr, nothing on stdout."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    [line] = result.stderr.splitlines()
    assert line.startswith("antiphon: ")
    return line.removeprefix("antiphon: ")


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(app)))


def test_the_commands_are_those_of_the_manual() -> None:
    leaves = {" ".join(path) for path, command in COMMANDS.items() if not hasattr(command, "commands")}
    assert leaves == {
        "init", "serve", "demo", "call", "calls list", "calls show", "calls tail", "calls hangup", "calls transfer",
        "calls press", "calls say", "calls pause", "calls resume", "bans list", "bans lift",
        "trunk list", "trunk show", "trunk create", "trunk test", "trunk delete",
        "keys create", "keys list", "keys revoke", "trace", "doctor", "bench media", "bench calls", "bench network", "bench answer",
        "bench sip", "bench noise", "bench concealment", "bench bargein", "config show",
        "openapi", "version",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_everywhere(path: tuple[str, ...]) -> None:
    result = run(*path, "--help", env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert COMMANDS[path].help.split("\n")[0].endswith((".", "stdout."))
    for parameter in COMMANDS[path].params:
        assert parameter.help, f"{' '.join(path)}: {parameter.name} is not explained"
        assert parameter.help.rstrip(")").endswith((".", "exit")), parameter.help


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    """`--help` must not wait for what only some commands need."""
    look = "import sys, sipserver.cli; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_version() -> None:
    assert run("version").stdout.strip() == __version__


def test_init_is_repeatable_and_keeps_everything(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert run("init", "--data-dir", str(folder)).exit_code == 0
    before = (folder / "secrets" / "master.key").read_bytes()
    assert stat.S_IMODE((folder / "secrets" / "master.key").stat().st_mode) == 0o600
    assert run("init", "--data-dir", str(folder)).exit_code == 0
    assert (folder / "secrets" / "master.key").read_bytes() == before
    assert (folder / "antiphon.db").exists()
    assert (folder / "recordings").is_dir()


def test_a_key_is_made_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    where = ("--data-dir", str(tmp_path / "data"))
    made = run("keys", "create", *where, "--name", "dialler", "--scope", "admin")
    assert made.exit_code == 0
    assert made.stderr == ""
    assert keytext.is_well_formed(made.stdout.removesuffix("\n"))
    [row] = list_keys(tmp_path / "data")
    listed = run("keys", "list", *where).stdout
    assert row.id in listed
    assert "dialler" in listed
    assert made.stdout.strip() not in listed
    assert run("keys", "revoke", row.id, *where).exit_code == 0
    assert "revoked" in run("keys", "list", *where).stdout
    assert row.id in sentence(run("keys", "revoke", row.id, *where))


def test_an_unknown_key_and_an_empty_name_are_refused(tmp_path: Path) -> None:
    where = ("--data-dir", str(tmp_path / "data"))
    assert "no key with the id nobody" in sentence(run("keys", "revoke", "nobody", *where))
    assert "--name" in sentence(run("keys", "create", *where, "--name", " "))
    assert list_keys(tmp_path / "data") == []


def test_benches_refuse_before_they_measure(tmp_path: Path) -> None:
    for option, known in (("--sockets", (AUTO, *BACKENDS)), ("--noise", NoiseSuppression)):
        result = run("bench", "media", option, "loud")
        assert result.exit_code == 2
        assert "'loud' is not one of " + ", ".join(f"'{name}'" for name in known) in result.stderr
    (tmp_path / "file").write_text("not a folder")
    for bench in ("media", "calls", "network"):
        says = sentence(run("bench", bench, "--plot", str(tmp_path / "file" / "plots")))
        assert says.startswith("plots cannot be written: Not a directory")


def test_an_unknown_scope_is_refused(tmp_path: Path) -> None:
    result = run("keys", "create", "--data-dir", str(tmp_path), "--name", "x", "--scope", "root")
    assert result.exit_code == 2
    assert "'root' is not one of" in result.stderr


@pytest.mark.parametrize(
    "command", [("init",), ("keys", "create", "--name", "x"), ("keys", "list"), ("keys", "revoke", "x")], ids=" ".join
)
def test_a_folder_that_cannot_be_made_is_named(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / "file" / "data"
    says = sentence(run(*command, "--data-dir", str(folder)))
    assert "cannot be used" in says
    assert str(folder) in says


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "antiphon.db").write_text("this is no database, and long enough to be looked at as one" * 20)
    says = sentence(run("keys", "list", "--data-dir", str(tmp_path)))
    assert str(tmp_path) in says
    assert "not a database" in says
    assert "SELECT" not in says


def test_a_damaged_master_key_is_named(tmp_path: Path) -> None:
    run("init", "--data-dir", str(tmp_path))
    (tmp_path / "secrets" / "master.key").write_text("damaged\n")
    assert "master key" in sentence(run("keys", "list", "--data-dir", str(tmp_path)))


SETTINGS_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("init",),
    ("serve",),
    ("keys", "create", "--name", "x"),
    ("keys", "list"),
    ("keys", "revoke", "x"),
    ("doctor",),
    ("config", "show"),
)


@pytest.mark.parametrize("command", SETTINGS_COMMANDS, ids=" ".join)
def test_a_wrong_configuration_is_refused_everywhere(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[sip]\nbnid = "127.0.0.1:5060"\n')
    assert sentence(run(*command, "-c", str(file))) == "sip.bnid: no such setting"
    assert sentence(run(*command, "-c", str(tmp_path / "none.toml"))).endswith("none.toml: no such file")
    assert "ANTIPHON__SIP__BNID" in sentence(run(*command, env={"ANTIPHON__SIP__BNID": "127.0.0.1:5060"}))


def test_the_data_folder_of_a_file_is_used(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[server]\ndata_dir = "{tmp_path / "data"}"\n')
    assert run("init", "-c", str(file)).exit_code == 0
    assert (tmp_path / "data" / "antiphon.db").exists()
    assert keytext.is_well_formed(run("keys", "create", "-c", str(file), "--name", "x").stdout.strip())


def test_config_show_is_what_is_in_force_with_secrets_masked(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[llm]\nbase_url = "http://127.0.0.1:8000/v1"\napi_key = "of-ours-alone"\n')
    result = run("config", "show", "-c", str(file), env={"ANTIPHON__SIP__BIND": "127.0.0.1:5070"})
    shown = json.loads(result.stdout)
    assert "of-ours-alone" not in result.output
    assert shown["llm"]["api_key"] == "**********"
    assert shown["llm"]["base_url"] == "http://127.0.0.1:8000/v1"
    assert shown["sip"]["bind"] == "127.0.0.1:5070"


def test_the_shipped_example_can_be_used() -> None:
    assert run("config", "show", "-c", str(data_path("example.toml"))).exit_code == 0


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("--sip", "5060", "sip.bind: must be HOST:PORT"),
        ("--api", "nowhere", "api.bind: must be HOST:PORT"),
        ("--rtp-ports", "29999-20000", "media.rtp_ports: must be FIRST-LAST"),
    ],
)
def test_serve_refuses_addresses_that_are_none(flag: str, value: str, says: str, tmp_path: Path) -> None:
    assert says in sentence(run("serve", "--data-dir", str(tmp_path / "data"), flag, value))


def test_openapi_is_the_document_of_this_version() -> None:
    document = json.loads(run("openapi").stdout)
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == __version__
    assert "/v1/calls" in document["paths"]
