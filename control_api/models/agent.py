"""Agents, in the contract's order of fields."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AliasChoices, Field, model_validator

from control_api.models.base import Body, Id, JsonObject, Resource, Time, Timezone
from control_api.models.transfer import Targets

Probability = Annotated[float, Field(ge=0, le=1)]
Milliseconds2000 = Annotated[int, Field(ge=0, le=2000)]
Milliseconds5000 = Annotated[int, Field(ge=0, le=5000)]


class ExtractionItem(Body):
    """One value to read from a finished call."""

    name: Annotated[str, Field(min_length=1, max_length=255, validation_alias=AliasChoices("name", "key"))]
    type: Literal["string", "number", "boolean", "date", "enum"]
    description: Annotated[str, Field(max_length=2000)] = ""
    options: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=255)]], Field(max_length=100, default_factory=list)
    ]
    required: bool = False

    @model_validator(mode="after")
    def _has_options(self) -> ExtractionItem:
        if self.type == "enum" and not self.options:
            raise ValueError("an enum needs its options")
        return self


class Silence(Body):
    """What happens when the caller says nothing."""

    prompt_after_ms: Annotated[int, Field(ge=1000, le=120_000)] = 8000
    prompts: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(max_length=10, default_factory=list)
    ]
    end_after: Annotated[int, Field(ge=0, le=10)] = 2


class Voicemail(Body):
    """What happens when a machine answers."""

    action: Literal["hangup", "message", "continue"] = "hangup"
    message: Annotated[str | None, Field(max_length=1000)] = None


class Recording(Body):
    """Whether, from when and in which format calls are recorded."""

    enabled: bool = True
    after_disclosure: bool = False
    format: Literal["mp3", "wav", "ogg"] = "mp3"
    retention_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class AgentSettings(Body):
    """Everything about an agent that can be set, with the contract's defaults. Null is the server's default."""

    name: Annotated[str, Field(min_length=1, max_length=255)] = ""
    system_prompt: Annotated[str, Field(max_length=32_000)] = ""
    slm_model_id: Id | None = None
    voice_id: Id | None = None
    voice_speed: Annotated[float, Field(ge=0.6, le=1.5)] = 1
    voice_stability: Probability = 0.5
    turn_endpoint_delay: Annotated[int | None, Field(ge=50, le=2000)] = 100
    min_turn_duration: Milliseconds2000 | None = 50
    min_interruption_duration: Milliseconds2000 | None = 100
    frame_activation_threshold: Probability | None = 0.35
    post_speech_cooldown: Milliseconds5000 | None = 400
    ultravad_eot_threshold: Probability | None = 0.1
    speculative_silence_ms: Milliseconds5000 | None = 150
    fallback_silence_ms: Annotated[int | None, Field(ge=0, le=10_000)] = 3000
    allow_end_call: bool = True
    is_active: bool = True
    post_call_summary_enabled: bool = False
    post_call_extraction_schema: Annotated[list[ExtractionItem], Field(max_length=50, default_factory=list)]
    post_call_webhook_url: Annotated[str | None, Field(max_length=2000, json_schema_extra={"format": "uri"})] = None
    post_call_webhook_secret: Annotated[str | None, Field(min_length=1, max_length=255)] = None
    first_speaker: Literal["user", "agent"] = "user"
    agent_greeting: Annotated[str | None, Field(max_length=1000)] = None
    agent_greeting_enabled: bool = False
    first_message_uninterruptible: bool = False
    first_message_delay: Annotated[int, Field(ge=0, le=10_000)] = 0
    max_call_duration_seconds: Annotated[int, Field(ge=30, le=3600)] = 600
    language_hint: Annotated[str | None, Field(max_length=10)] = None
    knowledge_search_instructions: Annotated[str | None, Field(max_length=2000)] = None
    background_sound_id: Id | None = None
    background_sound_volume: Probability = 0.15
    hold_message: Annotated[str | None, Field(max_length=500)] = None
    hold_music_url: Annotated[str | None, Field(max_length=500, json_schema_extra={"format": "uri"})] = None
    transfer_max_seconds: Annotated[int, Field(ge=60, le=86_400)] = 14_400
    transfer_targets: Annotated[Targets, Field(default_factory=list)]
    script: JsonObject | None = None
    disclosure: Annotated[str | None, Field(max_length=1000)] = None
    silence: Silence = Silence()
    voicemail: Voicemail = Voicemail()
    recording: Recording = Recording()
    timezone: Timezone | None = None


READ_ONLY = frozenset({"id", "organizationId", "createdAt", "updatedAt", "readiness"})


class AgentCreate(AgentSettings):
    """`id` is for moving an installation; it takes a key of scope admin, as creating agents does."""

    READ_ONLY: ClassVar[frozenset[str]] = READ_ONLY
    name: Annotated[str, Field(min_length=1, max_length=255)]
    id: Id | None = None
    tool_ids: list[Id] = Field(default_factory=list)


class AgentUpdate(AgentSettings):
    """Only what is sent is changed; an object inside is replaced as a whole."""

    READ_ONLY: ClassVar[frozenset[str]] = READ_ONLY
    tool_ids: list[Id] = Field(default_factory=list)


class Readiness(Resource):
    """Whether the agent can serve a call now, and if not, why."""

    ok: bool
    problems: list[str]


class Agent(AgentSettings):
    """An agent as it is read."""

    id: Id
    organization_id: Id
    tool_ids: list[Id]
    created_at: Time
    updated_at: Time
    readiness: Readiness
