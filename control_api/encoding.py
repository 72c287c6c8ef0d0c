"""A call's recording in the format it is asked for. The WAV of the media plane stays what it is; others are made from it once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream


class RecordingUnreadable(Exception):
    """The recording is damaged or empty."""


@dataclass(frozen=True, slots=True)
class Format:
    """suffix of the file, its media type, FFmpeg's encoder and bit rate for two channels of speech."""

    suffix: str
    media_type: str
    encoder: str
    bit_rate: int


FORMATS = {
    "mp3": Format(".mp3", "audio/mpeg", "libmp3lame", 32_000),
    "ogg": Format(".ogg", "audio/ogg", "libopus", 32_000),
    "wav": Format(".wav", "audio/wav", "pcm_s16le", 0),
}


def encoded(wav: Path, name: str) -> Path:
    """The recording `wav` in format `name` (`mp3`, `ogg`, `wav`), made beside it when it is not there yet. Blocks: call it in a thread.

    Raises FileNotFoundError when there is no recording, RecordingUnreadable when it cannot be decoded, OSError for a full disk.
    """
    fmt = FORMATS[name]
    if not wav.is_file():
        raise FileNotFoundError(wav.name)
    if name == "wav":
        return wav
    target = wav.with_suffix(fmt.suffix)
    if not target.is_file() or target.stat().st_mtime_ns < wav.stat().st_mtime_ns:
        _encode(wav, target, fmt)
    return target


def _encode(wav: Path, target: Path, fmt: Format) -> None:
    part = target.with_suffix(f"{fmt.suffix}.{secrets.token_hex(4)}.part")
    try:
        _transcode(wav, part, fmt)
        part.replace(target)
    except av.error.InvalidDataError as error:
        raise RecordingUnreadable(f"{wav.name}: {error}") from None
    finally:
        part.unlink(missing_ok=True)


def _transcode(wav: Path, part: Path, fmt: Format) -> None:
    with av.open(str(wav)) as source, av.open(str(part), "w", format=fmt.suffix[1:]) as sink:
        track = source.streams.audio[0]
        stream = cast(AudioStream, sink.add_stream(fmt.encoder, rate=track.rate, layout="stereo"))
        stream.bit_rate = fmt.bit_rate
        for frame in source.decode(track):
            frame.time_base = Fraction(1, track.rate)
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
