"""What the other rooms know of the media plane: frames, events and two Protocols.

Time. Every position of a call is counted in samples at 8 kHz on the *recording's time line*: 0 is the instant at which
the call's media was connected (`CallMedia.connect`), so `position / 8` is milliseconds into the recording. Wall clocks
never enter: the tick counts.

Audio. What a caller says is heard at 16 kHz (`EAR_RATE`); what an agent says is played at `CallMedia.rate`, 8 kHz
(`LINE_RATE`) or, on a wideband call, 16 kHz, both int16, in frames of 20 ms.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.call_report import MediaReport
from media.seen import Look

Pcm = NDArray[np.int16]

FRAME_MS = 20
LINE_RATE = 8000
LINE_SAMPLES = LINE_RATE * FRAME_MS // 1000
EAR_RATE = 16000
EAR_SAMPLES = EAR_RATE * FRAME_MS // 1000


class Codec(StrEnum):
    """The audio codecs of the line; the value is the encoding name of RFC 3551, or of RFC 7587."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"
    OPUS = "opus"
    L16 = "L16"

    @property
    def is_wideband(self) -> bool:
        """Whether it carries 16 kHz; the others carry 8."""
        return self in (Codec.G722, Codec.OPUS, Codec.L16)

    @property
    def clock(self) -> int:
        """Ticks a second of its RTP timestamps: G.722 counts half its samples (RFC 3551 section 4.5.2), Opus always 48 kHz."""
        return {Codec.OPUS: 48000, Codec.L16: 16000}.get(self, LINE_RATE)


class Direction(StrEnum):
    """Which way media flows, seen from us (RFC 3264 section 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class RtpFormat:
    """What was negotiated: payload types are the numbers that the peer wants to receive and will send.

    `telephone_event` is the payload type of RFC 4733 events, None when the peer has none, and `event_rate` their clock rate.
    `ptime` is in milliseconds: how much audio the peer asked for in each packet we send. `others` are the payload types that the
    peer may change to without asking, at most four. Of Opus, `fec` says that the peer wants to be able to recover
    lost packets, and `bitrate` how many bits a second it takes at most (RFC 7587 section 6.1).
    """

    codec: Codec
    payload_type: int
    telephone_event: int | None = None
    ptime: int = 20
    event_rate: int = LINE_RATE
    others: tuple[tuple[int, Codec], ...] = ()
    fec: bool = False
    bitrate: int | None = None


@dataclass(frozen=True, slots=True)
class RtpRemote:
    """Where the peer said that it receives RTP (the SDP's c= and m= lines), and RTCP (a=rtcp, else the next port).

    `xr`: it asks for extended reports with VoIP metrics (a=rtcp-xr, RFC 3611 section 5).
    """

    host: str
    port: int
    rtcp_port: int | None = None
    xr: bool = False


class CryptoSuite(StrEnum):
    """The crypto suites of SRTP, the strongest first; the value is the name in SDP (RFC 4568 section 6.2, RFC 7714 section 14.2)."""

    AEAD_AES_128_GCM = "AEAD_AES_128_GCM"
    AES_CM_128_HMAC_SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    AES_CM_128_HMAC_SHA1_32 = "AES_CM_128_HMAC_SHA1_32"

    @property
    def key_octets(self) -> int:
        """Octets of master key and master salt together."""
        return 28 if self is CryptoSuite.AEAD_AES_128_GCM else 30


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What secures a call's RTP and RTCP: each key is master key and master salt in a row, `suite.key_octets` long.

    `local` is what we send with, `remote` what the peer sends with.
    """

    suite: CryptoSuite
    local: bytes = field(repr=False)
    remote: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BargeIn:
    """How the tick reacts to a caller who speaks while the agent speaks (CONTRACT, "when the agent stops").

    `threshold` is Silero's speech probability (0–1); `cooldown_ms` is how long after the agent's own speech the
    threshold stays raised, because what is heard then may be its echo.
    """

    enabled: bool = True
    threshold: float = 0.35
    cooldown_ms: int = 400


@dataclass(frozen=True, slots=True)
class HeardFrame:
    """20 ms of what the caller said.

    pcm: int16, (320,), 16 kHz. `at` is the position of its first sample; `speech` the latest speech probability;
    `concealed` says that the packet was lost and this is a guess.
    """

    at: int
    pcm: Pcm
    speech: float
    concealed: bool


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """Something that happened on the tick, at a position of the recording's time line."""

    at: int


@dataclass(frozen=True, slots=True)
class SpeechStarted(MediaEvent):
    """The caller began to speak; `at` is the onset, at most one VAD frame early."""


@dataclass(frozen=True, slots=True)
class SpeechStopped(MediaEvent):
    """The caller fell silent; `at` is the end of the last frame with speech. Said at once, without any hangover."""


@dataclass(frozen=True, slots=True)
class Ducked(MediaEvent):
    """The agent's voice was lowered: first frame of a caller's speech over it."""


@dataclass(frozen=True, slots=True)
class Paused(MediaEvent):
    """The agent's voice was stopped, reversibly; `played` frames of what was queued had left by then."""

    played: int


@dataclass(frozen=True, slots=True)
class Resumed(MediaEvent):
    """The agent goes on speaking from frame `frame`: by `CallMedia.resume`, or by itself after a pause nobody judged."""

    frame: int


@dataclass(frozen=True, slots=True)
class MarkPlayed(MediaEvent):
    """The frame that carried `mark` has left; `at` is the position of its first sample."""

    mark: int


@dataclass(frozen=True, slots=True)
class PlayoutIdle(MediaEvent):
    """Everything queued has been played; `at` is the position after the last sample that left."""


@dataclass(frozen=True, slots=True)
class DigitHeard(MediaEvent):
    """The caller pressed a key (RFC 4733, or tones where there is no such thing); one event for a key, however many packets told of it."""

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class MediaTimeout(MediaEvent):
    """No RTP has come for the configured time though the peer should be sending."""


@dataclass(frozen=True, slots=True)
class MediaFailed(MediaEvent):
    """The media process is gone; nothing more will be heard or said on this call."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unbridged(MediaEvent):
    """The bridge of this call has ended, and not by its own `unbridge`: the other side closed its media, or took itself off."""


class MediaUnavailable(Exception):
    """No call can be carried now: every row is taken, no port is free, or the media process is down."""


class CallMedia(Protocol):
    """One call's media, as the main process holds it. Nothing here blocks; nothing here raises for a peer's mistake."""

    call_id: str
    host: str
    """The address that our RTP is sent from and that goes into our SDP."""
    port: int
    """Our RTP port (even); RTCP is the next one."""

    async def connect(
        self,
        remote: RtpRemote,
        fmt: RtpFormat,
        direction: Direction = Direction.SENDRECV,
        srtp: SrtpKeys | None = None,
    ) -> None:
        """Start sending and hearing. A second call changes the remote, format, direction or keys (re-INVITE); the time line runs on.

        Without keys RTP is plain. Keys that were given up for plain RTP must not be used again.
        """

    def events(self) -> AsyncIterator[MediaEvent]:
        """Every event of the call in order; ends after `close` or `MediaFailed`. One consumer."""

    def position(self) -> int:
        """Now, on the recording's time line."""

    def hear(self, start: int) -> AsyncIterator[HeardFrame]:
        """Frames from position `start` on (at most 500 ms in the past), for ever; lost ones are there, concealed."""

    def set_barge_in(self, barge_in: BargeIn) -> None:
        """How the caller's speech acts on what is played from now on."""

    def set_background(self, sound_id: str | None, volume: float) -> None:
        """What is heard under the agent's voice, and while it is silent; None, or a sound that is not there (any more): nothing.

        volume: 0–1, 1 as loud as speech. It fades in and out, stays as it is under a duck or a pause, and is silent over a bridge.
        """

    @property
    def rate(self) -> int:
        """At which rate `play` takes speech without loss: 16000 on a wideband call, else 8000. It may change with the codec."""

    def room(self) -> int:
        """How many more frames `play` takes now."""

    def queued(self) -> int:
        """How many frames have been given to `play` since the call began, in all."""

    def played(self) -> int:
        """How many of those frames have left on the wire, in all."""

    def play(self, frames: Pcm, mark: int = 0) -> int:
        """Queue speech. frames: int16, (n, 160), 8 kHz, or (n, 320), 16 kHz, on any call. A `mark` other than 0 is
        reported when the *first* of them leaves.

        Returns how many were taken, the first ones; the ring refuses the rest, which the caller offers again.
        """

    async def wait_room(self, frames: int) -> None:
        """Until `room() >= frames`, or the media is closed."""

    async def flush(self) -> int:
        """Drop what is queued and not yet sent (ends a pause too). Returns `played()`; nothing dropped counts as played."""

    async def resume(self, frame: int) -> None:
        """End a pause and go on from frame number `frame`, at most 1 s before the pause (the start of a word)."""

    async def send_digits(self, digits: str) -> bool:
        """Send keys, 100 ms each, as RFC 4733 events or, where the peer takes none, as tones (ITU-T Q.23); returns when the last has left.

        What is being said waits meanwhile. ValueError for what is no digit. False when the peer holds us, or too many keys
        have yet to go; or the call is over.
        """

    async def bridge(self, other: CallMedia, *, digits: bool = True) -> None:
        """From the next tick on play to each what is heard of the other, whatever codec either has.

        `other` was opened `beside` this one. What is heard is mixed (with saturation) into what `play` has queued, so an
        announcement is heard over the bridge on the side that it was queued for. The caller's speech ducks and pauses nothing
        on either side while the bridge stands, speech is still told by events. Keys are told by `DigitHeard` as always, and
        with `digits` sent on to the other side. A side that is on hold, or sends nothing, leaves comfort noise to the other. The
        recording goes on: left what this side says, right what is played to it, thus the other side too. A bridge that either
        had before ends. Raises MediaUnavailable when the two are not in one media process, or either is over; ValueError for
        a bridge to itself.
        """

    async def unbridge(self) -> None:
        """End the bridge: each side hears only what is queued for it again. The other side is told by `Unbridged`. Idempotent."""

    async def set_recording(self, on: bool) -> None:
        """Off: silence is laid into the recording, so that its time line stays true."""

    def look(self, take: Look | None) -> None:
        """Have `take` told of the header of each RTP packet that comes or leaves from now on; None: no more."""

    async def close(self) -> MediaReport:
        """Stop, free the port, write the recording's last page and header. Idempotent."""


class MediaPlane(Protocol):
    """All media processes of this node."""

    async def open(self, call_id: str, recording: Path | None, beside: CallMedia | None = None) -> CallMedia:
        """Take a row and a pair of ports on the least loaded process, or on that of `beside`, so that the two can be bridged.

        `recording` is the WAV to write. Raises MediaUnavailable: no process, or not that one, has a free row and ports.
        """

    def free(self) -> int:
        """How many more calls can be opened now."""
