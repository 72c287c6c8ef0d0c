"""The nouns that all rooms share, and the Protocols by which they meet. Imports nothing of ours but `media.frames`.

`sipserver` needs somebody who keeps the calls (`CallLog`), who knows which agent answers which number
(`AgentDirectory`) and who talks (`Conversation`); `control_api` needs somebody who places and ends calls (`Dialler`), who
judges scripts (`AgentChecks`) and who reads a finished call (`Analyst`). `server.py` joins them.

Ids are UUID texts. Times are microseconds since the epoch, UTC. Positions are those of `media.frames`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from media.frames import CallMedia, MediaReport, Pcm

Variables = Mapping[str, Any]


class CallDirection(StrEnum):
    """Who rang."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class CallStatus(StrEnum):
    """The statuses of the contract; the last three are final."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    NO_ANSWER = "no_answer"


class EndedReason(StrEnum):
    """Why a call ended (CONTRACT, `endedReason`)."""

    AGENT_ENDED = "agent_ended"
    CUSTOMER_ENDED = "customer_ended"
    TRANSFERRED = "transferred"
    MAX_DURATION = "max_duration"
    SILENCE_TIMEOUT = "silence_timeout"
    VOICEMAIL = "voicemail"
    BUSY = "busy"
    REJECTED = "rejected"
    INVALID_NUMBER = "invalid_number"
    NO_ANSWER = "no_answer"
    CANCELED = "canceled"
    EXPIRED = "expired"
    BLOCKED = "blocked"
    MEDIA_TIMEOUT = "media_timeout"
    TRUNK_UNAVAILABLE = "trunk_unavailable"
    AT_CAPACITY = "at_capacity"
    NODE_LOST = "node_lost"
    ERROR = "error"


class TransferMode(StrEnum):
    """How a caller is handed over; the values are the contract's `transferType`."""

    COLD = "cold"
    WARM = "warm"
    WARM_BRIEFING = "warm_briefing"
    AGENT = "agent"


class TransferStatus(StrEnum):
    """How far a transfer is (CONTRACT, `transferStatus`); the last three are final."""

    INITIATED = "initiated"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class TransferFailure(StrEnum):
    """Why a transfer came to nothing, so that the caller is with the agent again."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    REFER_REFUSED = "refer_refused"
    NOT_ALLOWED = "not_allowed"
    AT_CAPACITY = "at_capacity"


# -- what a call is made with -------------------------------------------------------------------------------------------


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

    def transfer_target(self, label: str) -> TransferTarget | None:
        """The target of this label, if the agent has it."""
        return next((target for target in self.transfer_targets if target.label == label), None)


@dataclass(frozen=True, slots=True)
class TrunkOptions:
    """How calls over a trunk are made and taken: the options of the contract's `/trunks`, with its defaults.

    `number_format`: how numbers stand in the URIs of this trunk, both ways; `region` (ISO 3166-1) reads those without a plus.
    `from_user` replaces the caller id in From, which then stands in the header that `identity` names (RFC 3325, RFC 5806).
    `identity_format`: how the caller id is written: as numbers are `dialled`, or in a form of its own.
    `session_timer` in seconds (RFC 4028), None: only when the peer asks for it. `codecs` are encoding names in our order,
    `ptime` milliseconds. `max_channels`, `max_calls_per_second`, `ring_timeout_seconds` None: no limit of the trunk's own.
    `advertised_address`: the host in Via, Contact and SDP; peers inside `local_nets` (CIDR) see our own address instead.
    `failover_hosts`: where calls go, in this order, that the trunk's own host does not take; calls may come from them too.
    `caller_id`: where an inbound caller's number is read; `context_headers`: names of headers that become variables.
    """

    number_format: Literal["e164", "national", "raw"] = "e164"
    region: str | None = None
    from_user: str | None = None
    identity: Literal["none", "pai", "ppi", "diversion"] = "none"
    identity_format: Literal["dialled", "e164", "digits", "national"] = "dialled"
    privacy: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    ptime: int = 20
    srtp: Literal["off", "preferred", "required"] = "off"
    session_timer: int | None = None
    reliable100: Literal["off", "supported", "required"] = "supported"
    max_channels: int | None = None
    max_calls_per_second: float | None = None
    ring_timeout_seconds: int | None = None
    advertised_address: str | None = None
    local_nets: tuple[str, ...] = ()
    accept_refer: bool = False
    catch_all_agent_id: str | None = None
    caller_id: Literal["pai", "from"] = "pai"
    context_headers: tuple[str, ...] = ("User-to-User",)
    follow_redirects: bool = False
    failover_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trunk:
    """A way to the telephone network.

    `host` is where calls are sent (registrar, proxy or peer), `sources` what calls may come from: addresses, CIDR
    blocks or names. `username`/`password` answer the trunk's own challenges only. `transport` `auto`: the DNS decides
    (RFC 3263 section 4.1). Who shows the inbound ones, from wherever, is this trunk's peer: we challenge those whom we do not know.
    """

    id: str
    organization_id: str
    mode: Literal["registration", "ip_allowlist"]
    host: str
    port: int = 5060
    transport: Literal["udp", "tcp", "tls", "auto"] = "udp"
    sources: tuple[str, ...] = ()
    outbound_proxy: str | None = None
    username: str | None = None
    auth_user: str | None = None
    password: str | None = field(default=None, repr=False)
    options: TrunkOptions = TrunkOptions()
    inbound_username: str | None = None
    inbound_password: str | None = field(default=None, repr=False)


FallbackReason = Literal["inactive", "not_ready", "limit", "closed", "error"]
"""Why a number's agent does not take a call: it is inactive or missing, cannot serve, has all its calls, is out of hours, or we failed."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Where a call goes that the number's agent does not take, for the reasons `when`. One of the three is set.

    `number` is in E.164, `sip_uri` a whole `sip:` or `sips:` URI; `not_ready` belongs to `agent`, as in a `Route`.
    """

    when: frozenset[FallbackReason]
    number: str | None = None
    sip_uri: str | None = None
    agent: Agent | None = None
    not_ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When a number is answered by its agent. `timezone` is an IANA name.

    `days`: for each weekday, Monday first, the times that it is open, in minutes since midnight of the wall clock, from the first
    up to but without the second (1440: midnight at the end). At other times `closed_agent` answers, where there is one.
    """

    timezone: str
    days: tuple[tuple[tuple[int, int], ...], ...]
    closed_agent: Agent | None = None
    closed_not_ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Where an inbound call goes: the number that was called and its agent (None: the number has none).

    `not_ready` holds the problems that keep the agent from serving; it then only takes a message. `phone_number_id` is None for a
    number that is none of ours, which the trunk's catch-all agent answers. `opening` None: always open. `blocked` are callers
    that are refused: E.164 numbers, beginnings of such with a star, `anonymous`. `sipserver.reception` decides by these.
    """

    phone_number_id: str | None
    number: str
    organization_id: str
    trunk: Trunk
    agent: Agent | None
    not_ready: tuple[str, ...] = ()
    record_to: str | None = None
    opening: OpeningHours | None = None
    fallback: Fallback | None = None
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DialOrder:
    """An outbound call whose row says `dialing` already (at most once: ADR on outbound dialling)."""

    call_id: str
    organization_id: str
    agent: Agent
    phone_number_id: str
    from_number: str
    to: str
    trunk: Trunk
    variables: Variables = field(default_factory=dict)
    ring_timeout_seconds: int = 60


@dataclass(frozen=True, slots=True)
class RegistrationState:
    """How our registration at a trunk stands. `expires_at` in microseconds; None where the registrar holds no binding of ours.

    `failed`: it is tried again by itself. `stopped`: it is not (the registrar forbade it with 403, or the node drains).
    """

    status: Literal["registering", "registered", "failed", "stopped"]
    expires_at: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class TrunkHealth:
    """What the last OPTIONS came to. `unknown`: the trunk has never answered one. `round_trip_ms` None without an answer."""

    status: Literal["up", "down", "unknown"]
    checked_at: int | None
    round_trip_ms: float | None
    last_error: str | None


class TrunkStates(Protocol):
    """How trunks are doing, from memory."""

    def registration(self, trunk_id: str) -> RegistrationState | None:
        """None where we do not register."""

    def health(self, trunk_id: str) -> TrunkHealth | None:
        """None where we do not probe."""


CheckName = Literal[
    "dns", "tls", "register", "options", "codecs",
    "dial", "ringing", "answer", "codec", "first_packet", "loss", "jitter", "tone",
]  # fmt: skip
"""What is tried of a trunk, in this order; from `dial` on by a call."""


class CheckFailure(StrEnum):
    """Why a step of a trial call failed."""

    AT_CAPACITY = "at_capacity"
    TRUNK_UNAVAILABLE = "trunk_unavailable"
    INVALID_NUMBER = "invalid_number"
    BUSY = "busy"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    NO_ANSWER = "no_answer"
    NOT_ACCEPTABLE = "not_acceptable"
    NO_PACKETS = "no_packets"
    HUNG_UP = "hung_up"
    LOSS = "loss"
    JITTER = "jitter"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One thing that was tried of a trunk. `ms`: how long it took. `failure`: of the steps of a call."""

    name: CheckName
    ok: bool
    ms: float
    detail: str
    failure: CheckFailure | None = None


@dataclass(frozen=True, slots=True)
class TrialCall:
    """Whom to call to try a trunk out, and from which of our numbers. The dialling policy has been asked."""

    to: str
    from_number: str


class TrunkTester(Protocol):
    """Tries a trunk out."""

    async def check(self, trunk: Trunk, call: TrialCall | None = None) -> Sequence[CheckStep]:
        """What was tried, in order; nothing that can be done after a step that failed is left out. Some seconds for each.

        With `call` a real call is placed as well, which rings for half a minute at most.
        """


@dataclass(frozen=True, slots=True)
class Banned:
    """A source that nothing is heard of `until` then, µs since the epoch; `address` is an IPv4 address or an IPv6 /64.

    `why`: it named itself a `scanner`, sent a `flood` or `malformed` messages, or was `refused` too often.
    """

    address: str
    until: int
    why: str


class BanList(Protocol):
    """The sources that are banned now, from memory."""

    def banned(self) -> Sequence[Banned]:
        """The latest first."""

    def lift(self, host: str) -> bool:
        """Listen to this address again, with all that are banned with it (an IPv6 /64); False where there is no ban."""


# -- what is kept of a call ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InboundCall:
    """An INVITE that was taken: the row that `CallLog.begin` writes, with status `ringing`."""

    call_id: str
    route: Route
    customer_number: str
    sip_call_id: str
    at: int
    variables: Variables = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One item of the transcript. `text` is what was said, for the agent what was *heard* of it. Milliseconds of the recording."""

    role: Literal["user", "assistant"]
    text: str
    start_ms: int
    end_ms: int
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that went wrong in a call and did not end it, for `problems` on the call's resource."""

    at: int
    part: Literal["sip", "stt", "llm", "tts", "tool", "webhook", "media"]
    message: str


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something to show while a call runs (`/v1/calls/{id}/events`, `antiphon calls tail`); nothing depends on it.

    kind: `status`, `sip` (a message of the ladder: direction, summary), `speech` (who: user or agent, on: bool),
    `partial` (text), `utterance` (role, text, interrupted), `digit`, `barge_in`, `turn` (latencyMs), `latency`,
    `transfer` (transferType, transferStatus, label, failureReason), `problem`, `quality` (as the call's own, at its end).
    """

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ConversationEnd:
    """What a conversation came to. `reason` is None when the far end or the network ended it."""

    reason: EndedReason | None
    captured: Variables = field(default_factory=dict)
    turn_count: int = 0
    turn_latencies_ms: tuple[int, ...] = ()
    opt_out: bool = False


@dataclass(frozen=True, slots=True)
class CallEnd:
    """The last word on a call; `CallLog.ended` writes it together with the jobs that follow (outbox).

    `sip_call_id` is None for a call that never became an INVITE.
    """

    status: CallStatus
    reason: EndedReason
    at: int
    sip_code: int | None = None
    sip_reason: str | None = None
    media: MediaReport | None = None
    conversation: ConversationEnd | None = None
    sip_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class TransferRecord:
    """A transfer of a call as it stands: written again, under the same `id`, whenever it has come further.

    `to` is whom we dialled, None for an agent. `started_at` is the answer of a leg of our own, None where there is none.
    `transcript` is what was said to whoever answered, in milliseconds of their leg.
    """

    id: str
    mode: TransferMode
    status: TransferStatus
    label: str
    to: str | None
    created_at: int
    started_at: int | None = None
    ended_at: int | None = None
    failure: TransferFailure | None = None
    sip_code: int | None = None
    transcript: tuple[Utterance, ...] = ()


class CallLog(Protocol):
    """Who keeps the calls. Every write is durable when it returns; a call that is final stays as it is."""

    async def begin(self, call: InboundCall) -> None:
        """Write an inbound call's row, status `ringing`."""

    async def ringing(self, call_id: str, sip_call_id: str, at: int) -> None:
        """An outbound call got its first 18x."""

    async def answered(self, call_id: str, sip_call_id: str, at: int) -> None:
        """The call is `in_progress`; `at` is `startedAt`."""

    async def utterance(self, call_id: str, item: Utterance) -> None:
        """Append to the transcript."""

    async def captured(self, call_id: str, values: Variables) -> None:
        """Keep what the conversation has learnt so far, so that it survives a crash."""

    async def problem(self, call_id: str, problem: Problem) -> None:
        """Append to the call's problems."""

    async def transfer(self, call_id: str, record: TransferRecord) -> None:
        """Keep how a transfer stands. What is open when the call ends is closed with it."""

    async def ended(self, call_id: str, end: CallEnd) -> None:
        """Make the call final, and queue analysis and webhook in the same transaction."""

    def publish(self, call_id: str, event: LiveEvent) -> None:
        """Show something to whoever watches. Never blocks, never fails."""

    def recording_path(self, call_id: str) -> str:
        """Where the call's WAV is written."""

    def accepting(self) -> str | None:
        """None while calls can be kept; else the sentence that says why not (disk full, store down)."""


class AgentDirectory(Protocol):
    """Which trunks are known and which agent answers which number. Answers from memory: it is asked for every INVITE."""

    def trunks_of(self, host: str) -> Sequence[Trunk]:
        """The trunks that calls from this source address may belong to; empty for an unknown source."""

    async def route(self, called: str, trunks: Sequence[Trunk]) -> Route | None:
        """The number that was called, on one of these trunks; None when there is no such number."""

    async def catch_all(self, called: Sequence[str], trunks: Sequence[Trunk]) -> Route | None:
        """For a call to no number of ours: the agent that answers all calls of one of these trunks; None where none does."""


class HoldMusicLibrary(Protocol):
    """What callers hear while they wait (`holdMusicUrl`)."""

    async def load(self, url: str | None) -> Pcm:
        """The music behind a URL, int16 (samples,), 8 kHz, to be played in a loop (`media.music.HoldMusic`).

        Our own melody where there is no URL, or where what it leads to cannot be fetched in time, is too large or is no audio. Never
        raises; at most some seconds, and from memory or disk for a URL that was loaded before.
        """


# -- transfers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """A caller is to be handed over to this target. `briefing`: what a human is told first, None where nothing was given."""

    target: TransferTarget
    briefing: str | None = None


@dataclass(frozen=True, slots=True)
class TransferOutcome:
    """What a transfer came to. `failure` None: the caller is with somebody else now; `sip_code` is the answer that said no."""

    failure: TransferFailure | None = None
    sip_code: int | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """What a conversation gives to a transfer besides its order.

    `quiet` returns when the agent has said to the caller what it had to say: then hold music may begin. `brief` speaks the briefing
    to whoever answered, on their media, and returns what was said.
    """

    order: TransferOrder
    quiet: Callable[[], Awaitable[None]]
    brief: Callable[[CallMedia], Awaitable[Sequence[Utterance]]]


Transfer = Callable[[Handover], Awaitable[TransferOutcome]]
"""Hands the caller of a call over. With a failure the caller is the conversation's again; without one the conversation is over and
returns with `EndedReason.TRANSFERRED`."""


@dataclass(frozen=True, slots=True)
class Colleague:
    """An agent to whom a call can be handed over; `not_ready` as in `Route`."""

    agent: Agent
    not_ready: tuple[str, ...] = ()


class TransferDesk(Protocol):
    """Who may be called to take a caller over."""

    def refusal(self, to: str, from_number: str, region: str | None = None, *, extension: bool = False) -> str | None:
        """Why this number must not be dialled from that one (the dialling policy), a sentence; None when it may.

        With `extension` also a name or short number within the trunk's own PBX may be called. `region` is the trunk's, home of
        a `from_number` that is an extension.
        """

    async def colleague(self, agent_id: str, organization_id: str) -> Colleague | None:
        """Another agent of the organization that takes calls; None when there is none of this id."""


# -- who talks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LiveCall:
    """An answered call, as its conversation sees it. `media` is connected: position 0 was the answer.

    `may_fail`: when the conversation ends with `EndedReason.ERROR` another agent goes on, so nobody says goodbye to the caller.
    """

    id: str
    direction: CallDirection
    agent: Agent
    customer_number: str
    agent_number: str
    variables: Variables
    media: CallMedia
    not_ready: tuple[str, ...] = ()
    transfer: Transfer | None = None
    may_fail: bool = False


class Conversation(Protocol):
    """Talks on one call until there is no more to say; cancelled when the far end hangs up."""

    async def run(self, call: LiveCall) -> ConversationEnd:
        """Returns when the agent ends the call (we then send BYE). Only a defect of ours raises.

        When it is cancelled (the peer's BYE, a failed media process) it puts down what was heard so far and raises
        CancelledError; `result` then tells what it had come to.
        """

    def hand_over(self, order: TransferOrder) -> bool:
        """Somebody ordered the caller to be handed over: the agent lets go and does it. False if it cannot now."""

    def result(self) -> ConversationEnd:
        """What the conversation has come to so far; also after `run` was cancelled. `reason` None if undecided."""


class Conversations(Protocol):
    """Makes conversations: one for each call."""

    def create(self, call: LiveCall) -> Conversation:
        """A conversation that has not begun."""


# -- what the HTTP side asks of the others ---------------------------------------------------------------------------------


class Dialler(Protocol):
    """Places calls and ends them."""

    async def dial(self, order: DialOrder) -> None:
        """Place the call and see it through to its end; everything is told to the `CallLog`, nothing is raised for a call that failed."""

    async def hang_up(self, call_id: str) -> bool:
        """End a live call (BYE, or CANCEL while it rings) as `agent_ended` / `canceled`. False if it is not live here."""

    async def transfer(self, call_id: str, order: TransferOrder) -> bool:
        """Have a live call handed over. False if it is not here, not answered, or not with an agent that can do it now."""

    def capacity(self) -> int:
        """How many more calls this node would take now; 0 when draining or full."""

    def trunk_wait(self, trunk: Trunk, starting: int) -> float:
        """Seconds until this trunk takes another call of ours, beside `starting` others; 0: now, and whoever asked has to place it."""


@dataclass(frozen=True, slots=True)
class ScriptProblem:
    """What is wrong with a script, and where: a path such as `steps.confirm.listen.0.hear.1`."""

    where: str
    message: str


class AgentChecks(Protocol):
    """Whether an agent can serve a call with the engines of this installation."""

    async def script(self, script: Mapping[str, Any], labels: Collection[str] = ()) -> Sequence[ScriptProblem]:
        """Every problem of a script: shape, unknown or unreachable steps, unparsable phrases, words that cannot be pronounced.

        `labels` are those of the agent's transfer targets; a step that transfers to anybody else is a problem.
        """

    async def readiness(self, agent: Agent) -> Sequence[str]:
        """Why the agent cannot serve now, a sentence each; empty when it is ready."""


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """What an analyst reads."""

    call_id: str
    agent: Agent
    transcript: Sequence[Utterance]
    captured: Variables
    variables: Variables


@dataclass(frozen=True, slots=True)
class Analysis:
    """`summary` None where none was asked for; extractions by field name, JSON values."""

    summary: str | None
    extractions: Variables


class Analyst(Protocol):
    """Reads a finished call: captured values and a plain extract, or a language model's structured output."""

    async def analyse(self, call: FinishedCall) -> Analysis:
        """Raises OSError when the engine cannot be reached; the job is then retried, and at last done without it."""
