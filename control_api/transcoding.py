"""Speech by FFmpeg's encoders (PyAV), from a WAV."""

from __future__ import annotations

from fractions import Fraction
from typing import IO, cast

import av
from av.audio.stream import AudioStream

from control_api.encoding import FORMATS, Format, Keyed, RecordingUnreadable
from media.files import PLAIN, SealBroken, Stream
from media.sealed import open_with


def transcode(wav: Keyed, target: Keyed, name: str) -> None:
    """Write the WAV into `target`, which is there and empty, in format `name`. Blocks. Raises RecordingUnreadable, OSError."""
    try:
        with _stream(wav) as source, _stream(target) as sink:
            _transcode(cast(IO[bytes], source), cast(IO[bytes], sink), FORMATS[name])
    except av.error.InvalidDataError as error:
        raise RecordingUnreadable(f"{wav.path.name}: {error}") from None
    except SealBroken as error:
        raise RecordingUnreadable(f"{wav.path.name}: {error}") from None


def _stream(file: Keyed) -> Stream:
    return Stream(PLAIN.reopen(file.path) if file.key is None else open_with(file.key, file.path))


def _transcode(wav: IO[bytes], target: IO[bytes], fmt: Format) -> None:
    with av.open(wav, "r", format="wav") as source, av.open(target, "w", format=fmt.suffix[1:]) as sink:
        track = source.streams.audio[0]
        stream = cast(AudioStream, sink.add_stream(fmt.encoder, rate=track.rate, layout="stereo"))
        stream.bit_rate = fmt.bit_rate
        for frame in source.decode(track):
            frame.time_base = Fraction(1, track.rate)
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
