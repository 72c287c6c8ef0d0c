"""aiortc, an independent implementation of RTP: it reads the packets of Opus and the keys that we send, and we read what it sends.

Its jitter buffer has no part in this.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from aiortc.codecs.opus import OpusDecoder as TheirDecoder
from aiortc.codecs.opus import OpusEncoder as TheirEncoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket as TheirPacket
from av.audio.frame import AudioFrame

from media.codecs.coders import coder_of
from media.codecs.opus import OpusDecoder
from media.dtmf import EventReceiver, EventSender, KeyPressed
from media.frames import Codec, Pcm, RtpFormat
from media.rtp import RtpPacket, Sender
from tests.media.voices import RATE, likeness, voice

FRAME = 320
OPUS, EVENTS = 111, 101
CLOCK = 48000
SSRC, SEQUENCE, ORIGIN = 0xCAFE, 65530, 2**32 - 4000
"""Both sequence number and timestamp wrap around on the way."""


def a_stream() -> Sender:
    sender = Sender(1)
    sender.open_row(0, ssrc=SSRC, sequence=SEQUENCE, timestamp=ORIGIN, payload_type=OPUS, now=0)
    sender.set_clock(0, CLOCK, SSRC, ORIGIN)
    return sender


def test_aiortc_hears_the_opus_that_we_send() -> None:
    pcm, sender, coder = voice(), a_stream(), coder_of(RtpFormat(Codec.OPUS, OPUS))
    payloads = [payload for frame in pcm.reshape(-1, FRAME) for payload in coder.code(frame)]
    sent = [sender.packet(0, payload, 160 * tick, 160) for tick, payload in enumerate(payloads)]
    packets = [TheirPacket.parse(packet) for packet in sent]
    assert [bool(packet.marker) for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(SSRC, OPUS)}
    steps = {
        ((after.sequence_number - one.sequence_number) % 2**16, (after.timestamp - one.timestamp) % 2**32)
        for one, after in pairwise(packets)
    }
    assert steps == {(1, CLOCK // 50)}
    decoder = TheirDecoder()
    frames = [frame for packet in packets for frame in decoder.decode(JitterFrame(packet.payload, packet.timestamp))]
    # Stereo at 48 kHz, one sample of each channel beside the other.
    left = np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in frames])
    assert likeness(a_third(left), pcm) > 0.85


def test_we_hear_the_opus_that_aiortc_sends() -> None:
    pcm, encoder, decoder = voice(), TheirEncoder(), OpusDecoder()
    heard = []
    for at in range(0, len(pcm), FRAME):
        frame = AudioFrame.from_ndarray(pcm[None, at : at + FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, at
        payloads, timestamp = encoder.encode(frame)
        for payload in payloads:
            theirs = TheirPacket(payload_type=OPUS, sequence_number=7, timestamp=timestamp, ssrc=SSRC, payload=payload)
            ours = RtpPacket.parse(theirs.serialize())
            assert (ours.payload_type, ours.timestamp, ours.ssrc) == (OPUS, timestamp, SSRC)
            heard.append(decoder.decode(ours.payload))
    assert likeness(np.concatenate(heard), pcm) > 0.9


def test_keys_between_packets_of_audio_are_of_one_stream_for_aiortc() -> None:
    """RFC 4733 section 2.3: the sequence numbers run on; section 2.2.1: one timestamp for a key, and the marker at its first packet."""
    sender = a_stream()
    sent = [sender.packet(0, b"before", 0, 160)]
    start = sender.timestamp_at(0, 160)
    for event in EventSender("5", rate=CLOCK):
        at = (start + event.offset) & 0xFFFFFFFF
        sent.append(sender.event_packet(0, event.payload, payload_type=EVENTS, timestamp=at, marker=event.marker))
    packets = [TheirPacket.parse(packet) for packet in sent]
    assert {(after.sequence_number - one.sequence_number) % 2**16 for one, after in pairwise(packets)} == {1}
    keys = packets[1:]
    assert {(packet.payload_type, packet.timestamp) for packet in keys} == {(EVENTS, start)}
    assert [bool(packet.marker) for packet in keys] == [True] + [False] * (len(keys) - 1)
    # Octets as RFC 4733 section 2.3 draws them: the event, the end bit over the volume, the duration so far.
    assert {packet.payload[0] for packet in keys} == {5}
    assert [bool(packet.payload[1] & 0x80) for packet in keys] == [False] * (len(keys) - 3) + [True] * 3
    assert int.from_bytes(keys[-1].payload[2:], "big") == CLOCK // 10


def test_we_hear_a_key_in_packets_of_aiortc() -> None:
    receiver, told = EventReceiver(CLOCK), list[KeyPressed]()
    for n, (end, duration) in enumerate([(0, 960), (0, 1920), (0, 2880), (0x80, 3840), (0x80, 3840), (0x80, 3840)]):
        payload = bytes([11, end | 10]) + duration.to_bytes(2, "big")
        theirs = TheirPacket(EVENTS, int(n == 0), (SEQUENCE + n) % 2**16, ORIGIN, SSRC, payload)
        ours = RtpPacket.parse(theirs.serialize())
        assert (ours.payload_type, ours.marker) == (EVENTS, n == 0)
        told += receiver.receive(ours.timestamp, ours.payload, n)
    assert [(key.digit, key.duration_ms) for key in told] == [("#", 80)]


def a_third(pcm: Pcm) -> Pcm:
    """48 kHz to 16 kHz, by the mean of three."""
    return np.asarray(pcm[: len(pcm) // 3 * 3].reshape(-1, 3).mean(axis=1), np.int16)
