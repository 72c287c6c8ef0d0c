"""What a call's media came to when it is over, and how it sounded: what goes into the call's row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """Why somebody heard nothing, or what else is strange about a call's audio."""

    NO_PACKET = "no_packet"
    OTHER_ADDRESS = "other_address"
    NOT_AUTHENTIC = "not_authentic"
    ONLY_COMFORT_NOISE = "only_comfort_noise"
    UNKNOWN_PAYLOAD = "unknown_payload"
    NO_SPEECH = "no_speech"
    ADDRESS_LEARNT = "address_learnt"
    PEER_HEARS_NOTHING = "peer_hears_nothing"


FINDINGS = tuple(Finding)


@dataclass(frozen=True, slots=True)
class Heard:
    """How the peer's stream came, beside `MediaReport`. Shares are percentages; bursts and gaps as in RFC 3611 section 4.7.2."""

    packets_expected: int
    packets_duplicate: int
    concealed_ms: int
    burst_percent: float
    burst_ms: int
    gap_percent: float
    gap_ms: int
    mos_listening: float


@dataclass(frozen=True, slots=True)
class WorstSeconds:
    """The ten seconds with most loss: the score they would have alone, and the second of the call at which they ended."""

    mos: float
    loss_percent: float
    at_s: int


@dataclass(frozen=True, slots=True)
class HeardByPeer:
    """What the peer's last RTCP report says of our stream; its score only where it sends extended reports."""

    loss_percent: float
    jitter_ms: float
    mos: float | None


@dataclass(frozen=True, slots=True)
class MediaQuality:
    """How a call sounded, in both directions. None: nothing is known. `source`: where packets came from, if not from the SDP's address."""

    heard: Heard | None = None
    worst: WorstSeconds | None = None
    peer: HeardByPeer | None = None
    round_trip_ms: float | None = None
    findings: tuple[Finding, ...] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What a call's media came to. Losses are of packets received; `mos` by the E-model (ITU-T G.107).

    `problem` says why the recording is not whole, None where it is.
    """

    packets_sent: int
    packets_received: int
    packets_lost: int
    packets_late: int
    jitter_ms: float
    mos: float | None
    codec: str
    duration_samples: int
    problem: str | None = None
    quality: MediaQuality = MediaQuality()
