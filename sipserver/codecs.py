"""The codecs as session descriptions name them: encoding names, clock rates and parameters. Sans-I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from media.codecs import opus
from media.frames import Codec
from sipserver.sdp import Attribute, Format

EVENT = "telephone-event"
EVENT_PAYLOAD_TYPE = 101
EVENT_RATE = 8000
EVENTS = "0-15"
"""The DTMF digits (RFC 4733 section 3.2)."""
_DYNAMIC = range(96, 128)
"""Payload types that are given out as needed (RFC 3551 section 6)."""


@dataclass(frozen=True, slots=True)
class AudioCodec:
    """A codec that we speak, with the payload type that our own offers give it. `fmtp` says how we want to receive it."""

    codec: Codec
    payload_type: int
    rate: int = 8000
    channels: int = 1
    fmtp: str | None = None

    def matches(self, other: Format) -> bool:
        """Whether this is the codec of a format line; encoding names know no case (RFC 4855).

        Opus always has two channels there (RFC 7587 section 7), which some forget.
        """
        same = other.name.upper() == self.codec.upper() and other.rate == self.rate
        return same and other.channels in {1, self.channels}

    def format(self, payload_type: int, theirs: Format | None = None) -> Format:
        """Our format line for it, written as the peer wrote its own, if it did."""
        name, channels = (self.codec.value, self.channels) if theirs is None else (theirs.name, theirs.channels)
        return Format(payload_type, name, self.rate, channels, self.fmtp)


PCMU = AudioCodec(Codec.PCMU, 0)
PCMA = AudioCodec(Codec.PCMA, 8)
G722 = AudioCodec(Codec.G722, 9)
OPUS = AudioCodec(
    Codec.OPUS, 96, 48000, 2, "maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;sprop-stereo=0;useinbandfec=1"
)
L16 = AudioCodec(Codec.L16, 97, 16000)
G711 = (PCMU, PCMA)
_ALL = (PCMU, PCMA, G722, OPUS, L16)


def codecs_named(names: Sequence[str]) -> tuple[AudioCodec, ...]:
    """The codecs of these encoding names, in their order. G.711, if none is left.

    Names that we do not speak are left out, and Opus where its library is missing.
    """
    known = {codec.codec.upper(): codec for codec in _ALL if codec is not OPUS or opus.library() is not None}
    return tuple(known[name.upper()] for name in names if name.upper() in known) or G711


def numbered(codecs: Iterable[AudioCodec], used: dict[Codec, int]) -> list[Format]:
    """Format lines of our offer.

    used: the payload types that codecs have in the session already, which they keep (RFC 3264 section 8.3.2).
    """
    chosen: list[Format] = []
    for codec in codecs:
        number = used.get(codec.codec, codec.payload_type)
        taken = {form.payload_type for form in chosen} | {n for other, n in used.items() if other is not codec.codec}
        chosen.append(codec.format(next(n for n in (number, *_DYNAMIC) if n not in taken)))
    return chosen


def events_for(formats: Iterable[Format], used: dict[int, int]) -> list[Format]:
    """The telephone-events that go with an offer's formats: one for each clock rate (RFC 4733 section 2.1), that of 8 kHz first.

    Peers that have Opus often know events of 8 kHz alone. used: payload types by clock rate that the session has already.
    """
    formats = list(formats)
    taken = {form.payload_type for form in formats} | set(used.values())
    events: list[Format] = []
    for rate in dict.fromkeys((EVENT_RATE, *(form.rate for form in formats))):
        number = used.get(rate) or next(n for n in (EVENT_PAYLOAD_TYPE, *reversed(_DYNAMIC)) if n not in taken)
        taken.add(number)
        events.append(Format(number, EVENT, rate, fmtp=EVENTS))
    return events


def lines_of(form: Format) -> list[Attribute]:
    """The attributes that tell of a format."""
    channels = f"/{form.channels}" if form.channels > 1 else ""
    lines: list[Attribute] = [("rtpmap", f"{form.payload_type} {form.name}/{form.rate}{channels}")]
    return lines if form.fmtp is None else [*lines, ("fmtp", f"{form.payload_type} {form.fmtp}")]


def parameters(fmtp: str | None) -> dict[str, str]:
    """`a=1; b=2` of a format line, names in small letters."""
    pairs = (part.partition("=") for part in (fmtp or "").split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def opus_wishes(fmtp: str | None) -> tuple[bool, int | None]:
    """What the peer wants of the Opus that we send: FEC, and how many bits a second at most (RFC 7587 section 6.1)."""
    given = parameters(fmtp)
    most = given.get("maxaveragebitrate", "")
    return given.get("useinbandfec") == "1", int(most[:7]) if most.isascii() and most.isdigit() and int(most) else None
