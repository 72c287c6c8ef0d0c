"""What a waiting caller hears: music from a file, or a melody of our own, made fit for a telephone and played in a loop.

For the main process, not for the tick. A file comes from whoever may set an agent's `holdMusicUrl`, so it is read with care: the
container is told by its first octets and opened as that alone (a playlist could make FFmpeg fetch other files), only
plain audio codecs are decoded, and only the first minutes.
"""

from __future__ import annotations

import io
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream

from media.frames import LINE_RATE, LINE_SAMPLES, CallMedia, Pcm

LONGEST_SECONDS = 300
"""What is beyond is left out."""
SHORTEST_SECONDS = 1
LOUDEST_RMS = 1300.0
"""28 dB below full scale, a little below speech on the line (ITU-T P.56 measures that at -26): louder music is lowered."""

_SEAM = LINE_RATE // 10
_LOOK = 2 * LINE_RATE // 5
"""400 ms: what counts as loud is measured over this."""
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
_CHUNK = 10
_LEAD = 50
"""Frames that are queued at most: 1 s, for which the main process may be busy with something else."""


class MusicUnreadable(ValueError):
    """This is no audio that can be played to callers; the text says why."""


def decode_music(data: bytes) -> Pcm:
    """WAV, MP3, Ogg or FLAC to a loop for `HoldMusic`. Blocks: call it in a thread. Raises MusicUnreadable.

    Returns int16, (samples,), 8 kHz, whole frames of 20 ms: the end is blended into the beginning, and loud music is lowered.
    """
    kind = _kind(data)
    if kind is None:
        raise MusicUnreadable("It is neither WAV nor MP3, Ogg or FLAC.")
    try:
        with av.open(io.BytesIO(data), "r", format=kind) as source:
            pcm = _read(source)
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        raise MusicUnreadable(f"It cannot be decoded: {error}") from None
    if len(pcm) < SHORTEST_SECONDS * LINE_RATE:
        raise MusicUnreadable(f"It is shorter than {SHORTEST_SECONDS} s.")
    return _loop(_lowered(pcm))


def melody() -> Pcm:
    """Our own: two soft notes of a chime every four seconds over a faint noise, so that the line is never dead.

    int16, (samples,), 8 kHz, a loop of eight seconds.
    """
    seconds = 8
    made = np.random.default_rng(7).normal(0, 10, seconds * LINE_RATE)
    for begin, frequency in ((0.3, 659.25), (0.8, 523.25), (4.3, 587.33), (4.8, 493.88)):
        note = _note(frequency)
        at = round(begin * LINE_RATE)
        made[at : at + len(note)] += note
    return np.asarray(np.rint(made), np.int16)


class HoldMusic:
    """Plays a loop on a call. pcm: int16, (samples,), 8 kHz, as `decode_music` and `melody` make it; at least 20 ms."""

    def __init__(self, pcm: Pcm) -> None:
        self._frames = pcm[: len(pcm) // LINE_SAMPLES * LINE_SAMPLES].reshape(-1, LINE_SAMPLES)

    async def run(self, media: CallMedia) -> None:
        """Play, after what is queued already, until cancelled or the media is over.

        Cancelled, it drops what is queued: the music fades away in the packet under way. So nothing else is to be queued beside
        it, and barge-in is to be off, or a caller who coughs stops the music.
        """
        room = media.room()
        enough = max(_CHUNK, room - _LEAD + _CHUNK)
        at = 0
        try:
            while True:
                await media.wait_room(enough)
                taken = media.play(np.take(self._frames, np.arange(at, at + _CHUNK), axis=0, mode="wrap"))
                if not taken:
                    return
                at += taken
        finally:
            await media.flush()


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


def _read(source: av.container.InputContainer) -> Pcm:
    tracks = [stream for stream in source.streams if isinstance(stream, AudioStream)]
    if not tracks:
        raise ValueError("there is no audio in it")
    if tracks[0].codec_context.name not in _CODECS:
        raise ValueError(f"the codec {tracks[0].codec_context.name} is not for hold music")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=LINE_RATE)
    parts: list[Pcm] = []
    size = 0
    for frame in source.decode(tracks[0]):
        for made in resampler.resample(frame):
            part = cast(Pcm, made.to_ndarray()).reshape(-1)
            parts.append(part)
            size += len(part)
        if size >= LONGEST_SECONDS * LINE_RATE:
            break
    return np.concatenate(parts)[: LONGEST_SECONDS * LINE_RATE] if parts else np.zeros(0, np.int16)


def _lowered(pcm: Pcm) -> Pcm:
    """Music whose loud passages are too loud, at the level they may have; quieter music as it is."""
    looks = pcm[: len(pcm) // _LOOK * _LOOK].reshape(-1, _LOOK).astype(np.float32)
    loud = float(np.percentile(np.sqrt(np.square(looks).mean(axis=1)), 90))
    if loud <= LOUDEST_RMS:
        return pcm
    return np.asarray(np.rint(pcm * np.float32(LOUDEST_RMS / loud)), np.int16)


def _loop(pcm: Pcm) -> Pcm:
    """The same with its last 100 ms laid over its beginning: after the last sample the first goes on without a click."""
    size = (len(pcm) - _SEAM) // LINE_SAMPLES * LINE_SAMPLES
    rise = np.arange(_SEAM, dtype=np.float32) / _SEAM
    loop = pcm[:size].copy()
    loop[:_SEAM] = np.rint(pcm[:_SEAM] * rise + pcm[size : size + _SEAM] * (1 - rise))
    return loop


def _note(frequency: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A struck bar: it rises in 15 ms, dies away within three seconds, and has a little of its second and third partial."""
    time_line = np.arange(3 * LINE_RATE) / LINE_RATE
    wave = sum(
        share * np.sin(2 * np.pi * partial * frequency * time_line) * np.exp(-decay * time_line)
        for partial, share, decay in ((1, 1.0, 2.2), (2, 0.25, 4.0), (3, 0.1, 7.0))
    )
    rise, fall = np.minimum(time_line / 0.015, 1), np.minimum((3 - time_line) / 0.2, 1)
    return np.asarray(1100 * wave * rise * fall)
