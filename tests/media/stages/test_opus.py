"""Opus by libopus, against FFmpeg's own coder and decoder, and what a lost packet comes to."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import opus
from media.codecs.error import CodecError
from media.codecs.opus import OpusDecoder, OpusEncoder
from media.frames import Pcm
from tests.media.voices import likeness, voice

FRAME = 320


def coded(pcm: Pcm, fec: bool = False) -> list[bytes]:
    encoder = OpusEncoder(fec=fec)
    return [encoder.encode(frame) for frame in pcm.reshape(-1, FRAME)]


def test_the_library_says_which_it_is() -> None:
    assert (opus.version() or "").startswith("libopus")


def test_what_is_coded_comes_back_with_what_lies_above_4_khz() -> None:
    pcm, decoder = voice(), OpusDecoder()
    heard = np.concatenate([decoder.decode(packet) for packet in coded(pcm)])
    assert len(heard) == len(pcm)
    assert likeness(heard, pcm) > 0.9


def test_ffmpeg_reads_what_we_send() -> None:
    pcm = voice()
    context = av.CodecContext.create("libopus", "r")
    context.sample_rate, context.layout = 48000, "mono"
    frames = [frame for packet in coded(pcm, fec=True) for frame in context.decode(av.Packet(packet))]
    heard = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    scale = 32768 if heard.dtype.kind == "f" else 1
    third = (heard * scale)[: len(heard) // 3 * 3].reshape(-1, 3).mean(axis=1).astype(np.int16)
    assert likeness(third[: len(pcm)], pcm[: len(third)]) > 0.85


def test_we_read_what_ffmpeg_sends() -> None:
    pcm, decoder = voice(), OpusDecoder()
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 16000, "mono", "s16"
    context.time_base, context.bit_rate = Fraction(1, 16000), 32000
    packets = []
    for at in range(0, len(pcm), FRAME):
        frame = AudioFrame.from_ndarray(pcm[None, at : at + FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, at
        packets += [bytes(packet) for packet in context.encode(frame)]
    heard = np.concatenate([decoder.decode(packet) for packet in packets])
    assert likeness(heard, pcm[: len(heard)]) > 0.9


@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
def test_packets_of_every_length_say_how_long_they_are(milliseconds: int) -> None:
    packet = OpusEncoder().encode(voice()[: 16 * milliseconds])
    assert opus.duration(packet) == 16 * milliseconds
    assert len(OpusDecoder().decode(packet)) == 16 * milliseconds


def test_fec_brings_a_lost_frame_closer_to_what_was_said_than_concealment() -> None:
    pcm = voice(4.0)
    frames, packets = pcm.reshape(-1, FRAME), coded(pcm, fec=True)
    whole, concealing, recovering = OpusDecoder(), OpusDecoder(), OpusDecoder()
    errors = {"conceal": 0.0, "recover": 0.0, "nothing": 0.0}
    for n in range(len(packets) - 1):
        meant = whole.decode(packets[n]).astype(float)
        if n % 10 != 9:
            for decoder in (concealing, recovering):
                decoder.decode(packets[n])
            continue
        errors["conceal"] += float(((concealing.conceal(FRAME) - meant) ** 2).sum())
        errors["recover"] += float(((recovering.recover(packets[n + 1], FRAME) - meant) ** 2).sum())
        errors["nothing"] += float((meant**2).sum())
    assert errors["recover"] < 0.5 * errors["conceal"]
    assert errors["recover"] < 0.5 * errors["nothing"]
    assert len(frames) == len(packets)


def test_the_peer_s_limit_of_bits_is_kept() -> None:
    pcm = voice(4.0)
    narrow, wide = OpusEncoder(bitrate=8000), OpusEncoder(bitrate=48000)
    small = sum(len(narrow.encode(frame)) for frame in pcm.reshape(-1, FRAME))
    assert small * 8 / 4 < 11000
    assert small < sum(len(wide.encode(frame)) for frame in pcm.reshape(-1, FRAME)) / 2


@given(st.binary(max_size=1300))
def test_whatever_comes_is_decoded_or_refused(octets: bytes) -> None:
    decoder = OpusDecoder()
    for read in (lambda: opus.duration(octets), lambda: decoder.decode(octets), lambda: decoder.recover(octets, FRAME)):
        with suppress(CodecError):
            read()
    assert len(decoder.conceal(FRAME)) == FRAME


def test_a_frame_of_no_length_of_opus_is_refused() -> None:
    with pytest.raises(CodecError, match="no frame"):
        OpusEncoder().encode(np.zeros(321, np.int16))
