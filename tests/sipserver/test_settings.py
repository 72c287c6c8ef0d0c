"""Flags over environment over file over defaults; nothing unknown passes; secrets are masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipserver.settings import ConfigError, load, masked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[sip]\nbind = "10.0.0.1:5060"\nring_seconds = 2.5\n[llm]\napi_key = "secret-of-ours"\n')
    return path


def test_each_layer_overrides_the_one_below(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(None, {}).sip.bind == "0.0.0.0:5060"
    assert load(file, {}).sip.bind == "10.0.0.1:5060"
    monkeypatch.setenv("ANTIPHON__SIP__BIND", "10.0.0.2:5060")
    assert load(file, {}).sip.bind == "10.0.0.2:5060"
    settings = load(file, {"sip": {"bind": "10.0.0.3:5060"}})
    assert (settings.sip.bind, settings.sip.ring_seconds) == ("10.0.0.3:5060", 2.5)


def test_lists_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON__DIALLING__ALLOW_COUNTRIES", '["DE", "FR"]')
    assert load(None, {}).dialling.allow_countries == ("DE", "FR")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ANTIPHON__SIPP__BIND", "127.0.0.1:5060", "ANTIPHON__SIPP__BIND: no such setting"),
        ("ANTIPHON__SIP__BIMD", "127.0.0.1:5060", "ANTIPHON__SIP__BIMD: no such setting"),
        ("ANTIPHON__SIP", "1", "ANTIPHON__SIP: no such setting"),
        ("ANTIPHON__SIP__BIND", "somewhere", "sip.bind: must be HOST:PORT"),
        ("ANTIPHON__MEDIA__RTP_PORTS", "30000-20000", "media.rtp_ports: must be FIRST-LAST"),
        ("ANTIPHON__SERVER__MAX_CALLS", "many", "server.max_calls"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=says):
        load(None, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sip]\nbimd = 1", "sip.bimd: no such setting"),
        ("[sipp]\nbind = 1", "sipp: no such setting"),
        ("[sip", "config.toml"),
    ],
)
def test_a_wrong_file_is_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load(path, {})


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "absent.toml", {})


def test_secrets_are_masked(file: Path) -> None:
    assert "secret-of-ours" not in str(masked(load(file, {})))


def test_the_example_shows_every_setting_with_its_default() -> None:
    """What is commented out there has no default."""
    example = load(Path(__file__).parents[2] / "config" / "example.toml", {})
    assert example.model_dump() == load(None, {}).model_dump()
    text = (Path(__file__).parents[2] / "config" / "example.toml").read_text()
    for section, values in example.model_dump().items():
        assert f"[{section}]" in text
        for key in values:
            assert f"{key} = " in text, f"{section}.{key} is missing"
