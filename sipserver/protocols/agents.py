"""Agents as they were when a call began, with their settings and the targets to which they may hand over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal


class TransferMode(StrEnum):
    """How a caller is handed over; the values are the contract's `transferType`."""

    COLD = "cold"
    WARM = "warm"
    WARM_BRIEFING = "warm_briefing"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """The eight turn settings of the contract, with its defaults. Milliseconds, and probabilities of 0–1."""

    endpoint_delay_ms: int = 100
    min_turn_ms: int = 50
    min_interruption_ms: int = 100
    activation_threshold: float = 0.35
    post_speech_cooldown_ms: int = 400
    eot_threshold: float = 0.1
    speculative_silence_ms: int = 150
    fallback_silence_ms: int = 3000


@dataclass(frozen=True, slots=True)
class SilenceSettings:
    """After `prompt_after_ms` without a word the next prompt is said; after `end_after` prompts the call ends."""

    prompt_after_ms: int = 8000
    prompts: tuple[str, ...] = ()
    end_after: int = 2


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """Whether, from when, and in which format a call is recorded."""

    enabled: bool = True
    after_disclosure: bool = False
    format: Literal["mp3", "wav", "ogg"] = "mp3"
    retention_days: int | None = None


@dataclass(frozen=True, slots=True)
class ExtractionField:
    """One item of `postCallExtractionSchema`."""

    name: str
    type: Literal["string", "number", "boolean", "date", "enum"]
    description: str = ""
    options: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class TransferTarget:
    """To whom an agent may hand a caller over: exactly one of a number (E.164), a SIP URI and another agent.

    Scripts and language models name it by its `label`, never by a number.
    """

    label: str
    mode: TransferMode
    number: str | None = None
    sip_uri: str | None = None
    agent_id: str | None = None
    description: str = ""

    @property
    def to(self) -> str | None:
        """What is dialled; None for an agent."""
        return self.number or self.sip_uri


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as it was when the call began. `script` is the contract's object, already checked."""

    id: str
    organization_id: str
    name: str
    system_prompt: str = ""
    model_id: str | None = None
    voice_id: str | None = None
    voice_speed: float = 1.0
    voice_stability: float = 0.5
    turn: TurnSettings = TurnSettings()
    allow_end_call: bool = True
    is_active: bool = True
    summary_enabled: bool = False
    extraction: tuple[ExtractionField, ...] = ()
    first_speaker: Literal["user", "agent"] = "user"
    greeting: str | None = None
    greeting_enabled: bool = False
    first_message_uninterruptible: bool = False
    first_message_delay_ms: int = 0
    max_call_seconds: int = 600
    language: str | None = None
    script: Mapping[str, Any] | None = None
    disclosure: str | None = None
    silence: SilenceSettings = SilenceSettings()
    recording: RecordingSettings = RecordingSettings()
    timezone: str | None = None
    transfer_targets: tuple[TransferTarget, ...] = ()
    hold_message: str | None = None
    hold_music_url: str | None = None
    transfer_max_seconds: int = 14_400
    background_sound_id: str | None = None
    background_sound_volume: float = 0.15

    def transfer_target(self, label: str) -> TransferTarget | None:
        """The target of this label, if the agent has it."""
        return next((target for target in self.transfer_targets if target.label == label), None)
