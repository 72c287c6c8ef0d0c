"""Calls: what places one, what lists them, and how one is read."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from control_api.models.base import Body, Id, JsonObject, Moment, PageQuery, Resource, Time

Status = Literal["queued", "ringing", "in_progress", "completed", "failed", "no_answer"]
Direction = Literal["inbound", "outbound"]

DAY_SECONDS = 86_400


class CallQuery(PageQuery):
    """Filters of the list; `metadata.<key>` besides. `createdAfter` is included, `createdBefore` is not."""

    status: Status | None = None
    direction: Direction | None = None
    agent_id: Id | None = None
    phone_number_id: Id | None = None
    customer_number: Annotated[str | None, Field(max_length=255)] = None
    created_after: Moment | None = None
    created_before: Moment | None = None


class TranscriptItem(Resource):
    """Something that was said; of an agent, what was heard of it. Milliseconds of the recording."""

    role: Literal["user", "assistant"]
    content: str
    start_ms: int
    end_ms: int
    interrupted: bool


class Transcript(Resource):
    """All that was said in a call."""

    call_id: Id
    transcript: list[TranscriptItem]


class CallAnalysis(Resource):
    """What was read from a finished call."""

    summary: str | None
    extractions: JsonObject


class SipAnswer(Resource):
    """The last SIP answer."""

    code: int
    reason: str | None


class HeardStream(Resource):
    """How losses of the caller's stream cluster (RFC 3611 section 4.7.2): in bursts, and in the gaps between them."""

    packets_expected: int
    packets_duplicate: int
    burst_percent: float
    burst_ms: int
    gap_percent: float
    gap_ms: int


class WorstTenSeconds(Resource):
    """The ten seconds with most loss, and the second of the call at which they ended."""

    mos: float
    loss_percent: float
    at_seconds: int


class HeardByPeer(Resource):
    """What the peer's RTCP says of the agent's stream; `mos` only where it sends extended reports (RTCP XR)."""

    loss_percent: float
    jitter_ms: float
    mos: float | None


Finding = Literal[
    "no_packet",
    "other_address",
    "not_authentic",
    "only_comfort_noise",
    "unknown_payload",
    "no_speech",
    "address_learnt",
    "peer_hears_nothing",
]


class Quality(Resource):
    """How the caller was heard, and as far as RTCP tells how the agent was. `mos` counts the delay, `mosListening` does not."""

    mos: float | None
    loss_percent: float
    jitter_ms: float
    codec: str
    mos_listening: float | None = None
    round_trip_ms: float | None = None
    concealed_ms: int | None = None
    packets_sent: int | None = None
    packets_received: int | None = None
    packets_lost: int | None = None
    packets_late: int | None = None
    heard: HeardStream | None = None
    worst_ten_seconds: WorstTenSeconds | None = None
    heard_by_peer: HeardByPeer | None = None
    findings: list[Finding] = Field(default_factory=list)
    media_source: str | None = None


class Latency(Resource):
    """From the caller's last sample to the agent's first, on the wire."""

    turn_p50_ms: Annotated[int, Field(alias="turnP50Ms")]
    turn_p95_ms: Annotated[int, Field(alias="turnP95Ms")]


class TransferCall(Resource):
    """A transfer of a call: how it was done, and the leg to whoever was to take the caller over."""

    id: Id
    transfer_type: Literal["cold", "warm", "warm_briefing", "agent"]
    transfer_status: Literal["initiated", "ringing", "answered", "completed", "failed", "canceled"]
    duration_seconds: int | None
    customer_number: str | None
    recording_url: str | None
    transcript: list[TranscriptItem]
    started_at: Time | None
    ended_at: Time | None
    cost: float | None
    status: Status
    label: str
    failure_reason: str | None


class CallProblem(Resource):
    """Something that went wrong and did not end the call."""

    at: Time
    part: Literal["sip", "stt", "llm", "tts", "tool", "webhook", "media"]
    message: str


class CallItem(Resource):
    """A call as it stands in a list."""

    id: Id
    organization_id: Id
    agent_id: Id | None
    phone_number_id: Id | None
    call_sid: str | None
    provider: str
    direction: Direction
    status: Status
    customer_number: str
    duration_seconds: int | None
    cost: float | None
    recording_url: str | None
    turn_count: int
    ended_reason: str | None
    context_variables: JsonObject
    metadata: JsonObject
    parent_call_id: Id | None
    transfer_type: str | None
    transfer_status: str | None
    transfer_calls: list[TransferCall]
    started_at: Time | None
    ended_at: Time | None
    created_at: Time
    cost_breakdown: JsonObject | None
    sip: SipAnswer | None
    quality: Quality | None
    latency: Latency | None
    retry_of: Id | None
    opt_out: bool
    problems: list[CallProblem]


class Call(CallItem):
    """A call as it is read."""

    transcript: list[TranscriptItem]
    analysis: CallAnalysis | None
    tool_calls: list[JsonObject]


class CallCreate(Body):
    """`retry` and `callingWindow` are part of the contract and not available yet."""

    READ_ONLY: ClassVar[frozenset[str]] = frozenset(str(field.alias) for field in Call.model_fields.values())

    agent_id: Id
    phone_number_id: Id
    to: Annotated[str, Field(min_length=1, max_length=255, examples=["+12025550123"])]
    context_variables: JsonObject = Field(default_factory=dict)
    metadata: JsonObject = Field(default_factory=dict)
    scheduled_at: Moment | None = None
    max_queue_seconds: Annotated[int, Field(ge=1, le=7 * DAY_SECONDS)] = 3600
    ring_timeout_seconds: Annotated[int | None, Field(ge=5, le=300)] = None
    retry: JsonValue = None
    calling_window: JsonValue = None
    id: Id | None = None
