"""What an SRTP stream has come to, one object for each direction of a call: indexes, rollover counters, replays (RFC 3711 section 3.3).

With a key from SDES a stream begins with rollover counter 0 (RFC 4568 section 6.4): the peer may be another than before. RFC 3711
section 3.3.1 would have a new key leave the counter as it is, and peers differ, so what comes is believed either way, if it
is authentic.
"""

from __future__ import annotations

import struct

from media.frames import CryptoSuite
from media.srtp.derivation import session_keys
from media.srtp.error import SrtpError
from media.srtp.transforms import CONTROL_HEADER, Transform, transform_of

WINDOW = 128
"""Packets behind the newest that are told from replays; what is older is refused (section 3.3.2 asks for 64)."""
MOST_STREAMS = 64
"""SSRCs of one key. To forget one would be to believe its replays, so there is an end to new ones."""

_HEADER = 12
_FIELDS = struct.Struct("!BBHII")
_WORDS = struct.Struct("!HH")
_CONTROL_FIELDS = struct.Struct("!II")
_MOST_CONTROL = 1 << 31


class Outgoing:
    """What we send with one master key: one SSRC at a time, whose packets come in their order. A new one counts from 0 again."""

    def __init__(self, suite: CryptoSuite, master: bytes) -> None:
        self._transform = _transform(suite, master)
        self._index: int | None = None
        self._ssrc: int | None = None
        self._control_index = 0

    def protect(self, packet: bytes) -> bytes:
        """Secure an RTP packet. Raises SrtpError for what is none."""
        _, _, sequence, _, ssrc = _fields(packet)
        known = self._index if ssrc == self._ssrc else None
        index = sequence if known is None else known + (sequence - known & 0xFFFF)
        self._index, self._ssrc = index, ssrc
        return self._transform.seal(packet, _header(packet), ssrc, index)

    def protect_control(self, packet: bytes) -> bytes:
        """Secure an RTCP packet; packet: compound, at least 8 octets."""
        self._control_index = (self._control_index + 1) % _MOST_CONTROL
        return self._transform.seal_control(packet, _control_ssrc(packet), self._control_index)


class Incoming:
    """What comes with one master key: as many SSRCs as there are. `before`: what came until now, which is still believed until
    the first packet with the new key."""

    def __init__(self, suite: CryptoSuite, master: bytes, before: Incoming | None = None) -> None:
        self._transform = _transform(suite, master)
        self._streams: dict[int, _Stream] = {}
        self._control: dict[int, _Stream] = {}
        self._before = before
        if before is not None:
            before._before = None

    def unprotect(self, packet: bytes) -> bytes:
        """The RTP packet within. Raises SrtpError, and then nothing has changed."""
        if self._before is None:
            return self._open(packet)
        try:
            opened = self._open(packet)
        except SrtpError:
            return self._before.unprotect(packet)
        self._before = None
        return opened

    def unprotect_control(self, packet: bytes) -> bytes:
        """The RTCP packet within. Raises SrtpError, and then nothing has changed."""
        if self._before is None:
            return self._open_control(packet)
        try:
            return self._open_control(packet)
        except SrtpError:
            return self._before.unprotect_control(packet)

    def _open(self, packet: bytes) -> bytes:
        _, _, sequence, _, ssrc = _fields(packet)
        header = _header(packet)
        if len(packet) < header + self._transform.overhead:
            raise SrtpError("The packet ends within its tag.")
        stream = self._streams.get(ssrc)
        if stream is None:
            return self._open_first(packet, header, ssrc, sequence)
        index = _nearest(stream.highest, sequence)
        stream.check(index)
        opened = self._transform.open(packet, header, ssrc, index)
        stream.note(index)
        return opened

    def _open_first(self, packet: bytes, header: int, ssrc: int, sequence: int) -> bytes:
        """A stream begins, if its packet is authentic with one of the indexes that it may have."""
        if len(self._streams) >= MOST_STREAMS:
            raise SrtpError("The key has had too many streams.")
        for index in self._possible(ssrc, sequence):
            try:
                opened = self._transform.open(packet, header, ssrc, index)
            except SrtpError:
                continue
            self._streams[ssrc] = _Stream(index)
            return opened
        raise SrtpError("The packet begins no stream of this key.")

    def _possible(self, ssrc: int, sequence: int) -> list[int]:
        """Counter 0; 1 where the stream may have begun just before the sequence wrapped; and where the key before had come to."""
        found = [sequence, sequence + 0x10000] if sequence < 0x8000 else [sequence]
        known = self._before._streams.get(ssrc) if self._before is not None else None
        if known is not None and (index := _nearest(known.highest, sequence)) > 0 and index not in found:
            found.append(index)
        return found

    def _open_control(self, packet: bytes) -> bytes:
        if len(packet) < CONTROL_HEADER + self._transform.control_overhead:
            raise SrtpError("The packet is shorter than secure RTCP.")
        index, ssrc = self._transform.control_index(packet), _control_ssrc(packet)
        stream = self._control.get(ssrc)
        if stream is not None:
            stream.check(index)
        elif len(self._control) >= MOST_STREAMS:
            raise SrtpError("The key has had too many streams.")
        opened = self._transform.open_control(packet, ssrc, index)
        if stream is None:
            self._control[ssrc] = _Stream(index)
        else:
            stream.note(index)
        return opened


class _Stream:
    """The indexes of one SSRC that have been seen. Bit n of `_seen` is that of index `highest` - n."""

    __slots__ = ("_seen", "highest")

    def __init__(self, index: int) -> None:
        self.highest = index
        self._seen = 1

    def check(self, index: int) -> None:
        """Raises SrtpError for an index that was there, or is so old that nobody knows."""
        behind = self.highest - index
        if index < 0 or behind >= WINDOW or (behind >= 0 and self._seen >> behind & 1):
            raise SrtpError("The packet was there before, or is too old.")

    def note(self, index: int) -> None:
        """An authentic packet had this index."""
        ahead = index - self.highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, WINDOW) | 1) & (1 << WINDOW) - 1
            self.highest = index
        else:
            self._seen |= 1 << -ahead


def _transform(suite: CryptoSuite, master: bytes) -> Transform:
    return transform_of(suite, *session_keys(suite, master))


def _nearest(index: int, sequence: int) -> int:
    """The index next to `index` that ends in this sequence number (appendix A)."""
    return index + (sequence - index + 0x8000 & 0xFFFF) - 0x8000


def _fields(packet: bytes) -> tuple[int, int, int, int, int]:
    if len(packet) < _HEADER or packet[0] >> 6 != 2:
        raise SrtpError("This is no RTP packet.")
    fields: tuple[int, int, int, int, int] = _FIELDS.unpack_from(packet)
    return fields


def _header(packet: bytes) -> int:
    """Octets of the header with its sources and its extension, which stay in the clear (section 3.1)."""
    end = _HEADER + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10 and len(packet) >= end + 4:
        end += 4 + 4 * _WORDS.unpack_from(packet, end)[1]
    elif packet[0] & 0x10:
        end += 4
    if len(packet) < end:
        raise SrtpError("The packet ends within its header.")
    return end


def _control_ssrc(packet: bytes) -> int:
    ssrc: int = _CONTROL_FIELDS.unpack_from(packet)[1]
    return ssrc
