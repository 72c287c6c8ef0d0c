"""Offers and answers (RFC 3264, RFC 6337) for one audio stream. Sans-I/O: descriptions in, descriptions out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from media.frames import Codec, Direction, RtpFormat, RtpRemote, SrtpKeys
from sipserver.codecs import (
    EVENT,
    EVENT_RATE,
    EVENTS,
    G711,
    AudioCodec,
    events_for,
    lines_of,
    numbered,
    opus_wishes,
)
from sipserver.message.grammar import quote
from sipserver.sdes import PLAIN_PROFILES, SECURE_PROFILES, Crypto, Sdes, cryptos
from sipserver.sdp import METRICS, Attribute, Format, Media, Origin, SdpError, Session

PTIME = 20
"""Milliseconds of audio that we want to get in a packet, and send where the peer does not say how many it wants."""

Address = IPv4Address | IPv6Address

_PROTOCOLS = PLAIN_PROFILES + SECURE_PROFILES
_SENDS = (Direction.SENDRECV, Direction.SENDONLY)
_HEARS = (Direction.SENDRECV, Direction.RECVONLY)


class NotAcceptable(ValueError):
    """The peer's description cannot be agreed to: answer 488, or end the call. The sentence says why.

    `code` is that of the Warning header that goes with a 488 (RFC 3261 section 20.43).
    """

    def __init__(self, sentence: str, code: int = 399) -> None:
        super().__init__(sentence)
        self.code = code

    @property
    def warning(self) -> tuple[str, str]:
        """The header that says why (RFC 3261 section 20.43)."""
        return "Warning", f"{self.code} antiphon {quote(str(self))}"


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What holds after an offer and its answer; what `CallMedia.connect` takes. `direction` is seen from us."""

    remote: RtpRemote
    format: RtpFormat
    direction: Direction
    srtp: SrtpKeys | None = None


@dataclass(frozen=True, slots=True)
class _Stream:
    """What the peer says of a stream that we can agree to; `common` in the peer's order, never empty."""

    media: Media
    address: Address
    common: list[Format]
    events: list[Format]
    direction: Direction
    crypto: Crypto | None
    metrics: bool

    def event(self, rate: int) -> Format | None:
        """Telephone events at the codec's clock rate (RFC 4733 section 2.5.1.1), or at 8 kHz, which many have beside Opus."""
        rates = (rate, EVENT_RATE)
        return next((form for wanted in rates for form in self.events if form.rate == wanted), None)


class OfferAnswer:
    """One leg's offers and answers.

    `host` and `port` are where we receive RTP. `codecs` is what we speak, in our order, `ptime` the milliseconds of audio that
    we want in a packet. Which codec an answer of ours takes the peer's order decides, or ours with `prefer_ours`; one that is
    in use stays while the peer still offers it. Without `sdes` media are plain. `metrics`: we ask for extended reports (RFC 3611).
    """

    def __init__(
        self, host: str, port: int, session_id: int, codecs: Sequence[AudioCodec] = G711,
        *, prefer_ours: bool = False, ptime: int = PTIME, sdes: Sdes | None = None, metrics: bool = False,
    ) -> None:  # fmt: skip
        self._host = host
        self._port = port
        self._family = _numeric(host).version
        self._codecs = tuple(codecs)
        self._prefer_ours = prefer_ours
        self._ptime = ptime
        self._metrics = metrics
        self._sdes = sdes or Sdes("off", bytes)
        self._profile = PLAIN_PROFILES[0]
        self._origin = Origin(session_id, 0, host)
        self._sent: Session | None = None
        self._before: Session | None = None
        # The m= lines in their order: a refusal each, and None where our audio goes.
        self._lines: tuple[Media | None, ...] = (None,)
        self.negotiated: Negotiated | None = None
        """None until the first answer was made or taken."""
        self.changed = False
        """Whether the last answer, ours or theirs, changed `negotiated`."""

    def offer(
        self,
        codecs: Sequence[AudioCodec] | None = None,
        direction: Direction = Direction.SENDRECV,
        *,
        plain: bool = False,
    ) -> bytes:
        """Our offer; also the one that goes into a 200 to an INVITE without any. Streams refused before stay refused.

        plain: nothing encrypted, where the trunk permits that. Later offers are as secure as what was agreed to.
        """
        self._before = self._sent
        chosen = self._codecs if codecs is None else tuple(codecs)
        used = self.negotiated.format if self.negotiated else None
        formats = numbered(chosen, {} if used is None else {used.codec: used.payload_type})
        event = None if used is None else used.telephone_event
        events = events_for(formats, {} if used is None or event is None else {used.event_rate: event})
        profile, lines = self._security(plain)
        audio = self._audio(formats, events, direction, profile, lines)
        return self._describe(audio)

    def _security(self, plain: bool) -> tuple[str, list[Attribute]]:
        """The profile of our offer, and its keys. A peer that has agreed to keys in another profile than theirs is offered that."""
        if self.negotiated is not None and self.negotiated.srtp is not None:
            return self._profile, self._sdes.lines()
        if self._sdes.mode == "required" or (self._sdes.mode == "preferred" and not plain and self.negotiated is None):
            return SECURE_PROFILES[0], self._sdes.lines()
        return PLAIN_PROFILES[0], []

    @property
    def offered_needlessly_secure(self) -> bool:
        """Our last description had keys, and the trunk permits to do without."""
        return self._sdes.mode == "preferred" and self._sent is not None and any(map(cryptos, self._sent.media))

    def answer(self, sdp: bytes, direction: Direction = Direction.SENDRECV) -> bytes:
        """The answer to the peer's offer; `direction` is what we want. Raises NotAcceptable, and then nothing has changed."""
        theirs = _read(sdp)
        index, stream = self._choose(theirs)
        chosen = self._pick(stream.common)
        flow = _combine(direction, stream.direction)
        self._agree(stream, chosen, flow)
        self._lines = tuple(None if i == index else _refusal(line) for i, line in enumerate(theirs.media))
        self._before = None
        lines = [] if stream.crypto is None else [self._sdes.line(stream.crypto)]
        ours = self._codec_of(chosen).format(chosen.payload_type, chosen)
        event = stream.event(chosen.rate)
        events = [] if event is None else [replace(event, name=EVENT, fmtp=EVENTS)]
        return self._describe(self._audio([ours], events, flow, stream.media.protocol, lines))

    def check(self, sdp: bytes) -> None:
        """Raises NotAcceptable where `answer` would. Nothing changes."""
        self._choose(_read(sdp))

    def accept_answer(self, sdp: bytes) -> None:
        """Take the peer's answer to our last offer. Raises NotAcceptable, and then nothing has changed."""
        if self._sent is None:
            raise NotAcceptable("There is an answer, but no offer was made.")
        theirs = _read(sdp)
        index = self._lines.index(None)
        if index >= len(theirs.media):
            raise NotAcceptable("The answer lacks the audio line.")
        ours = self._sent.media[index]
        stream = self._stream(theirs, theirs.media[index], lambda media: self._sdes.answered(media, ours))
        flow = _combine(self._sent.direction_of(ours), stream.direction)
        # The peer may send whatever both descriptions have, and change between them (RFC 3264 section 5.1).
        others = tuple((form.payload_type, self._codec_of(form).codec) for form in stream.common[1:])
        self._agree(stream, stream.common[0], flow, others)

    def withdraw(self) -> None:
        """Our last offer was refused, or has been overtaken: what we said before it holds. Its version is not used again."""
        self._sent = self._before or self._sent

    @property
    def local(self) -> bytes | None:
        """Our last description, byte for byte: what a session refresh repeats (RFC 4028 section 7.4)."""
        return None if self._sent is None else bytes(self._sent)

    def _choose(self, theirs: Session) -> tuple[int, _Stream]:
        """The first stream that can be agreed to; before it the first of those with a key."""
        found, faults = [], []
        for index, media in enumerate(theirs.media):
            try:
                found.append((index, self._stream(theirs, media, self._sdes.choose)))
            except NotAcceptable as fault:
                faults.append(fault)
        if not found:
            raise max(faults, key=_closeness, default=NotAcceptable("The offer has no streams.", 304))
        return next((one for one in found if one[1].crypto is not None), found[0])

    def _stream(self, theirs: Session, media: Media, secured: Callable[[Media], Crypto | None]) -> _Stream:
        """What the peer says of one stream. Raises NotAcceptable where it cannot be agreed to.

        secured: the key that is taken of it, None for plain media; raises SdpError.
        """
        if media.kind != "audio" or not media.port or media.protocol.upper() not in _PROTOCOLS:
            raise NotAcceptable("There is no audio stream over RTP/AVP or RTP/SAVP.", 304)
        codecs = media.codecs
        common = [form for form in codecs if any(codec.matches(form) for codec in self._codecs)]
        if not common:
            raise NotAcceptable("None of the codecs is spoken here.", 305)
        address = _address(theirs.host_of(media))
        if address is None or address.version != self._family:
            raise NotAcceptable(f"RTP cannot be sent to {theirs.host_of(media)} from here.", 302)
        events = [form for form in codecs if form.name.lower() == EVENT]
        try:
            crypto = secured(media)
        except SdpError as error:
            raise NotAcceptable(str(error), 302) from None
        return _Stream(media, address, common, events, theirs.direction_of(media), crypto, theirs.wants_metrics(media))

    def _pick(self, common: list[Format]) -> Format:
        if self.negotiated is not None:
            in_use = [form for form in common if form.name.upper() == self.negotiated.format.codec.upper()]
            common = in_use or common
        if self._prefer_ours:
            return min(common, key=lambda form: next(i for i, codec in enumerate(self._codecs) if codec.matches(form)))
        return common[0]

    def _agree(
        self, stream: _Stream, chosen: Format, flow: Direction, others: tuple[tuple[int, Codec], ...] = ()
    ) -> None:
        fmt = self._format(stream, chosen, others)
        agreed = Negotiated(self._remote(stream), fmt, flow, self._keys(stream.crypto))
        if agreed.srtp is None:
            self._sdes.forget()
        self._profile = stream.media.protocol
        self.changed = agreed != self.negotiated
        self.negotiated = agreed

    def _keys(self, theirs: Crypto | None) -> SrtpKeys | None:
        return None if theirs is None else SrtpKeys(theirs.suite, self._sdes.key(theirs.suite), theirs.key)

    def _remote(self, stream: _Stream) -> RtpRemote:
        """Of a peer that holds with an address of zeros the former address stays known."""
        host = str(stream.address)
        if self.negotiated is not None and stream.address.is_unspecified:
            host = self.negotiated.remote.host
        return RtpRemote(host, stream.media.port, stream.media.rtcp_port, stream.metrics)

    def _codec_of(self, form: Format) -> AudioCodec:
        return next(codec for codec in self._codecs if codec.matches(form))

    def _format(self, stream: _Stream, chosen: Format, others: tuple[tuple[int, Codec], ...]) -> RtpFormat:
        codec = self._codec_of(chosen).codec
        wanted, most = stream.media.ptime or self._ptime, stream.media.maxptime
        ptime = wanted if most is None else min(wanted, most)
        fec, bitrate = opus_wishes(chosen.fmtp) if codec is Codec.OPUS else (False, None)
        event = stream.event(chosen.rate)
        number, rate = (None, EVENT_RATE) if event is None else (event.payload_type, event.rate)
        return RtpFormat(codec, chosen.payload_type, number, ptime, rate, others, fec, bitrate)

    def _audio(
        self, formats: list[Format], events: list[Format], direction: Direction, protocol: str, crypto: list[Attribute]
    ) -> Media:
        numbers = [str(form.payload_type) for form in (*formats, *events)]
        attributes = [line for form in (*formats, *events) for line in lines_of(form)]
        attributes += [("rtcp-xr", METRICS)] if self._metrics else []
        attributes += [("ptime", str(self._ptime)), *crypto, (direction.value, None)]
        return Media("audio", self._port, protocol, tuple(numbers), None, tuple(attributes))

    def _describe(self, audio: Media) -> bytes:
        """Our description; its version grows only when it differs from the last one (RFC 3264 section 8)."""
        media = tuple(audio if line is None else line for line in self._lines)
        session = Session(self._origin, media, self._host)
        if session != self._sent:
            self._origin = Origin(self._origin.session_id, self._origin.version + 1, self._host)
            self._sent = Session(self._origin, media, self._host)
        return bytes(self._sent)


def _read(sdp: bytes) -> Session:
    try:
        return Session.read(sdp)
    except SdpError as error:
        raise NotAcceptable(str(error)) from error


def _closeness(fault: NotAcceptable) -> int:
    """Of several faults the one is told whose stream came closest: no audio, no codec, no way to get there."""
    return (304, 305, 302).index(fault.code)


def _refusal(media: Media) -> Media:
    return Media(media.kind, 0, media.protocol, media.formats or ("0",))


def _address(host: str | None) -> Address | None:
    """None for a name, too: names are not resolved here."""
    try:
        return None if host is None else _numeric(host)
    except ValueError:
        return None


@lru_cache(1024)
def _numeric(host: str) -> Address:
    """The address written so; a peer's and our own come with each call. Raises ValueError."""
    return ip_address(host)


def _combine(ours: Direction, theirs: Direction) -> Direction:
    """What flows when we want `ours` and the peer, seen from itself, wants `theirs` (RFC 3264 section 6.1)."""
    sends = ours in _SENDS and theirs in _HEARS
    hears = ours in _HEARS and theirs in _SENDS
    if sends:
        return Direction.SENDRECV if hears else Direction.SENDONLY
    return Direction.RECVONLY if hears else Direction.INACTIVE
