"""One wideband call that is heard: from slots of the jitter buffer to frames of 20 ms at 16 kHz."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from media.codecs import coders, opus
from media.codecs.error import CodecError
from media.codecs.opus import OpusDecoder
from media.frames import EAR_SAMPLES, Codec, Pcm
from media.packets import PIECE, Packets, parts

_SCALE = 2
"""Samples at 16 kHz for each of a slot's octets."""
_LOOK_AHEAD = 3
"""Slots after a lost one in which the packet may begin that tells of it: packets last 60 ms at most, but for rare ones."""

Peek = Callable[[int], bytes | None]
"""The slot that is so many after the next one, None where it has not come."""


class Listener:
    """The decoder of one call, and what it has decoded and not yet given. Raises CodecError where the codec's library is missing."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self._decoder = coders.decoder_of(codec)
        self.packets = None if codec is Codec.G722 else Packets(codec.clock)
        self._handle: int | None = None
        self._decoded: Pcm = np.zeros(0, np.int16)
        # Of what was made up or recovered at once, that which is for the slots to come.
        self._recovered: Pcm = np.zeros(0, np.int16)

    def hear(self, slot: bytes) -> Pcm:
        """A slot that came. Returns int16, (320,)."""
        self._recovered = self._recovered[:0]
        if self.packets is None:
            return self._decoder.decode(slot)
        found = [self._part(part.handle, part.piece, part.samples) for part in parts(slot)]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def miss(self, peek: Peek) -> Pcm | None:
        """A slot that did not come. Returns int16, (320,); None where the codec has no concealment of its own."""
        if not isinstance(self._decoder, OpusDecoder) or self.packets is None:
            return None
        if not len(self._recovered):
            self._recovered = self._recover(self._decoder, self.packets, peek)
        frame, self._recovered = self._recovered[:EAR_SAMPLES], self._recovered[EAR_SAMPLES:]
        return frame

    def _part(self, handle: int, piece: int, samples: int) -> Pcm:
        if handle != self._handle:
            self._handle, self._decoded = handle, self._decode(handle, samples)
        start = piece * PIECE * _SCALE
        found = self._decoded[start : start + samples * _SCALE]
        missing = samples * _SCALE - len(found)
        return np.pad(found, (0, missing)) if missing else found

    def _decode(self, handle: int, samples: int) -> Pcm:
        packet = self.packets.take(handle) if self.packets is not None else None
        try:
            return self._decoder.decode(packet or b"")
        except CodecError:
            if isinstance(self._decoder, OpusDecoder):
                return self._decoder.conceal(samples // PIECE * PIECE * _SCALE or PIECE * _SCALE)
            return np.zeros(samples * _SCALE, np.int16)

    def _recover(self, decoder: OpusDecoder, packets: Packets, peek: Peek) -> Pcm:
        """The lost slot, and those after it up to the packet that tells of them (RFC 6716 section 2.1.7)."""
        for after in range(_LOOK_AHEAD):
            slot = peek(after)
            if slot is None:
                continue
            packet = packets.look(slot[0])
            missing = (after + 1) * EAR_SAMPLES
            told = 0 if packet is None or slot[1] else opus.frame_duration(packet)
            if packet is not None and 0 < told <= missing:
                made = [decoder.conceal(missing - told)] if told < missing else []
                return np.concatenate([*made, decoder.recover(packet, told)])
            break
        return decoder.conceal(EAR_SAMPLES)
