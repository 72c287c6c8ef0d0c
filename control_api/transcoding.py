"""Speech by FFmpeg's encoders (PyAV), from a WAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream

from control_api.encoding import FORMATS, Format, RecordingUnreadable


def transcode(wav: Path, target: Path, name: str) -> None:
    """Write the WAV as `target`, in format `name`. Blocks. Raises RecordingUnreadable, OSError."""
    try:
        _transcode(wav, target, FORMATS[name])
    except av.error.InvalidDataError as error:
        raise RecordingUnreadable(f"{wav.name}: {error}") from None


def _transcode(wav: Path, target: Path, fmt: Format) -> None:
    with av.open(str(wav)) as source, av.open(str(target), "w", format=fmt.suffix[1:]) as sink:
        track = source.streams.audio[0]
        stream = cast(AudioStream, sink.add_stream(fmt.encoder, rate=track.rate, layout="stereo"))
        stream.bit_rate = fmt.bit_rate
        for frame in source.decode(track):
            frame.time_base = Fraction(1, track.rate)
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
