"""What a waiting caller hears: music from a file, or a melody of our own, made fit for a telephone and played in a loop.

For the main process, not for the tick. A file comes from whoever may set an agent's `holdMusicUrl`, so it is read with care
(`media.audio_file`).
"""

from __future__ import annotations

import numpy as np

from media.audio_file import looped, read_audio
from media.frames import LINE_RATE, LINE_SAMPLES, CallMedia, Pcm

LONGEST_SECONDS = 300
"""What is beyond is left out."""
LOUDEST_RMS = 1300.0
"""28 dB below full scale, a little below speech on the line (ITU-T P.56 measures that at -26): louder music is lowered."""

_LOOK = 2 * LINE_RATE // 5
"""400 ms: what counts as loud is measured over this."""
_CHUNK = 10
_LEAD = 50
"""Frames that are queued at most: 1 s, for which the main process may be busy with something else."""


def decode_music(data: bytes) -> Pcm:
    """WAV, MP3, Ogg or FLAC to a loop for `HoldMusic`. Blocks: call it in a thread. Raises AudioUnreadable.

    Returns int16, (samples,), 8 kHz, whole frames of 20 ms: the end is blended into the beginning, and loud music is lowered.
    """
    return looped(_lowered(read_audio(data, LINE_RATE, LONGEST_SECONDS)), LINE_RATE)


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


def _lowered(pcm: Pcm) -> Pcm:
    """Music whose loud passages are too loud, at the level they may have; quieter music as it is."""
    looks = pcm[: len(pcm) // _LOOK * _LOOK].reshape(-1, _LOOK).astype(np.float32)
    loud = float(np.percentile(np.sqrt(np.square(looks).mean(axis=1)), 90))
    if loud <= LOUDEST_RMS:
        return pcm
    return np.asarray(np.rint(pcm * np.float32(LOUDEST_RMS / loud)), np.int16)


def _note(frequency: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A struck bar: it rises in 15 ms, dies away within three seconds, and has a little of its second and third partial."""
    time_line = np.arange(3 * LINE_RATE) / LINE_RATE
    wave = sum(
        share * np.sin(2 * np.pi * partial * frequency * time_line) * np.exp(-decay * time_line)
        for partial, share, decay in ((1, 1.0, 2.2), (2, 0.25, 4.0), (3, 0.1, 7.0))
    )
    rise, fall = np.minimum(time_line / 0.015, 1), np.minimum((3 - time_line) / 0.2, 1)
    return np.asarray(1100 * wave * rise * fall)
