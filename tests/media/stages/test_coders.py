"""G.722 against FFmpeg's coder, L16, and how streams are cut into packets."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from media.codecs.coders import G722Decoder, L16Decoder, coder_of, decoder_of
from media.codecs.error import CodecError
from media.frames import Codec, Pcm, RtpFormat
from media.packing import Packing
from tests.media.voices import likeness, voice

FRAME = 320
NUMBERS = {Codec.PCMU: 0, Codec.PCMA: 8, Codec.G722: 9, Codec.OPUS: 96, Codec.L16: 97}


def fmt(codec: Codec, ptime: int = 20) -> RtpFormat:
    return RtpFormat(codec, NUMBERS[codec], ptime=ptime)


def coded(codec: Codec, pcm: Pcm, ptime: int = 20) -> list[bytes]:
    coder = coder_of(fmt(codec, ptime))
    samples = FRAME if codec.is_wideband else FRAME // 2
    return [payload for frame in pcm.reshape(-1, samples) for payload in coder.code(frame)]


def test_ffmpeg_reads_the_g722_that_we_send() -> None:
    pcm = voice()
    context = av.CodecContext.create("g722", "r")
    context.sample_rate, context.layout = 16000, "mono"
    heard = [frame.to_ndarray() for packet in coded(Codec.G722, pcm) for frame in context.decode(av.Packet(packet))]
    assert likeness(np.concatenate(heard, axis=1)[0], pcm) > 0.98


def test_we_read_the_g722_that_ffmpeg_sends_as_ffmpeg_does() -> None:
    pcm, decoder = voice(), G722Decoder()
    context = av.CodecContext.create("g722", "w")
    context.sample_rate, context.layout, context.format = 16000, "mono", "s16"
    context.time_base = Fraction(1, 16000)
    reference = av.CodecContext.create("g722", "r")
    reference.sample_rate, reference.layout = 16000, "mono"
    ours, theirs = [], []
    for at in range(0, len(pcm), FRAME):
        frame = AudioFrame.from_ndarray(pcm[None, at : at + FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, at
        for packet in context.encode(frame):
            ours.append(decoder.decode(bytes(packet)))
            theirs += [made.to_ndarray()[0] for made in reference.decode(packet)]
    heard, expected = np.concatenate(ours), np.concatenate(theirs)
    assert likeness(heard, pcm) > 0.98
    # Both are to be exact to the bit; FFmpeg's filter rounds otherwise in the last place.
    assert np.abs(heard.astype(int) - expected).max() <= 4


def test_l16_is_samples_in_the_order_of_the_network() -> None:
    pcm = voice(0.02)
    [payload] = coded(Codec.L16, pcm)
    assert payload == pcm.astype(">i2").tobytes()
    assert np.array_equal(L16Decoder().decode(payload), pcm)
    with pytest.raises(CodecError, match="two octets"):
        L16Decoder().decode(b"\0\0\0")


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 50, 60])
def test_every_codec_sends_packets_of_every_length_that_it_knows(codec: Codec, ptime: int) -> None:
    packing, frame = Packing(2), np.zeros(FRAME if codec.is_wideband else FRAME // 2, np.int16)
    packing.set_row(1, fmt(codec, ptime))
    packed = [packet for tick in range(100, 130) for packet in packing.pack(1, frame, tick)]
    if codec is not Codec.OPUS and ptime == 20 and not codec.is_wideband:
        assert not packed
        return
    lasts = {Codec.OPUS: {30: 20, 50: 40}, Codec.L16: {40: 30, 50: 30, 60: 30}}.get(codec, {}).get(ptime, ptime)
    assert len(packed) == 600 // lasts
    assert [packet.at for packet in packed] == [16000 + 8 * lasts * n for n in range(len(packed))]
    assert {packet.samples for packet in packed} == {8 * lasts}


def test_after_a_pause_nothing_stale_is_sent() -> None:
    packing, frame = Packing(1), np.full(FRAME, 7, np.int16)
    packing.set_row(0, fmt(Codec.L16, 30))
    assert not packing.pack(0, frame, 0)
    [packet, *_] = [*packing.pack(0, frame + 1, 50), *packing.pack(0, frame + 1, 51)]
    assert packet.at == 50 * 160
    assert set(np.frombuffer(packet.payload, ">i2").tolist()) == {8}


def test_narrowband_codecs_have_no_decoder_of_their_own() -> None:
    with pytest.raises(CodecError, match="no wideband codec"):
        decoder_of(Codec.PCMU)
