"""Opus (RFC 6716) at 16 kHz, mono: libopus itself, by ctypes.

PyAV can decode Opus, but only packets that are there: what libopus makes up for a lost one, and what the next packet
carries of it (FEC), it has no entry for. So the library is called directly: the one that PyAV's wheel brings, or the system's. ctypes
lets go of the interpreter's lock while libopus works. At 16 kHz nothing is resampled on the way to a recogniser.
"""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np

from media.codecs.error import CodecError
from media.frames import Pcm

RATE = 16000
LONGEST = RATE * 120 // 1000
"""Samples of the longest packet, 120 ms (RFC 6716 section 3.2.5)."""
BITRATE = 24000
"""Bits a second that we send if the peer sets no limit: wideband speech is at its best from here on (RFC 7587 section 3.1.1)."""
FEC_BITRATE = 32000
"""And with FEC, which libopus leaves out of wideband where it gets less."""
LOWEST_BITRATE, HIGHEST_BITRATE = 6000, 64000
COMPLEXITY = 0
"""Of 0–10: what more would be worth (5: four times the time) is not heard of speech at this rate."""
EXPECTED_LOSS = 10
"""Percent of packets that we tell the coder to reckon with, where the peer wants FEC; without loss to reckon with it sends none."""

_SONAMES = ("libopus.so.0", "libopus.dylib")
_APPLICATION_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_INBAND_FEC, _SET_LOSS, _SET_SIGNAL = 4002, 4010, 4012, 4014, 4024
_SIGNAL_VOICE = 3001
_LARGEST_PACKET = 1275 * 3


@cache
def library() -> ctypes.CDLL | None:
    """libopus, None where there is none."""
    spec = importlib.util.find_spec("av")
    folders = [] if spec is None or spec.origin is None else [Path(spec.origin).parents[1] / "av.libs"]
    found = [str(path) for folder in folders for path in sorted(folder.glob("libopus-*"))]
    for name in (*found, *_SONAMES):
        try:
            return _declare(ctypes.CDLL(name))
        except OSError:
            continue
    return None


def version() -> str | None:
    """Which libopus serves, such as `libopus 1.6.1`; None without one."""
    lib = library()
    return None if lib is None else str(lib.opus_get_version_string().decode("ascii", "replace"))


def duration(packet: bytes) -> int:
    """How long a packet lasts, in samples at 16 kHz. Raises CodecError."""
    samples: int = _library().opus_packet_get_nb_samples(packet, len(packet), RATE)
    if not 0 < samples <= LONGEST:
        raise CodecError("This is no packet of Opus.")
    return samples


def frame_duration(packet: bytes) -> int:
    """How long each frame of a packet lasts, in samples at 16 kHz: as much of what came before as its FEC can tell of."""
    samples: int = _library().opus_packet_get_samples_per_frame(packet, RATE)
    return samples


class OpusDecoder:
    """One stream that is heard. Every method returns int16, (n,), 16 kHz."""

    def __init__(self) -> None:
        """Raises CodecError without libopus."""
        self._lib = _library()
        self._state = _state(self._lib.opus_decoder_get_size(1))
        if self._lib.opus_decoder_init(self._state, RATE, 1):
            raise CodecError("libopus makes no decoder.")
        self._pcm = np.zeros(LONGEST, np.int16)
        self._out = self._pcm.ctypes.data

    def decode(self, packet: bytes) -> Pcm:
        """The next packet. Raises CodecError."""
        return self._decode(packet, LONGEST, fec=0)

    def conceal(self, samples: int) -> Pcm:
        """What may have been in so many samples (whole 2.5 ms) that did not come."""
        return self._decode(None, samples, fec=0)

    def recover(self, packet: bytes, samples: int) -> Pcm:
        """So many samples that did not come, out of what `packet`, the one after them, tells of them. Raises CodecError.

        Where it tells nothing, they are made up.
        """
        return self._decode(packet, samples, fec=1)

    def _decode(self, packet: bytes | None, samples: int, fec: int) -> Pcm:
        size = 0 if packet is None else len(packet)
        count = self._lib.opus_decode(self._state, packet, size, self._out, samples, fec)
        if count < 0:
            raise CodecError("This is no packet of Opus.")
        return self._pcm[:count].copy()


class OpusEncoder:
    """One stream that is sent, 16 kHz. bitrate: bits a second; fec: with what the peer needs to recover a lost packet."""

    def __init__(self, bitrate: int | None = None, fec: bool = False) -> None:
        """Raises CodecError without libopus."""
        self._lib = _library()
        self._state = _state(self._lib.opus_encoder_get_size(1))
        if self._lib.opus_encoder_init(self._state, RATE, 1, _APPLICATION_VOIP):
            raise CodecError("libopus makes no encoder.")
        self._packet = ctypes.create_string_buffer(_LARGEST_PACKET)
        self._pcm = np.zeros(LONGEST, np.int16)
        self._in = self._pcm.ctypes.data
        rate = min(max(bitrate or (FEC_BITRATE if fec else BITRATE), LOWEST_BITRATE), HIGHEST_BITRATE)
        self._set(_SET_BITRATE, rate)
        self._set(_SET_COMPLEXITY, COMPLEXITY)
        self._set(_SET_SIGNAL, _SIGNAL_VOICE)
        if fec:
            self._set(_SET_INBAND_FEC, 1)
            self._set(_SET_LOSS, EXPECTED_LOSS)

    def encode(self, pcm: Pcm) -> bytes:
        """One packet. pcm: int16, (n,), 16 kHz, of 10, 20, 40 or 60 ms. Raises CodecError."""
        self._pcm[: len(pcm)] = pcm
        size = self._lib.opus_encode(self._state, self._in, len(pcm), self._packet, _LARGEST_PACKET)
        if size < 0:
            raise CodecError(f"{len(pcm)} samples are no frame of Opus.")
        return ctypes.string_at(self._packet, size)

    def _set(self, what: int, value: int) -> None:
        # A variadic function: the fixed arguments are declared, the one that varies is an int as it is.
        self._lib.opus_encoder_ctl(self._state, ctypes.c_int(what), ctypes.c_int(value))


def _library() -> ctypes.CDLL:
    found = library()
    if found is None:
        raise CodecError("libopus is not installed.")
    return found


def _state(size: int) -> ctypes.Array[ctypes.c_char]:
    # The state lies in memory of ours, so that nothing has to be given back.
    return ctypes.create_string_buffer(size)


def _declare(lib: ctypes.CDLL) -> ctypes.CDLL:
    pointer, number, octets = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    lib.opus_get_version_string.restype = octets
    lib.opus_decoder_init.argtypes = [pointer, number, number]
    lib.opus_encoder_init.argtypes = [pointer, number, number, number]
    lib.opus_decode.argtypes = [pointer, octets, number, pointer, number, number]
    lib.opus_encode.argtypes = [pointer, pointer, number, pointer, number]
    lib.opus_encoder_ctl.argtypes = [pointer, number]
    lib.opus_packet_get_nb_samples.argtypes = [octets, number, number]
    lib.opus_packet_get_samples_per_frame.argtypes = [octets, number]
    return lib
