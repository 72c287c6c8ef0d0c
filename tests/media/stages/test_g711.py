"""G.711 against the recommendation's rules and against another implementation (FFmpeg's, by PyAV)."""

from __future__ import annotations

import av
import numpy as np
import pytest

from media.codecs.g711 import G711, SILENCE, decode, encode
from media.frames import Codec

CODES = np.arange(256, dtype=np.uint8)
SAMPLES = np.arange(-32768, 32768).astype(np.int16)
NAMES = {Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}


def theirs_decoded(codec: Codec) -> np.ndarray:
    context = av.CodecContext.create(NAMES[codec], "r")
    context.sample_rate, context.layout = 8000, "mono"
    return context.decode(av.Packet(CODES.tobytes()))[0].to_ndarray().ravel()


def theirs_encoded(codec: Codec) -> np.ndarray:
    context = av.CodecContext.create(NAMES[codec], "w")
    context.sample_rate, context.layout, context.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(SAMPLES[None], format="s16", layout="mono")
    frame.sample_rate = 8000
    return np.frombuffer(b"".join(bytes(packet) for packet in context.encode(frame)), np.uint8)


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_every_code_decodes_as_elsewhere(codec: Codec) -> None:
    assert decode(CODES, codec).tolist() == theirs_decoded(codec).tolist()


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_every_sample_encodes_as_elsewhere_but_at_the_edges_of_intervals(codec: Codec) -> None:
    # FFmpeg rounds to the nearest value; G.711's decision values differ from that only between two segments, and by
    # which interval an edge belongs to. So codes may differ by one interval, and only near an edge.
    ours, other = encode(SAMPLES, codec), theirs_encoded(codec)
    differ = np.flatnonzero(ours != other)
    assert len(differ) < 1000
    mine, yours = decode(ours, codec)[differ].astype(int), decode(other, codec)[differ].astype(int)
    step = np.abs(mine - yours)
    assert (np.abs(SAMPLES[differ] - mine) <= step).all()


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_codes_survive_a_round_trip(codec: Codec) -> None:
    again = encode(decode(CODES, codec), codec)
    # µ-law has two zeroes, and sends the positive one.
    expected = np.where((codec is Codec.PCMU) & (CODES == 0x7F), 0xFF, CODES)
    assert again.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("codec", "sample", "code"),
    [
        # ITU-T G.711 tables 1 and 2, decision values at 16 bit: the ends of segments, and full scale.
        (Codec.PCMU, 0, 0xFF), (Codec.PCMU, 123, 0xF0), (Codec.PCMU, 124, 0xEF), (Codec.PCMU, 379, 0xE0), (Codec.PCMU, 380, 0xDF),
        (Codec.PCMU, 32767, 0x80), (Codec.PCMU, -32768, 0x00), (Codec.PCMU, -1, 0x7F),
        (Codec.PCMA, 0, 0xD5), (Codec.PCMA, 15, 0xD5), (Codec.PCMA, 16, 0xD4), (Codec.PCMA, 511, 0xC5 ^ 0x0F), (Codec.PCMA, 512, 0xF5),
        (Codec.PCMA, 32767, 0xAA), (Codec.PCMA, -32768, 0x2A), (Codec.PCMA, -1, 0x55),
    ],
)  # fmt: skip
def test_values_of_the_tables(codec: Codec, sample: int, code: int) -> None:
    assert int(encode(np.array([sample], np.int16), codec)[0]) == code


def test_each_row_speaks_its_law() -> None:
    law = G711(4)
    law.open_row(1, Codec.PCMA)
    law.open_row(3, Codec.PCMA)
    laws = [Codec.PCMU, Codec.PCMA, Codec.PCMU, Codec.PCMA]
    noise = np.random.default_rng(3).integers(-32768, 32768, (4, 160)).astype(np.int16)
    codes = law.encode(noise).copy()
    assert codes.tolist() == [encode(noise[k], laws[k]).tolist() for k in range(4)]
    pcm = law.decode(codes).copy()
    assert pcm.tolist() == [decode(codes[k], laws[k]).tolist() for k in range(4)]
    few = np.array([3, 0])
    assert law.decode(codes[few], few).tolist() == pcm[few].tolist()
    assert law.encode(noise[few], few).tolist() == [
        encode(noise[3], Codec.PCMA).tolist(),
        encode(noise[0], Codec.PCMU).tolist(),
    ]
    assert law.silence.tolist() == [0xFF, 0xD5, 0xFF, 0xD5]
    law.close_row(1)
    assert law.encode(noise)[1].tolist() == encode(noise[1], Codec.PCMU).tolist()


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_silence_is_nearly_nothing(codec: Codec) -> None:
    assert abs(int(decode(np.array([SILENCE[codec]], np.uint8), codec)[0])) <= 8
