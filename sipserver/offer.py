"""Offers and answers (RFC 3264, RFC 6337) for one audio stream. Sans-I/O: descriptions in, descriptions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from media.frames import Codec, Direction, RtpFormat, RtpRemote
from sipserver.sdp import Attribute, Format, Media, Origin, SdpError, Session

PTIME = 20
"""Milliseconds of audio that we send in a packet, and want to get."""
EVENT = "telephone-event"
EVENT_PAYLOAD_TYPE = 101
EVENTS = "0-15"
"""The DTMF digits (RFC 4733 section 3.2)."""

_PROTOCOLS = ("RTP/AVP", "RTP/AVPF")
_SENDS = (Direction.SENDRECV, Direction.SENDONLY)
_HEARS = (Direction.SENDRECV, Direction.RECVONLY)


class NotAcceptable(ValueError):
    """The peer's description cannot be agreed to: answer 488, or end the call. The sentence says why.

    `code` is that of the Warning header that goes with a 488 (RFC 3261 section 20.43).
    """

    def __init__(self, sentence: str, code: int = 399) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class AudioCodec:
    """A codec that we speak, with the payload type that our own offers give it."""

    codec: Codec
    payload_type: int
    rate: int = 8000

    def matches(self, other: Format) -> bool:
        """Whether this is the codec of a format line; encoding names know no case (RFC 4855)."""
        return other.name.upper() == self.codec.value.upper() and (other.rate, other.channels) == (self.rate, 1)


PCMU = AudioCodec(Codec.PCMU, 0)
PCMA = AudioCodec(Codec.PCMA, 8)
G711 = (PCMU, PCMA)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What holds after an offer and its answer; what `CallMedia.connect` takes. `direction` is seen from us."""

    remote: RtpRemote
    format: RtpFormat
    direction: Direction


class OfferAnswer:
    """One leg's offers and answers.

    `host` and `port` are where we receive RTP. `codecs` is what we speak, in our order. Which codec an answer of ours takes
    the peer's order decides, or ours with `prefer_ours`; one that is in use stays while the peer still offers it.
    """

    def __init__(
        self, host: str, port: int, session_id: int, codecs: Sequence[AudioCodec] = G711, *, prefer_ours: bool = False
    ) -> None:
        self._host = host
        self._port = port
        self._codecs = tuple(codecs)
        self._prefer_ours = prefer_ours
        self._origin = Origin(session_id, 0, host)
        self._sent: Session | None = None
        # The m= lines in their order: a refusal each, and None where our audio goes.
        self._lines: tuple[Media | None, ...] = (None,)
        self.negotiated: Negotiated | None = None
        """None until the first answer was made or taken."""
        self.changed = False
        """Whether the last answer, ours or theirs, changed `negotiated`."""

    def offer(self, codecs: Sequence[AudioCodec] | None = None, direction: Direction = Direction.SENDRECV) -> bytes:
        """Our offer; also the one that goes into a 200 to an INVITE without any. Streams refused before stay refused."""
        chosen = self._codecs if codecs is None else tuple(codecs)
        formats = [Format(codec.payload_type, codec.codec.value, codec.rate) for codec in chosen]
        event = self.negotiated.format.telephone_event if self.negotiated else None
        audio = self._audio(formats, EVENT_PAYLOAD_TYPE if event is None else event, direction)
        return self._describe(audio)

    def answer(self, sdp: bytes, direction: Direction = Direction.SENDRECV) -> bytes:
        """The answer to the peer's offer; `direction` is what we want. Raises NotAcceptable, and then nothing has changed."""
        theirs = _read(sdp)
        index, media, chosen = self._choose(theirs)
        flow = _combine(direction, theirs.direction_of(media))
        audio = self._audio([chosen], _event(media, chosen.rate), flow, media.protocol)
        self._agree(theirs, media, chosen, flow)
        self._lines = tuple(None if i == index else _refusal(line) for i, line in enumerate(theirs.media))
        return self._describe(audio)

    def accept_answer(self, sdp: bytes) -> None:
        """Take the peer's answer to our last offer. Raises NotAcceptable, and then nothing has changed."""
        if self._sent is None:
            raise NotAcceptable("There is an answer, but no offer was made.")
        theirs = _read(sdp)
        index = self._lines.index(None)
        if index >= len(theirs.media):
            raise NotAcceptable("The answer lacks the audio line.")
        media = theirs.media[index]
        fault = self._fault(theirs, media)
        if fault is not None:
            raise fault
        flow = _combine(self._sent.direction_of(self._sent.media[index]), theirs.direction_of(media))
        self._agree(theirs, media, self._common(media)[0], flow)

    @property
    def local(self) -> bytes | None:
        """Our last description, byte for byte: what a session refresh repeats (RFC 4028 section 7.4)."""
        return None if self._sent is None else bytes(self._sent)

    def _choose(self, theirs: Session) -> tuple[int, Media, Format]:
        """The first stream that can be agreed to, and its codec."""
        faults = []
        for index, media in enumerate(theirs.media):
            fault = self._fault(theirs, media)
            if fault is None:
                return index, media, self._pick(media)
            faults.append(fault)
        raise max(faults, key=_closeness, default=NotAcceptable("The offer has no streams.", 304))

    def _fault(self, theirs: Session, media: Media) -> NotAcceptable | None:
        """Why this stream cannot be agreed to."""
        if media.kind != "audio" or not media.port or media.protocol.upper() not in _PROTOCOLS:
            return NotAcceptable("There is no audio stream over RTP/AVP.", 304)
        if not self._common(media):
            return NotAcceptable("None of the codecs is spoken here.", 305)
        if not self._reachable(theirs.host_of(media)):
            return NotAcceptable(f"RTP cannot be sent to {theirs.host_of(media)} from here.", 302)
        return None

    def _pick(self, media: Media) -> Format:
        common = self._common(media)
        if self.negotiated is not None:
            in_use = [form for form in common if form.name.upper() == self.negotiated.format.codec.value.upper()]
            common = in_use or common
        if self._prefer_ours:
            return min(common, key=lambda form: next(i for i, codec in enumerate(self._codecs) if codec.matches(form)))
        return common[0]

    def _common(self, media: Media) -> list[Format]:
        return [form for form in media.codecs if any(codec.matches(form) for codec in self._codecs)]

    def _reachable(self, host: str | None) -> bool:
        """Names are not resolved here, and an address of the other family cannot be reached from our socket."""
        try:
            return host is not None and ip_address(host).version == ip_address(self._host).version
        except ValueError:
            return False

    def _agree(self, theirs: Session, media: Media, chosen: Format, flow: Direction) -> None:
        agreed = Negotiated(self._remote(theirs, media), self._format(media, chosen), flow)
        self.changed = agreed != self.negotiated
        self.negotiated = agreed

    def _remote(self, theirs: Session, media: Media) -> RtpRemote:
        """Of a peer that holds with an address of zeros the former address stays known."""
        host = theirs.host_of(media) or ""
        if self.negotiated is not None and ip_address(host).is_unspecified:
            host = self.negotiated.remote.host
        return RtpRemote(host, media.port, media.rtcp_port)

    def _format(self, media: Media, chosen: Format) -> RtpFormat:
        codec = next(codec.codec for codec in self._codecs if codec.matches(chosen))
        ptime = min(media.ptime or PTIME, media.maxptime or media.ptime or PTIME)
        return RtpFormat(codec, chosen.payload_type, _event(media, chosen.rate), ptime)

    def _audio(
        self, formats: Sequence[Format], event: int | None, direction: Direction, protocol: str = "RTP/AVP"
    ) -> Media:
        numbers = [str(form.payload_type) for form in formats]
        attributes: list[Attribute] = [("rtpmap", f"{form.payload_type} {form.name}/{form.rate}") for form in formats]
        if event is not None:
            numbers.append(str(event))
            attributes += [("rtpmap", f"{event} {EVENT}/{formats[0].rate}"), ("fmtp", f"{event} {EVENTS}")]
        attributes += [("ptime", str(PTIME)), (direction.value, None)]
        return Media("audio", self._port, protocol, tuple(numbers), None, tuple(attributes))

    def _describe(self, audio: Media) -> bytes:
        """Our description; its version grows only when it differs from the last one (RFC 3264 section 8)."""
        media = tuple(audio if line is None else line for line in self._lines)
        session = Session(self._origin, media, self._host)
        if session != self._sent:
            self._origin = replace(self._origin, version=self._origin.version + 1)
            self._sent = replace(session, origin=self._origin)
        return bytes(self._sent)


def _read(sdp: bytes) -> Session:
    try:
        return Session.parse(sdp)
    except SdpError as error:
        raise NotAcceptable(str(error)) from error


def _closeness(fault: NotAcceptable) -> int:
    """Of several faults the one is told whose stream came closest: no audio, no codec, no way to get there."""
    return (304, 305, 302).index(fault.code)


def _refusal(media: Media) -> Media:
    return Media(media.kind, 0, media.protocol, media.formats or ("0",))


def _event(media: Media, rate: int) -> int | None:
    """The payload type of telephone events at the codec's clock rate (RFC 4733 section 2.5.1.1)."""
    events = (form for form in media.codecs if form.name.lower() == EVENT and form.rate == rate)
    return next((form.payload_type for form in events), None)


def _combine(ours: Direction, theirs: Direction) -> Direction:
    """What flows when we want `ours` and the peer, seen from itself, wants `theirs` (RFC 3264 section 6.1)."""
    sends = ours in _SENDS and theirs in _HEARS
    hears = ours in _HEARS and theirs in _SENDS
    if sends:
        return Direction.SENDRECV if hears else Direction.SENDONLY
    return Direction.RECVONLY if hears else Direction.INACTIVE
