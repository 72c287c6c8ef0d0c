"""Music for the line: what is decoded, how loud it is, and that its loop has no seam."""

from __future__ import annotations

import contextlib
import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio_file import AudioUnreadable
from media.frames import Pcm
from media.music import LONGEST_SECONDS, LOUDEST_RMS, decode_music, melody
from tests.tones import hears, strength, tone


def encoded(kind: str, codec: str, pcm: Pcm, rate: int = 48000) -> bytes:
    """A file of stereo, both channels alike."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as sink:
        stream = sink.add_stream(codec, rate=rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.repeat(pcm, 2)[None], format="s16", layout="stereo")
        frame.rate = rate
        resampler = av.AudioResampler(
            format=stream.format, layout="stereo", rate=rate, frame_size=stream.frame_size or 960
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            sink.mux(stream.encode(part))
        sink.mux(stream.encode(None))
    return file.getvalue()


def music(seconds: float, amplitude: int = 3000) -> Pcm:
    return tone(440, seconds, amplitude, rate=48000)


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac")],
)
def test_what_telephones_are_fed_with_is_read(kind: str, codec: str) -> None:
    pcm = decode_music(encoded(kind, codec, music(2.0)))
    assert pcm.dtype == np.int16
    assert len(pcm) % 160 == 0
    assert 1.7 < len(pcm) / 8000 <= 2.0
    assert hears(pcm, 440)
    assert not hears(pcm, 880)


def test_loud_music_is_lowered_and_quiet_music_stays() -> None:
    loud = decode_music(encoded("wav", "pcm_s16le", music(2.0, 30000)))
    assert np.sqrt(np.square(loud.astype(float)).mean()) == pytest.approx(LOUDEST_RMS, rel=0.02)
    quiet = decode_music(encoded("wav", "pcm_s16le", music(2.0, 500)))
    assert strength(quiet, 440) == pytest.approx(500, rel=0.03)


def test_the_loop_goes_on_from_its_end_to_its_beginning() -> None:
    # 441 Hz and a length that fits no period: cut as it is, it would click.
    loop = decode_music(encoded("wav", "pcm_s16le", tone(441, 1.537, 1500, rate=48000)))
    twice = np.concatenate((loop, loop)).astype(int)
    steps = np.abs(np.diff(twice))
    assert steps.max() <= 1.05 * np.abs(np.diff(loop[1600:-1600].astype(int))).max()


def test_only_the_first_minutes_are_kept() -> None:
    pcm = decode_music(encoded("wav", "pcm_s16le", tone(440, LONGEST_SECONDS + 20, 3000), rate=8000))
    assert LONGEST_SECONDS - 1 < len(pcm) / 8000 <= LONGEST_SECONDS


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"R",
        b"\xff",
        b"<html>not found</html>",
        PLAYLIST,
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"ID3",
        b"fLaC",
    ],
)
def test_what_is_no_music_is_refused(data: bytes) -> None:
    with pytest.raises(AudioUnreadable):
        decode_music(data)


def test_a_blink_of_music_is_refused_and_one_that_is_cut_off_is_played_as_far_as_it_goes() -> None:
    with pytest.raises(AudioUnreadable, match="shorter"):
        decode_music(encoded("wav", "pcm_s16le", music(0.5)))
    whole = encoded("mp3", "libmp3lame", music(4.0))
    assert hears(decode_music(whole[: len(whole) // 2]), 440)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([b"RIFF\x10\0\0\0WAVEfmt ", b"OggS\0\2", b"ID3\4\0", b"\xff\xfb\x90\x64", b"fLaC\0\0\0\x22"]),
    st.binary(max_size=400),
)
def test_no_file_does_worse_than_to_be_refused(head: bytes, rest: bytes) -> None:
    with contextlib.suppress(AudioUnreadable):
        assert decode_music(head + rest).size


def test_our_own_melody_is_soft_never_dead_and_loops() -> None:
    pcm = melody()
    assert len(pcm) % 160 == 0
    assert pcm.any()
    frames = pcm.reshape(-1, 160).astype(float)
    level = np.sqrt(np.square(frames).mean(axis=1))
    assert level.min() > 5
    assert level.max() < LOUDEST_RMS
    assert np.abs(np.diff(np.concatenate((pcm[-160:], pcm[:160])).astype(int))).max() < 200
    assert hears(pcm[4000:6400], 659.25)
    assert hears(pcm[8000:12000], 523.25)
