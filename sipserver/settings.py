"""What an operator can set: one TOML file, every key also an environment variable, flags above both.

`[sip] bind = "…"` is `ANTIPHON__SIP__BIND`. Order: flags, environment, file, defaults. A key that does not exist is an error,
in the file and in the environment alike: a typing mistake must not become a default.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

PREFIX = "ANTIPHON__"


class ConfigError(Exception):
    """The configuration cannot be used; the text names each key and what is wrong with it."""


class Section(BaseModel):
    """A table of the file. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _host_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:5060")
    return text


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError("must be an address or a CIDR block, such as 192.168.0.0/16") from None
    return text


def _port_range(text: str) -> str:
    first, dash, last = text.partition("-")
    if not dash or not first.isdigit() or not last.isdigit() or not 1024 <= int(first) < int(last) <= 65535:
        raise ValueError("must be FIRST-LAST within 1024-65535, such as 20000-29999")
    return text


HostPort = Annotated[str, AfterValidator(_host_port)]
NetworkText = Annotated[str, AfterValidator(_network)]
PortRange = Annotated[str, AfterValidator(_port_range)]


def split_host_port(text: HostPort) -> tuple[str, int]:
    """`127.0.0.1:5060` or `[::1]:5060` to host and port."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class ServerSection(Section):
    """The node itself."""

    data_dir: Path = Field(default=Path("antiphon-data"), description="database, recordings and secrets live here")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    max_calls: int = Field(
        default=100, ge=1, le=10_000, description="calls at once on this node; more are answered 503"
    )
    max_calls_per_agent: int = Field(
        default=0, ge=0, description="calls at once for one agent; more are answered 486; 0: no limit"
    )
    drain_seconds: int = Field(default=3600, ge=0, description="how long running calls may go on after SIGTERM")


class SipSection(Section):
    """Signalling."""

    bind: HostPort = "0.0.0.0:5060"
    transports: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")
    advertised: str | None = Field(default=None, description="the address peers reach us at; default: the bound one")
    learn_address: bool = Field(
        default=True, description="take our public address from the trunks' answers where none is advertised"
    )
    local_nets: tuple[NetworkText, ...] = Field(
        default=(), description='CIDR blocks whose peers see our own address, such as ["192.168.0.0/16"]'
    )
    tls_bind: HostPort | None = Field(
        default=None, description="where TLS is spoken, such as 0.0.0.0:5061; default: off"
    )
    tls_certificate: Path | None = Field(default=None, description="PEM: our certificate and its chain")
    tls_key: Path | None = Field(default=None, description="PEM: the certificate's key, without a password")
    tls_ca: Path | None = Field(
        default=None, description="PEM: authorities trusted for servers besides the system's, and for clients alone"
    )
    tls_verify_clients: bool = Field(default=False, description="refuse TLS peers without a certificate that we trust")
    tls_advertised: str | None = Field(
        default=None,
        description="the host in Via and Contact over TLS: the certificate's name; default: sip.advertised",
    )
    ring_seconds: float = Field(
        default=0.0, ge=0, le=60, description="how long an inbound call rings before it is answered"
    )
    ring_timeout_seconds: int = Field(
        default=60, ge=5, le=300, description="how long an outbound call rings before CANCEL"
    )
    probe_seconds: int = Field(
        default=60, ge=0, description="how often ip_allowlist trunks are asked for a sign of life by OPTIONS; 0: never"
    )

    retry_after_seconds: int = Field(
        default=10, ge=1, le=3600, description="what Retry-After says beside a 503 of this node"
    )

    @model_validator(mode="after")
    def _tls_has_its_files(self) -> SipSection:
        if self.tls_bind is not None and (self.tls_certificate is None or self.tls_key is None):
            raise ValueError("tls_bind needs tls_certificate and tls_key")
        return self


class GuardSection(Section):
    """How much is heard of whom. Rates are messages a second."""

    stranger_rate: float = Field(default=1.0, gt=0, description="of one unknown address; bursts of ten seconds' worth")
    prefix_rate: float = Field(default=10.0, gt=0, description="of unknown addresses of one /24 or /56")
    strangers_rate: float = Field(default=50.0, gt=0, description="of all unknown addresses together")
    trunk_rate: float = Field(default=5000.0, gt=0, description="of one address of a trunk")
    ban_seconds: int = Field(
        default=3600, ge=0, description="how long nothing is heard of a banned address; 0: no bans"
    )
    strikes: int = Field(
        default=20, ge=1, description="refusals, malformed messages and floods in a minute that make a ban"
    )
    realm: str = Field(
        default="antiphon",
        min_length=1,
        max_length=100,
        pattern=r"^[ -~]+$",
        description="the realm of our own challenges, for trunks with inboundUsername",
    )
    digest_algorithms: tuple[Literal["SHA-256", "MD5"], ...] = Field(
        default=("SHA-256", "MD5"), min_length=1, description="what our challenges offer, the preferred first"
    )


class TraceSection(Section):
    """SIP messages kept for looking at, and sent to a collector."""

    messages: int = Field(default=200, ge=1, le=10_000, description="the last messages of a call that are kept")
    days: int = Field(default=14, ge=0, description="how long the traces of finished calls stay; 0: in memory only")
    rtp: bool = Field(
        default=False,
        description="keep the headers of every call's RTP packets for its capture file, not only when asked",
    )
    hep: HostPort | None = Field(default=None, description="a HEPv3 collector, such as 192.0.2.5:9060; default: none")
    hep_id: int = Field(default=2001, ge=0, lt=2**32, description="our capture id there")
    hep_password: SecretStr | None = Field(default=None, description="the collector's password; default: none")


class MediaSection(Section):
    """RTP."""

    bind: str | None = Field(default=None, description="the address RTP is bound to; default: the SIP address")
    advertised: str | None = Field(
        default=None, description="the address in our SDP; default: sip.advertised, else the bound one"
    )
    rtp_ports: PortRange = "20000-29999"
    processes: int = Field(default=0, ge=0, le=64, description="media processes; 0: half the cores")
    timeout_seconds: int = Field(default=30, ge=0, description="a call without RTP for so long is ended; 0: never")
    realtime: bool = Field(default=True, description="ask for SCHED_FIFO and a core where they are permitted")
    sockets: Literal["auto", "native", "plain"] = Field(
        default="auto",
        description="what moves the packets: native (in C) or plain (in Python); auto: the best that works",
    )
    noise_suppression: Literal["off", "recogniser", "all"] = Field(
        default="off",
        description="take steady noise down for the recogniser, or for the voice activity detection too",
    )


class ApiSection(Section):
    """The HTTP API."""

    bind: HostPort = "127.0.0.1:8080"
    public_url: str | None = Field(
        default=None, description="the base of URLs in answers and webhooks; default: http://<bind>"
    )


class RecordingSection(Section):
    """Recordings."""

    min_free_mb: int = Field(default=512, ge=0, description="below this much free disk new calls get 503")
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36500,
        description="recordings are deleted so long after the call, where the agent says nothing",
    )
    url_days: int = Field(default=30, ge=1, le=3650, description="how long signed URLs open, where no retention is set")
    encrypt: bool = Field(default=False, description="new recordings are sealed on the disk, in all their formats")
    key_file: Path | None = Field(
        default=None, description="the keys of sealed recordings, a line each; default: secrets/master.key"
    )


class DiallingSection(Section):
    """What may be dialled. Emergency and premium numbers never, other countries only by name."""

    allow_countries: tuple[str, ...] = Field(
        default=(), description='ISO 3166 codes besides the number\'s own, such as ["DE"]'
    )
    allow_own_numbers: bool = False
    max_queue: int = Field(default=1000, ge=0, description="calls waiting to be placed; more are answered 503")


class EgressSection(Section):
    """Where webhooks may go."""

    allow: tuple[str, ...] = Field(
        default=(), description="private addresses, CIDR blocks or hosts reached over http too"
    )


class SttSection(Section):
    """The embedded recogniser."""

    workers: int = Field(default=1, ge=0, le=64, description="processes; 0: no recogniser")
    decoders: int = Field(default=4, ge=1, le=64, description="utterances recognised at once in each process")


class TtsSection(Section):
    """The embedded voice."""

    workers: int = Field(default=1, ge=0, le=16, description="processes; 0: no voice")


class LlmSection(Section):
    """A language model behind an OpenAI-compatible API. Without base_url, agents speak by their script."""

    base_url: str | None = None
    api_key: SecretStr | None = None
    model: str = "default"
    first_token_seconds: float = Field(default=4.0, gt=0)


class WebhookSection(Section):
    """How webhooks are sent."""

    timeout_seconds: float = Field(default=15.0, gt=0, le=60)
    hmac_header: str | None = Field(default=None, description="one more header: hex(HMAC-SHA256(timestamp.body))")


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    server: ServerSection = ServerSection()
    sip: SipSection = SipSection()
    guard: GuardSection = GuardSection()
    trace: TraceSection = TraceSection()
    media: MediaSection = MediaSection()
    api: ApiSection = ApiSection()
    recording: RecordingSection = RecordingSection()
    dialling: DiallingSection = DiallingSection()
    egress: EgressSection = EgressSection()
    stt: SttSection = SttSection()
    tts: TtsSection = TtsSection()
    llm: LlmSection = LlmSection()
    webhook: WebhookSection = WebhookSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags over environment over file over defaults."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(file: Path | None, flags: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Settings from a TOML file, the environment and flags (section → key → value). Raises ConfigError."""
    if file is not None and not file.is_file():
        raise ConfigError(f"{file}: no such file")
    _refuse_unknown_variables(os.environ)

    class Loaded(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    given: dict[str, Any] = {section: dict(values) for section, values in flags.items()}
    try:
        return Loaded(**given)
    except ValidationError as error:
        raise ConfigError(_sentences(error)) from None
    except (SettingsError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file or 'environment'}: {error}") from None


def masked(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, secrets as `**********`."""
    return settings.model_dump(mode="json")


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """pydantic-settings passes over variables that name no field: a misspelt one would be a silent default."""
    for name in environment:
        if not name.upper().startswith(PREFIX):
            continue
        section, _, key = name[len(PREFIX) :].lower().partition("__")
        field = Settings.model_fields.get(section)
        if field is None or key not in getattr(field.annotation, "model_fields", {}):
            raise ConfigError(f"{name}: no such setting (the form is {PREFIX}SECTION__KEY)")


def _sentences(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in item["loc"])
        says = "no such setting" if item["type"] == "extra_forbidden" else item["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {says}")
    return "; ".join(lines)
