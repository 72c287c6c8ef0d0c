"""Rows to what the other rooms know: agents and trunks, as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from control_api.models.agent import AgentSettings
from control_api.models.reception import OpeningHours as OpeningFields
from control_api.models.transfer import Target
from control_api.models.trunk import TrunkOptions as OptionFields
from control_api.secrets import SecretBox
from control_api.store.agents import AgentRow
from control_api.store.trunks import TrunkRow
from sipserver.protocols import (
    Agent,
    ExtractionField,
    OpeningHours,
    RecordingSettings,
    SilenceSettings,
    TransferMode,
    TransferTarget,
    Trunk,
    TrunkOptions,
    TurnSettings,
)

_TRANSPORTS: Mapping[str, Literal["udp", "tcp", "tls", "auto"]] = {
    "udp": "udp",
    "tcp": "tcp",
    "tls": "tls",
    "auto": "auto",
}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TURN = {
    "endpoint_delay_ms": "turn_endpoint_delay",
    "min_turn_ms": "min_turn_duration",
    "min_interruption_ms": "min_interruption_duration",
    "activation_threshold": "frame_activation_threshold",
    "post_speech_cooldown_ms": "post_speech_cooldown",
    "eot_threshold": "ultravad_eot_threshold",
    "speculative_silence_ms": "speculative_silence_ms",
    "fallback_silence_ms": "fallback_silence_ms",
}


def agent_of(row: AgentRow) -> Agent:
    """The agent as a call sees it. A null setting is the server's default."""
    return agent_with(row.id, row.organization_id, AgentSettings.model_validate(row.settings))


def agent_with(agent_id: str, organization_id: str, settings: AgentSettings) -> Agent:
    """The agent that these settings make."""
    return Agent(
        id=agent_id,
        organization_id=organization_id,
        name=settings.name,
        system_prompt=settings.system_prompt,
        model_id=settings.slm_model_id,
        voice_id=settings.voice_id,
        voice_speed=settings.voice_speed,
        voice_stability=settings.voice_stability,
        turn=_turn(settings),
        allow_end_call=settings.allow_end_call,
        is_active=settings.is_active,
        summary_enabled=settings.post_call_summary_enabled,
        extraction=_extraction(settings),
        first_speaker=settings.first_speaker,
        greeting=settings.agent_greeting,
        greeting_enabled=settings.agent_greeting_enabled,
        first_message_uninterruptible=settings.first_message_uninterruptible,
        first_message_delay_ms=settings.first_message_delay,
        max_call_seconds=settings.max_call_duration_seconds,
        language=settings.language_hint,
        script=settings.script,
        disclosure=settings.disclosure,
        silence=SilenceSettings(
            settings.silence.prompt_after_ms, tuple(settings.silence.prompts), settings.silence.end_after
        ),
        recording=RecordingSettings(
            settings.recording.enabled,
            settings.recording.after_disclosure,
            settings.recording.format,
            settings.recording.retention_days,
        ),
        timezone=settings.timezone,
        transfer_targets=tuple(_target(target) for target in settings.transfer_targets),
        hold_message=settings.hold_message,
        hold_music_url=settings.hold_music_url,
        transfer_max_seconds=settings.transfer_max_seconds,
        background_sound_id=settings.background_sound_id,
        background_sound_volume=settings.background_sound_volume,
    )


def trunk_of(row: TrunkRow, box: SecretBox) -> Trunk:
    """The trunk with its password opened. Raises SecretsUnreadable."""
    options = options_of(OptionFields.model_validate(row.options))
    return Trunk(
        id=row.id,
        organization_id=row.organization_id,
        mode="registration" if row.mode == "registration" else "ip_allowlist",
        host=row.host,
        port=row.port,
        transport=_TRANSPORTS[row.transport],
        sources=tuple(dict.fromkeys((*row.sources, *options.failover_hosts))),
        outbound_proxy=row.outbound_proxy,
        username=row.username,
        auth_user=row.auth_user,
        password=box.open_optional(row.password),
        options=options,
        inbound_username=row.inbound_username,
        inbound_password=box.open_optional(row.inbound_password),
    )


def options_of(given: OptionFields) -> TrunkOptions:
    """How calls over a trunk are made and taken."""
    return TrunkOptions(
        number_format=given.number_format,
        region=given.region,
        from_user=given.from_user,
        identity=given.identity,
        identity_format=given.identity_format,
        privacy=given.privacy,
        headers=tuple((header.name, header.value) for header in given.headers),
        codecs=tuple(given.codecs),
        ptime=given.ptime,
        srtp=given.srtp,
        session_timer=given.session_timer,
        reliable100=given.reliable100,
        max_channels=given.max_channels,
        max_calls_per_second=given.max_calls_per_second,
        ring_timeout_seconds=given.ring_timeout_seconds,
        advertised_address=given.advertised_address,
        local_nets=tuple(given.local_nets),
        accept_refer=given.accept_refer,
        catch_all_agent_id=given.catch_all_agent_id,
        caller_id=given.caller_id,
        context_headers=tuple(given.context_headers),
        follow_redirects=given.follow_redirects,
        failover_hosts=tuple(given.failover_hosts),
        rtcp_xr=given.rtcp_xr,
        auth_realm=given.auth_realm,
    )


def opening_of(hours: OpeningFields, closed_agent: Agent | None, not_ready: tuple[str, ...]) -> OpeningHours:
    """A number's opening hours, in minutes of the day."""
    days = (getattr(hours.days, day) for day in _DAYS)
    spans = tuple(tuple((_minutes(begin), _minutes(end)) for begin, end in day) for day in days)
    return OpeningHours(hours.timezone, spans, closed_agent, not_ready)


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def _target(target: Target) -> TransferTarget:
    return TransferTarget(
        label=target.name,
        mode=TransferMode(target.mode or "agent"),
        number=target.number,
        sip_uri=target.sip_uri,
        agent_id=target.target_agent_id,
        description=target.description or "",
    )


def _turn(settings: AgentSettings) -> TurnSettings:
    given: dict[str, Any] = {ours: getattr(settings, theirs) for ours, theirs in _TURN.items()}
    return TurnSettings(**{name: value for name, value in given.items() if value is not None})


def _extraction(settings: AgentSettings) -> tuple[ExtractionField, ...]:
    return tuple(
        ExtractionField(item.name, item.type, item.description, tuple(item.options), item.required)
        for item in settings.post_call_extraction_schema
    )
