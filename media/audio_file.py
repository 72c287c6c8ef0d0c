"""Audio files that somebody has put here to be played to callers, read with care, and made loops.

The container is told by its first octets and opened as that alone (a playlist could make FFmpeg fetch other files), only plain
audio codecs are decoded, and only the first minutes.
"""

from __future__ import annotations

import io
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream

from media.frames import FRAME_MS, Pcm

SHORTEST_SECONDS = 1

_CODECS = (
    "mp3",
    "mp3float",
    "vorbis",
    "opus",
    "libopus",
    "flac",
    "pcm_s16le",
    "pcm_s24le",
    "pcm_u8",
    "pcm_mulaw",
    "pcm_alaw",
)


class AudioUnreadable(ValueError):
    """This is no audio that can be played to callers; the text says why."""


def read_audio(data: bytes, rate: int, longest_seconds: int) -> Pcm:
    """WAV, MP3, Ogg or FLAC as int16, (samples,), at this rate; what is longer is cut off. Blocks: call it in a thread.

    Raises AudioUnreadable, for what is shorter than SHORTEST_SECONDS too.
    """
    kind = _kind(data)
    if kind is None:
        raise AudioUnreadable("It is neither WAV nor MP3, Ogg or FLAC.")
    try:
        with av.open(io.BytesIO(data), "r", format=kind) as source:
            pcm = _read(source, rate, longest_seconds * rate)
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        raise AudioUnreadable(f"It cannot be decoded: {error}") from None
    if len(pcm) < SHORTEST_SECONDS * rate:
        raise AudioUnreadable(f"It is shorter than {SHORTEST_SECONDS} s.")
    return pcm


def looped(pcm: Pcm, rate: int) -> Pcm:
    """The same with its last 100 ms laid over its beginning: after the last sample the first goes on without a click.

    pcm: int16, (samples,), at this rate, SHORTEST_SECONDS at least. Returns whole frames of 20 ms.
    """
    seam, frame = rate // 10, rate * FRAME_MS // 1000
    size = (len(pcm) - seam) // frame * frame
    rise = np.arange(seam, dtype=np.float32) / seam
    loop = pcm[:size].copy()
    loop[:seam] = np.rint(pcm[:seam] * rise + pcm[size : size + seam] * (1 - rise))
    return loop


def _kind(data: bytes) -> str | None:
    """FFmpeg's name of the container."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[:4] == b"OggS":
        return "ogg"
    if data[:4] == b"fLaC":
        return "flac"
    # A tag before the music, or the sync word of an MPEG audio frame of layer III.
    if data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2):
        return "mp3"
    return None


def _read(source: av.container.InputContainer, rate: int, longest: int) -> Pcm:
    tracks = [stream for stream in source.streams if isinstance(stream, AudioStream)]
    if not tracks:
        raise ValueError("there is no audio in it")
    if tracks[0].codec_context.name not in _CODECS:
        raise ValueError(f"the codec {tracks[0].codec_context.name} is not one that is played to callers")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    parts: list[Pcm] = []
    size = 0
    for frame in source.decode(tracks[0]):
        for made in resampler.resample(frame):
            part = cast(Pcm, made.to_ndarray()).reshape(-1)
            parts.append(part)
            size += len(part)
        if size >= longest:
            break
    return np.concatenate(parts)[:longest] if parts else np.zeros(0, np.int16)
