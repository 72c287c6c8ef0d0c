"""The codecs whose streams have a memory, one coder a call: G.722 (libg722 by its own extension), L16, and Opus behind the same face.

G.711 has none, so it is coded for all calls at once (`media.codecs.g711`). libg722 is bit-exact to the recommendation (ITU-T G.722).
"""

from __future__ import annotations

from typing import Protocol

import G722
import numpy as np

from media.codecs import g711, opus
from media.codecs.error import CodecError
from media.codecs.opus import OpusDecoder, OpusEncoder
from media.frames import Codec, Pcm, RtpFormat

_LOWEST, _STEP = 10, 10
_OPUS_MS = {10: 10, 20: 20, 30: 20, 40: 40, 50: 40, 60: 60}
"""What a packet of Opus may last (RFC 6716 section 2.1.4), for the ptime that was asked for."""
_L16_MS = 30
"""More of L16 does not fit the packets that our own kind reads, and 50 ms no Ethernet frame."""
_OCTETS_PER_MS = {Codec.PCMU: 8, Codec.PCMA: 8, Codec.G722: 8, Codec.L16: 32}


class Decoder(Protocol):
    """One stream that is heard, at 16 kHz."""

    def decode(self, packet: bytes) -> Pcm:
        """The next octets. Returns int16, (n,). Raises CodecError."""


class Coder(Protocol):
    """One stream that is sent."""

    def code(self, frame: Pcm) -> list[bytes]:
        """Take 20 ms at the coder's rate: int16, (n,). Returns the payloads that are complete with it, `packet_ms` each."""

    def drop(self) -> None:
        """Forget what waits for a payload to be complete."""

    @property
    def packet_ms(self) -> int:
        """How much audio each payload holds."""


class G722Decoder:
    """ITU-T G.722 at 64 kbit/s."""

    def __init__(self) -> None:
        self._state = G722.G722(16000, 64000)

    def decode(self, packet: bytes) -> Pcm:
        """Any octets are G.722, two samples each."""
        return np.frombuffer(self._state.decode(packet), np.int16)


class L16Decoder:
    """RFC 3551 section 4.5.11, 16 kHz."""

    def decode(self, packet: bytes) -> Pcm:
        """Raises CodecError for half a sample."""
        if len(packet) % 2:
            raise CodecError("L16 has two octets a sample.")
        return np.frombuffer(packet, ">i2").astype(np.int16)


def decoder_of(codec: Codec) -> Decoder:
    """A new stream of a wideband codec that is heard. Raises CodecError without its library."""
    match codec:
        case Codec.G722:
            return G722Decoder()
        case Codec.OPUS:
            return OpusDecoder()
        case Codec.L16:
            return L16Decoder()
    raise CodecError(f"{codec} is no wideband codec.")


def duration(codec: Codec, packet: bytes) -> int:
    """How long a packet of Opus or L16 lasts, in samples at 16 kHz. Raises CodecError."""
    if codec is Codec.OPUS:
        return opus.duration(packet)
    if not packet or len(packet) % 2:
        raise CodecError("L16 has two octets a sample.")
    return len(packet) // 2


class _ConstantRate:
    """Codecs of so many octets a millisecond: packets are cut wherever ptime wants."""

    def __init__(self, codec: Codec, packet_ms: int) -> None:
        self.packet_ms = packet_ms
        self._octets = packet_ms * _OCTETS_PER_MS[codec]
        self._codec = codec
        self._state = G722.G722(16000, 64000) if codec is Codec.G722 else None
        self._rest = b""

    def code(self, frame: Pcm) -> list[bytes]:
        octets = self._rest + self._encode(frame)
        whole = len(octets) // self._octets * self._octets
        self._rest = octets[whole:]
        return [octets[at : at + self._octets] for at in range(0, whole, self._octets)]

    def drop(self) -> None:
        self._rest = b""

    def _encode(self, frame: Pcm) -> bytes:
        if self._state is not None:
            coded: bytes = self._state.encode(frame)
            return coded
        if self._codec is Codec.L16:
            return frame.astype(">i2").tobytes()
        return g711.encode(frame, self._codec).tobytes()


class _Opus:
    def __init__(self, packet_ms: int, encoder: OpusEncoder) -> None:
        self.packet_ms = packet_ms
        self._samples = packet_ms * 16
        self._encoder = encoder
        self._rest: Pcm = np.zeros(0, np.int16)

    def drop(self) -> None:
        self._rest = self._rest[:0]

    def code(self, frame: Pcm) -> list[bytes]:
        pcm = np.concatenate([self._rest, frame])
        whole = len(pcm) // self._samples * self._samples
        self._rest = pcm[whole:]
        return [self._encoder.encode(pcm[at : at + self._samples]) for at in range(0, whole, self._samples)]


def coder_of(fmt: RtpFormat) -> Coder:
    """A new stream that is sent, with as much audio a packet as the peer asked for, or as near to it as the codec can.

    Raises CodecError without the codec's library.
    """
    ptime = min(max(fmt.ptime // _STEP * _STEP, _LOWEST), 60)
    if fmt.codec is Codec.OPUS:
        return _Opus(_OPUS_MS[ptime], OpusEncoder(fmt.bitrate, fmt.fec))
    return _ConstantRate(fmt.codec, min(ptime, _L16_MS) if fmt.codec is Codec.L16 else ptime)
