"""Session descriptions for SIP (RFC 4566, RFC 8866): a tolerant reader and a strict writer. Sans-I/O.

What a telephone call does not need (bandwidths, key lines, time zones) is skipped when read and never written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from media.frames import Direction
from sipserver.message import Request, Response
from sipserver.message.multipart import Part, media_type, parts

Attribute = tuple[str, str | None]
"""`a=name:value`; None for `a=name`."""

STATIC = {
    "0": ("PCMU", 8000, 1),
    "3": ("GSM", 8000, 1),
    "4": ("G723", 8000, 1),
    "8": ("PCMA", 8000, 1),
    "9": ("G722", 8000, 1),
    "13": ("CN", 8000, 1),
    "15": ("G728", 8000, 1),
    "18": ("G729", 8000, 1),
}
"""Payload types that need no rtpmap (RFC 3551 section 6)."""

_UNKNOWN = ("", 0, 0)
_MEDIA = re.compile(r"(\S+)\s+([0-9]{1,5})(?:/[0-9]+)?\s+(\S+)((?:\s+\S+)*)\s*")
_ADDRESS = re.compile(r"IN\s+IP[46]\s+([^\s/]+)(?:/\S*)?\s*", re.IGNORECASE)
_ORIGIN = re.compile(r"(\S+)\s+([0-9]{1,20})\s+([0-9]{1,20})\s+IN\s+IP[46]\s+(\S+)\s*", re.IGNORECASE)
_RTPMAP = re.compile(r"\s*([0-9]|[1-9][0-9]|1[01][0-9]|12[0-7])\s+([^/\s]+)/([0-9]{1,6})(?:/([0-9]{1,2}))?\s*")
METRICS = "voip-metrics"
"""The extended reports that we ask for and send (RFC 3611 section 5.1)."""
_RTCP = re.compile(r"\s*([0-9]{1,5})(?:\s+IN\s+IP[46]\s+(\S+))?\s*", re.IGNORECASE)
_WORD = re.compile(r"[^\s\x00]+")
_REMEMBERED_BYTES = 4096
"""Longer descriptions are read anew, so that nobody can fill the memory with them."""
_REMEMBERED_ATTRIBUTES = 64
_OF_FORMATS = ("rtpmap", "fmtp")
_DIRECTIONS = frozenset(direction.value for direction in Direction)
_HELD = ("0.0.0.0", "::")
_MAX_DEPTH = 3
_OF_THE_SESSION = ("", "session", "render")
"""Dispositions of a description that counts. `render` is the default of other bodies (RFC 3261 section 20.11) and seen in the wild."""


class SdpError(ValueError):
    """These bytes are no session description, or a description cannot be written; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Format:
    """One payload type of a media line. `name` is the encoding name as written, `rate` its clock rate in Hz."""

    payload_type: int
    name: str
    rate: int
    channels: int = 1
    fmtp: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The o= line: one session id for the whole call, and a version that grows with each change."""

    session_id: int
    version: int
    host: str
    username: str = "-"

    def __str__(self) -> str:
        return f"{_word(self.username)} {self.session_id} {self.version} {_address(self.host)}"


@dataclass(frozen=True, slots=True)
class Media:
    """One m= section. Port 0 says that the stream is refused. `host` is its own c= line, where it has one."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    host: str | None = None
    attributes: tuple[Attribute, ...] = ()

    def get(self, name: str) -> str | None:
        """The value of the first attribute of this name."""
        return _first(self.attributes, name)

    @property
    def codecs(self) -> tuple[Format, ...]:
        """What the line offers, in its order; numbers without a known meaning are left out."""
        attributes = tuple([line for line in self.attributes if line[0] in _OF_FORMATS])
        read = _remembered_codecs if len(attributes) <= _REMEMBERED_ATTRIBUTES else _codecs
        return read(self.formats, attributes)

    @property
    def ptime(self) -> int | None:
        """Milliseconds of audio that the writer wants in a packet."""
        return _milliseconds(self.get("ptime"))

    @property
    def maxptime(self) -> int | None:
        """Milliseconds of audio that a packet to the writer may hold."""
        return _milliseconds(self.get("maxptime"))

    @property
    def rtcp_port(self) -> int | None:
        """Where a=rtcp puts RTCP (RFC 3605); None where it is the next port."""
        match = _RTCP.fullmatch(self.get("rtcp") or "")
        return int(match[1]) if match and 0 < int(match[1]) <= 65535 else None


@dataclass(frozen=True, slots=True)
class Session:
    """A session description. `host` is the session's c= line, None where only the media have one."""

    origin: Origin
    media: tuple[Media, ...]
    host: str | None = None
    name: str = "-"
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Session:
        """Lines may end with CRLF, LF or CR; s= and t= may be missing, o= may be odd. Raises SdpError."""
        text = data.decode("utf-8", "replace").replace("\r", "\n")
        lines = [line for line in text.split("\n") if line]
        if not lines or not lines[0].startswith("v="):
            raise SdpError("A session description begins with v=0.")
        at = [i for i, line in enumerate(lines) if line.startswith("m=")]
        at.append(len(lines))
        head = _section(lines[: at[0]])
        return cls(
            origin=_parse_origin(head.get("o=")),
            media=tuple([_parse_media(_section(lines[i:j])) for i, j in pairwise(at)]),
            host=_parse_host(head.get("c=")),
            name=head.get("s=") or "-",
            attributes=_parse_attributes(head["a="]),
        )

    @classmethod
    def read(cls, data: bytes) -> Session:
        """As `parse`. The latest are remembered: an INVITE's is read for its route, for the check of the offer, and for the answer."""
        return _read(data) if len(data) <= _REMEMBERED_BYTES else cls.parse(data)

    def __bytes__(self) -> bytes:
        lines = ["v=0", f"o={self.origin}", f"s={self.name}"]
        lines += [] if self.host is None else [f"c={_address(self.host)}"]
        lines += ["t=0 0", *_attribute_lines(self.attributes)]
        for media in self.media:
            lines += _media_lines(media)
        text = "".join(f"{line}\r\n" for line in lines)
        if "\x00" in text or not text.count("\r") == text.count("\n") == len(lines):
            raise SdpError("A line break or NUL cannot be part of a line.")
        return text.encode()

    def host_of(self, media: Media) -> str | None:
        """Where this stream is received."""
        return media.host or self.host

    def wants_metrics(self, media: Media) -> bool:
        """Whether the writer asks for RTCP's extended reports with VoIP metrics; the stream's own line counts before the session's
        (RFC 3611 section 5.1)."""
        value = media.get("rtcp-xr")
        wanted = _first(self.attributes, "rtcp-xr") if value is None else value
        return METRICS in (wanted or "").lower().split()

    def direction_of(self, media: Media) -> Direction:
        """Which way the stream flows, seen from the writer.

        An address of zeros is the old way to hold: nothing is to be sent there (RFC 3264 section 8.4).
        """
        stated = _direction(media.attributes) or _direction(self.attributes) or Direction.SENDRECV
        return _deafened(stated) if self.host_of(media) in _HELD else stated


@lru_cache(64)
def _read(data: bytes) -> Session:
    return Session.parse(data)


def sdp_body(message: Request | Response) -> bytes | None:
    """The session description that a message carries, also as part of a multipart body (RFC 5621); None without one.

    A body without Content-Type is taken for one if it looks like one. Descriptions that stand for something else than the
    session, such as `early-session` (RFC 3959), are left aside.
    """
    if not message.body:
        return None
    kind = message.headers.get("content-type")
    if kind is None:
        return message.body if message.body.startswith(b"v=0") else None
    return _sdp_part(Part(kind, message.headers.get("content-disposition"), message.body), _MAX_DEPTH)


def _sdp_part(part: Part, depth: int) -> bytes | None:
    if media_type(part.disposition or "") not in _OF_THE_SESSION:
        return None
    if media_type(part.kind) == "application/sdp":
        return part.content
    if not depth:
        return None
    found = (_sdp_part(inner, depth - 1) for inner in parts(part.kind, part.content))
    return next((content for content in found if content is not None), None)


def _codecs(formats: tuple[str, ...], attributes: tuple[Attribute, ...]) -> tuple[Format, ...]:
    maps = dict(_rtpmap(value) for name, value in attributes if name == "rtpmap" and value)
    fmtps = dict(_fmtp(value) for name, value in attributes if name == "fmtp" and value)
    found = []
    for text in formats:
        name, rate, channels = maps.get(text) or STATIC.get(text) or _UNKNOWN
        if name:
            found.append(Format(int(text), name, rate, channels, fmtps.get(text)))
    return tuple(found)


_remembered_codecs = lru_cache(256)(_codecs)
"""A peer offers the same in each of its calls."""


def _section(lines: list[str]) -> dict[str, str]:
    """The first line of each kind; all attributes, one below the other."""
    found: dict[str, str] = {}
    attributes = []
    for line in lines:
        kind = line[:2]
        if kind == "a=":
            attributes.append(line[2:])
        elif kind not in found:
            found[kind] = line[2:].strip()
    found["a="] = "\n".join(attributes)
    return found


def _parse_origin(text: str | None) -> Origin:
    """No call depends on the peer's o= line, so one that cannot be read does no harm."""
    match = _ORIGIN.fullmatch(text or "")
    return Origin(int(match[2]), int(match[3]), match[4], match[1]) if match else Origin(0, 0, "0.0.0.0")


def _parse_host(text: str | None) -> str | None:
    if text is None:
        return None
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise SdpError(f"This is no c= line: {text[:80]!r}.")
    return match[1]


def _parse_media(lines: dict[str, str]) -> Media:
    match = _MEDIA.fullmatch(lines["m="])
    if match is None or int(match[2]) > 65535:
        raise SdpError(f"This is no m= line: {'m=' + lines['m='][:78]!r}.")
    kind, port, protocol, formats = match.groups()
    host = _parse_host(lines.get("c="))
    return Media(kind.lower(), int(port), protocol, tuple(formats.split()), host, _parse_attributes(lines["a="]))


def _parse_attributes(text: str) -> tuple[Attribute, ...]:
    """Mostly those of the peer's call before. Keys are another call's each, and are not to be kept."""
    is_kept = len(text) <= _REMEMBERED_BYTES and "crypto:" not in text
    return _remembered_attributes(text) if is_kept else _read_attributes(text)


def _read_attributes(text: str) -> tuple[Attribute, ...]:
    pairs = [line.strip().partition(":") for line in text.split("\n")]
    return tuple([(name, value if colon else None) for name, colon, value in pairs if name])


_remembered_attributes = lru_cache(256)(_read_attributes)


def _first(attributes: tuple[Attribute, ...], wanted: str) -> str | None:
    return next((value for name, value in attributes if name == wanted), None)


def _rtpmap(value: str) -> tuple[str, tuple[str, int, int]]:
    match = _RTPMAP.fullmatch(value)
    return (match[1], (match[2], int(match[3]), int(match[4] or 1))) if match else ("", _UNKNOWN)


def _fmtp(value: str) -> tuple[str, str]:
    number, _, text = value.strip().partition(" ")
    return number, text.strip()


def _milliseconds(value: str | None) -> int | None:
    """Some write `20.0`; none mean less than a millisecond or more than a second."""
    whole = (value or "").strip().partition(".")[0]
    return int(whole) if whole.isascii() and whole.isdigit() and 1 <= int(whole[:5]) <= 1000 else None


def _direction(attributes: tuple[Attribute, ...]) -> Direction | None:
    return next((Direction(name) for name, value in attributes if value is None and name in _DIRECTIONS), None)


def _deafened(direction: Direction) -> Direction:
    """The direction of a stream whose writer hears nothing."""
    sends = direction in (Direction.SENDRECV, Direction.SENDONLY)
    return Direction.SENDONLY if sends else Direction.INACTIVE


def _media_lines(media: Media) -> list[str]:
    formats = " ".join(_word(text) for text in media.formats)
    lines = [f"m={_word(media.kind)} {media.port} {_word(media.protocol)} {formats}"]
    lines += [] if media.host is None else [f"c={_address(media.host)}"]
    has_keys = any(name == "crypto" for name, _ in media.attributes)
    return [*lines, *(_attribute_lines if has_keys else _remembered_lines)(media.attributes)]


def _attribute_lines(attributes: tuple[Attribute, ...]) -> tuple[str, ...]:
    return tuple(_written(name, value) for name, value in attributes)


_remembered_lines = lru_cache(256)(_attribute_lines)
"""Those of our descriptions are mostly those of the call before. Keys are not to be kept."""


def _written(name: str, value: str | None) -> str:
    return f"a={_word(name)}" if value is None else f"a={_word(name)}:{value}"


@lru_cache(1024)
def _address(host: str) -> str:
    return f"IN {'IP6' if ':' in host else 'IP4'} {_word(host)}"


def _word(text: str) -> str:
    if _WORD.fullmatch(text) is None:
        raise SdpError(f"{text[:80]!r} cannot be a word of a session description.")
    return text
