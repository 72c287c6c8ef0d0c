"""The tick under simulated time: what leaves, what is heard, what is told, each at its exact tick."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import numpy as np
import pytest

from media.codecs.g711 import decode, encode
from media.dtmf import TelephoneEvent
from media.frames import (
    BargeIn,
    Codec,
    DigitHeard,
    Direction,
    Ducked,
    MarkPlayed,
    MediaFailed,
    MediaTimeout,
    MediaUnavailable,
    Paused,
    PlayoutIdle,
    Resumed,
    RtpFormat,
    RtpRemote,
    SpeechStarted,
    SpeechStopped,
)
from media.inprocess import InProcessPlane
from media.records import REFUSED, Command, CommandKind, EventKind
from media.rings import COMMANDS
from media.rtcp import Bye, ReceiverReport, ReportBlock, SenderReport, compound, middle, ntp_from_unix, parse_compound
from media.rtp import RtpPacket
from tests.media.process.line import FORMAT, PEER, Line, LoudIsSpeech, frames, on_a_line

VOICE = 8000


def level(packet: RtpPacket, codec: Codec = Codec.PCMU) -> int:
    """The loudest sample of the second half of a packet: after any ramp."""
    samples = decode(np.frombuffer(packet.payload, np.uint8), codec)
    return int(np.abs(samples[80:].astype(int)).max())


# -- sending --------------------------------------------------------------------------------------------------------


def test_a_packet_leaves_every_tick_without_a_gap_whether_somebody_speaks_or_not() -> None:
    async def test(line: Line) -> None:
        await line.tick(30)
        line.call.play(frames(20))
        await line.tick(50)
        assert len(line.sent) == 81
        assert line.sent[0].marker
        assert not any(packet.marker for packet in line.sent[1:])
        for before, after in itertools.pairwise(line.sent):
            assert after.sequence == (before.sequence + 1) & 0xFFFF
            assert after.timestamp == (before.timestamp + 160) & 0xFFFFFFFF
            assert after.ssrc == before.ssrc
        loud = [number for number, packet in enumerate(line.sent) if level(packet) > 4000]
        assert loud == list(range(31, 51))
        # Where nobody speaks there is a little noise, not digital silence.
        assert all(0 < level(packet) < 100 for packet in line.sent[52:])

    on_a_line(test)


def test_on_hold_packets_stop_the_clock_runs_on_and_the_queue_waits() -> None:
    async def test(line: Line) -> None:
        await line.tick(10)
        line.call.play(frames(10))
        await line.tick(2)
        last = line.sent[-1]
        await line.connect(Direction.RECVONLY)
        assert line.call.played() == 2
        count = len(line.sent)
        await line.tick(24)
        assert len(line.sent) == count
        assert line.call.played() == 2
        await line.connect(Direction.SENDRECV)
        await line.tick(20)
        again = line.sent[count]
        assert again.sequence == (last.sequence + 1) & 0xFFFF
        assert again.timestamp == (last.timestamp + 160 * 26) & 0xFFFFFFFF
        assert again.marker
        assert line.call.played() == 10

    on_a_line(test)


def test_a_peer_that_asked_for_40_ms_gets_40_ms() -> None:
    async def test(line: Line) -> None:
        await line.connect(fmt=replace(FORMAT, ptime=40))
        count = len(line.sent)
        await line.tick(41)
        packets = line.sent[count:]
        assert len(packets) in (20, 21)
        assert {len(packet.payload) for packet in packets} == {320}
        steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(packets)}
        assert steps == {320}

    on_a_line(test)


def test_a_new_format_is_sent_and_heard_and_the_stream_goes_on() -> None:
    async def test(line: Line) -> None:
        await line.say(VOICE, 3)
        last = line.sent[-1]
        await line.connect(fmt=RtpFormat(Codec.PCMA, 8, 101))
        line.call.play(frames(5))
        for _ in range(5):
            line.deliver(line.packet(VOICE, codec=Codec.PCMA))
            await line.tick()
        first = line.sent[4]
        assert (first.payload_type, first.sequence) == (8, (last.sequence + 1) & 0xFFFF)
        assert level(line.sent[-1], Codec.PCMA) > 4000
        assert abs(int(line.heard[-1].pcm[100]) - VOICE) < 300

    on_a_line(test, barge_in=BargeIn(enabled=False))


# -- marks, flush, resume ----------------------------------------------------------------------------------------------


def test_marks_and_idle_are_told_at_the_samples_that_left() -> None:
    async def test(line: Line) -> None:
        await line.tick(9)
        assert line.call.position() == 9 * 160
        line.call.play(frames(5), mark=41)
        line.call.play(frames(5), mark=42)
        await line.tick(12)
        assert line.of(MarkPlayed) == [MarkPlayed(10 * 160, 41), MarkPlayed(15 * 160, 42)]
        assert line.of(PlayoutIdle) == [PlayoutIdle(20 * 160)]
        assert (line.call.queued(), line.call.played()) == (10, 10)

    on_a_line(test)


def test_flush_drops_what_had_not_left_and_keeps_what_came_after() -> None:
    async def test(line: Line) -> None:
        full = line.call.room()
        line.call.play(frames(100), mark=1)
        await line.tick(10)
        flushing = asyncio.ensure_future(line.call.flush())
        await asyncio.sleep(0)
        line.call.play(frames(3), mark=2)
        played = await line.plane.during(flushing)
        line.collect()
        assert played == 10
        await line.tick(10)
        assert line.call.played() == 13
        assert line.call.queued() == 103
        assert line.call.room() == full
        assert [event.mark for event in line.of(MarkPlayed)] == [1, 2]
        # The voice fades in the packet after the last one, and the new one begins in the next.
        loud = [number for number, packet in enumerate(line.sent) if level(packet) > 4000]
        assert loud == [*range(1, 11), 12, 13, 14]

    on_a_line(test)


def test_resume_goes_back_to_a_frame_but_not_behind_a_flush() -> None:
    async def test(line: Line) -> None:
        line.call.play(frames(20))
        await line.tick(15)
        await line.plane.during(line.call.flush())
        line.call.play(frames(10), mark=5)
        await line.tick(8)
        assert line.call.played() == 23
        await line.plane.during(line.call.resume(18))
        assert line.of(Resumed)[-1].frame == 18
        await line.plane.during(line.call.resume(3))
        assert line.of(Resumed)[-1].frame == 15
        await line.tick(20)
        assert line.call.played() == 25
        assert len(line.of(MarkPlayed)) == 1

    on_a_line(test)


def test_the_out_ring_takes_eight_seconds_and_wait_room_waits_for_the_rest() -> None:
    async def test(line: Line) -> None:
        assert line.call.play(frames(1000)) == line.call.queued() >= 400
        waiting = asyncio.ensure_future(line.call.wait_room(5))
        await line.tick(4)
        assert not waiting.done()
        await line.tick(2)
        assert waiting.done()
        await waiting

    on_a_line(test)


# -- barge-in -------------------------------------------------------------------------------------------------------


def test_a_caller_who_speaks_over_the_agent_ducks_it_then_stops_it_in_the_tick_that_heard_it() -> None:
    async def test(line: Line) -> None:
        await line.say(0, 20)
        line.call.play(frames(100))
        await line.say(0, 5)
        tick = line.call.position()
        before = len(line.sent)
        await line.say(VOICE, 4)
        # The packet with the onset holds what was said before it came; a frame of the detector counts as 32 ms.
        assert line.of(SpeechStarted) == [SpeechStarted(tick + 160 - 256)]
        assert line.of(Ducked) == [Ducked(tick + 160)]
        assert line.of(Paused) == [Paused(tick + 320, 6)]
        levels = [level(packet) for packet in line.sent[before - 1 : before + 4]]
        assert levels[0] > 4000
        assert 1000 < levels[1] < 1500
        assert all(0 < quiet < 100 for quiet in levels[2:])
        await line.say(0, 2)
        # The resampler's tail, 1.4 ms, makes a fifth frame loud; the sixth is silent.
        assert line.of(SpeechStopped) == [SpeechStopped(tick + 6 * 160 - 256)]
        # Judged: it goes on at the start of the word, with the next packet.
        await line.plane.during(line.call.resume(4))
        line.collect()
        assert line.of(Resumed)[0].frame == 4
        assert level(line.sent[-1]) > 4000
        await line.say(0, 100)
        assert line.call.played() == 100

    on_a_line(test, barge_in=BargeIn(threshold=0.35, cooldown_ms=0))


def test_a_pause_that_nobody_judges_ends_by_itself_when_the_caller_is_silent() -> None:
    async def test(line: Line) -> None:
        line.call.play(frames(400))
        await line.say(0, 5)
        await line.say(VOICE, 3)
        [paused] = line.of(Paused)
        await line.say(0, 110)
        [resumed] = line.of(Resumed)
        assert resumed.frame == paused.played
        assert resumed.at - paused.at == 100 * 160
        assert level(line.sent[-1]) > 4000

    on_a_line(test, barge_in=BargeIn(cooldown_ms=0))


def test_flush_ends_a_pause() -> None:
    async def test(line: Line) -> None:
        line.call.play(frames(50))
        await line.say(0, 5)
        await line.say(VOICE, 5)
        played = await line.plane.during(line.call.flush())
        assert played == line.of(Paused)[0].played == 6
        line.call.play(frames(2))
        await line.say(VOICE, 5)
        assert line.call.played() == 8
        assert len(line.of(Paused)) == 1

    on_a_line(test, barge_in=BargeIn(cooldown_ms=0))


def test_with_barge_in_off_speech_is_told_and_nothing_stops() -> None:
    async def test(line: Line) -> None:
        line.call.play(frames(30))
        await line.say(VOICE, 20)
        assert len(line.of(SpeechStarted)) == 1
        assert line.of(Ducked) == line.of(Paused) == []
        assert line.call.played() == 20

    on_a_line(test, barge_in=BargeIn(enabled=False))


# -- hearing --------------------------------------------------------------------------------------------------------


def test_lost_and_swapped_packets_are_heard_in_order_over_the_wrap_around() -> None:
    async def test(line: Line) -> None:
        # Sequence and timestamp wrap within these twenty: packet 7 is lost, 9 comes before 8.
        for number in [0, 1, 2, 3, 4, 5, 6, None, 9, 8, *range(10, 20), None, None, None]:
            if number is not None:
                line.deliver(line.packet(500 + 100 * number, number))
            await line.tick()
        assert [frame.at for frame in line.heard[:20]] == [160 * number for number in range(20)]
        assert [number for number, frame in enumerate(line.heard[:20]) if frame.concealed] == [7]
        middle = [int(frame.pcm[200]) for frame in line.heard[:20]]
        for number in {*range(20)} - {7, 8}:
            assert abs(middle[number] - (500 + 100 * number)) < 70, number

    on_a_line(test)


def test_a_late_consumer_gets_silence_for_what_the_ring_no_longer_holds() -> None:
    async def test(line: Line) -> None:
        slow = line.call.hear(0)
        first = None
        for _ in range(200):
            line.deliver(line.packet(VOICE))
            line.plane.run_tick()
            if first is None:
                await asyncio.sleep(0)
                first = await anext(slow)
        got = [first] + [await anext(slow) for _ in range(199)]
        assert [frame.at for frame in got] == [160 * number for number in range(200)]
        lost = [frame for frame in got if frame.concealed]
        assert lost
        assert not any(frame.pcm.any() for frame in lost)
        assert not any(frame.concealed for frame in got[-100:])
        await slow.aclose()  # type: ignore[attr-defined]

    on_a_line(test)


def test_hear_begins_up_to_half_a_second_in_the_past() -> None:
    async def test(line: Line) -> None:
        await line.say(VOICE, 60)
        start = line.call.position() - 4000
        past = line.call.hear(start)
        frame = await anext(past)
        assert frame.at <= start < frame.at + 160
        await past.aclose()  # type: ignore[attr-defined]

    on_a_line(test)


def test_packets_from_elsewhere_are_ignored_and_counted() -> None:
    async def test(line: Line) -> None:
        await line.say(VOICE, 5)
        for number in range(10):
            line.deliver(RtpPacket(0, number, number * 160, 5, bytes(160)), ("203.0.113.9", 9))
        await line.tick(2)
        line.plane.deliver(line.call, b"\x80", PEER)
        await line.tick()
        counters = line.plane.link.rings.process
        assert counters.packets_foreign[0] == 10
        assert counters.packets_malformed[0] == 1
        report = await line.plane.during(line.call.close())
        assert report.packets_received == 5

    on_a_line(test)


def test_a_peer_behind_a_nat_is_learnt_by_five_packets_and_answered_there() -> None:
    async def test(line: Line) -> None:
        real = ("198.51.100.7", 61000)
        for _ in range(8):
            line.deliver(line.packet(VOICE), real)
            await line.plane.tick()
        sent = line.plane.take_sent()
        assert [packet.address for packet in sent[:4]] == [PEER] * 4
        assert {packet.address for packet in sent[4:]} == {real}
        assert len(line.heard) >= 3
        # The same SDP again (a refresh) forgets nothing; another address does.
        await line.plane.during(line.call.connect(RtpRemote(*PEER), FORMAT))
        assert {packet.address for packet in line.plane.take_sent()} == {real}
        await line.plane.during(line.call.connect(RtpRemote("192.0.2.50", 5000), FORMAT))
        assert line.plane.take_sent()[-1].address == ("192.0.2.50", 5000)

    on_a_line(test)


def test_a_peer_on_the_last_port_has_no_rtcp_and_does_no_harm() -> None:
    async def test(line: Line) -> None:
        real = ("198.51.100.7", 65535)
        for _ in range(8):
            line.deliver(line.packet(VOICE), real)
            await line.tick()
        await line.say(VOICE, 500)
        assert line.control == []
        await line.plane.during(line.call.connect(RtpRemote("192.0.2.50", 65535), FORMAT))
        assert line.plane.take_sent()[-1].address == ("192.0.2.50", 65535)
        await line.tick(500)
        await line.plane.during(line.call.connect(RtpRemote("192.0.2.50", 70000), FORMAT))
        line.plane.take_sent()
        await line.plane.tick(5)
        assert line.plane.take_sent() == []

    on_a_line(test)


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_is_told_once_however_many_packets_tell_of_it() -> None:
    async def test(line: Line) -> None:
        await line.say(0, 3)
        for step in range(8):
            payload = bytes(TelephoneEvent(5, step > 4, 10, min(800, 160 * (step + 1))))
            line.deliver(RtpPacket(101, line.sequence & 0xFFFF, line.timestamp & 0xFFFFFFFF, 77, payload))
            line.sequence += 1
            await line.tick()
        assert [(event.digit, event.duration_ms) for event in line.of(DigitHeard)] == [("5", 100)]
        assert line.of(DigitHeard)[0].at == 160 * 9

    on_a_line(test)


def test_a_key_comes_as_tones_where_the_peer_has_no_events() -> None:
    """It is told when it is released; a peer that has events sends those, and what else sounds like a key is none."""

    async def press(line: Line) -> None:
        at = np.arange(4 * 160) / 8000
        tones = np.asarray(3000 * (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1336 * at)), np.int16)
        for frame in encode(tones, Codec.PCMU).reshape(-1, 160):
            line.deliver(replace(line.packet(0), payload=frame.tobytes()))
            await line.tick()
        await line.say(0, 5)

    async def test(line: Line) -> None:
        await line.say(0, 5)
        await press(line)
        assert line.of(DigitHeard) == []
        await line.connect(fmt=replace(FORMAT, telephone_event=None))
        line.heard.clear()
        await press(line)
        assert [(event.digit, event.duration_ms) for event in line.of(DigitHeard)] == [("5", 80)]
        assert not any(frame.pcm.any() for frame in line.heard), "nobody takes the key for a word"

    on_a_line(test)


def test_digits_leave_as_events_in_place_of_audio_and_the_call_waits_for_the_last() -> None:
    async def test(line: Line) -> None:
        line.call.play(frames(100))
        assert await line.plane.during(line.call.send_digits("1#"))
        line.collect()
        keys = [packet for packet in line.sent if packet.payload_type == 101]
        told = [TelephoneEvent.parse(packet.payload) for packet in keys]
        assert [event.event for event in told] == [1] * 7 + [11] * 7
        assert [event.duration for event in told[:7]] == [160, 320, 480, 640, 800, 800, 800]
        assert [packet.marker for packet in keys[:2]] == [True, False]
        first, second = keys[0].timestamp, keys[7].timestamp
        assert {packet.timestamp for packet in keys[:7]} == {first}
        assert (second - first) & 0xFFFFFFFF == 160 * 10
        sequences = [packet.sequence for packet in line.sent]
        assert sequences == [(sequences[0] + n) & 0xFFFF for n in range(len(sequences))]
        await line.tick(110)
        assert line.call.played() == 100
        with pytest.raises(ValueError, match="keys"):
            await line.call.send_digits("12x")

    on_a_line(test)


def test_a_peer_that_holds_us_gets_no_keys_and_whoever_sends_them_is_told() -> None:
    async def test(line: Line) -> None:
        sent = line.plane.during(line.call.send_digits("1"))
        assert await sent is True
        line.collect()
        line.sent.clear()
        for fmt in (replace(FORMAT, telephone_event=None), FORMAT):
            await line.connect(fmt=fmt, direction=Direction.RECVONLY)
            assert await line.plane.during(line.call.send_digits("12")) is False
            await line.tick(20)
            line.collect()
            assert not [packet for packet in line.sent if packet.payload_type == 101]
        await line.connect()
        waiting = [asyncio.ensure_future(line.call.send_digits("1" * 32)) for _ in range(3)]
        await line.tick(2)
        assert [task.done() for task in waiting] == [False, False, True]
        assert waiting[2].result() is False
        await line.plane.during(line.call.close())
        assert [await task for task in waiting] == [False] * 3

    on_a_line(test)


def test_whoever_waits_for_keys_learns_that_the_call_is_over() -> None:
    async def test(line: Line) -> None:
        keys = asyncio.ensure_future(line.call.send_digits("123"))
        await line.tick(3)
        await line.plane.during(line.call.close())
        await asyncio.wait_for(keys, 1)

    on_a_line(test)


# -- time-out, reports, the end ------------------------------------------------------------------------------------------


def test_silence_of_the_peer_is_told_once_and_never_on_hold() -> None:
    async def test(line: Line) -> None:
        await line.say(0, 10)
        await line.tick(60)
        assert line.of(MediaTimeout) == [MediaTimeout(160 * (10 + 50))]
        await line.say(0, 2)
        await line.connect(Direction.SENDONLY)
        await line.tick(100)
        assert len(line.of(MediaTimeout)) == 1
        await line.connect(Direction.SENDRECV)
        await line.tick(40)
        assert len(line.of(MediaTimeout)) == 1
        await line.tick(20)
        assert len(line.of(MediaTimeout)) == 2
        # A peer that has put us on hold need not play music to us.
        await line.say(0, 2)
        await line.connect(Direction.RECVONLY)
        await line.tick(100)
        await line.connect(Direction.SENDRECV)
        await line.tick(40)
        assert len(line.of(MediaTimeout)) == 2

    on_a_line(test, timeout_s=1.0)


def test_reports_every_five_seconds_and_bye_at_the_end() -> None:
    async def test(line: Line) -> None:
        await line.say(VOICE, 1000)
        reports = [parse_compound(data) for data in line.control]
        assert 2 <= len(reports) <= 8
        report = reports[-1][0]
        assert isinstance(report, SenderReport)
        assert report.ssrc == line.sent[0].ssrc
        assert report.blocks[0].ssrc == 77
        assert report.blocks[0].lost == 0
        # The peer's report is such that half a second was spent on the way to it and back (RFC 3550 section 6.4.1).
        now = middle(ntp_from_unix(line.plane.now * 0.02))
        asked = middle(report.ntp)
        answer = ReportBlock(report.ssrc, 0, 0, 0, 0, last_sr=asked, delay=now - asked - 32768)
        line.plane.deliver(line.call, compound([ReceiverReport(77, (answer,))]), PEER, control=True)
        await line.tick()
        result = await line.plane.during(line.call.close())
        line.collect()
        assert any(isinstance(packet, Bye) for packet in parse_compound(line.control[-1]))
        assert (result.packets_received, result.packets_lost, result.codec) == (1000, 0, "PCMU")
        assert result.packets_sent == len(line.sent)
        assert result.mos is not None
        assert 1 < result.mos < 4.4
        assert result.quality.round_trip_ms is not None
        assert 480 <= result.quality.round_trip_ms <= 540
        assert result.quality.heard is not None
        assert result.quality.heard.mos_listening > result.mos
        assert (result.quality.heard.packets_expected, result.quality.heard.concealed_ms) == (1000, 0)
        assert await line.call.close() == result

    on_a_line(test)


def test_a_dead_media_process_ends_its_calls_and_takes_no_more() -> None:
    async def test() -> None:
        plane = InProcessPlane(rows=2, vad=LoudIsSpeech(2))
        line = Line(plane, await plane.during(plane.open("call", None)))
        await line.connect()
        readers = [asyncio.ensure_future(line.read_events()), asyncio.ensure_future(line.read_frames())]
        await line.say(0, 10)
        flushing = asyncio.ensure_future(line.call.flush())
        await asyncio.sleep(0)
        plane.fail("The media process was ended by SIGKILL.")
        await asyncio.gather(*readers)
        assert line.events[-1] == MediaFailed(10 * 160, "The media process was ended by SIGKILL.")
        assert await flushing == 0
        await line.call.send_digits("1")
        assert (await line.call.close()).packets_received == 0
        assert (line.call.room(), line.call.play(frames(1))) == (0, 0)
        with pytest.raises(MediaUnavailable, match="SIGKILL"):
            await plane.open("next", None)

    asyncio.run(test())


def test_rows_and_ports_run_out_and_come_back() -> None:
    async def test() -> None:
        plane = InProcessPlane(rows=3, ports=(20000, 20003), vad=LoudIsSpeech(3))
        first = await plane.during(plane.open("1", None))
        await plane.during(plane.open("2", None))
        assert plane.free() == 1
        with pytest.raises(MediaUnavailable, match="ports"):
            await plane.during(plane.open("3", None))
        first.play(frames(5))
        await plane.during(first.close())
        again = await plane.during(plane.open("3", None))
        assert again.port == first.port
        assert (again.queued(), again.played(), again.position()) == (0, 0, 0)
        assert first.queued() == 5

    asyncio.run(test())


def test_a_command_for_the_call_before_is_refused() -> None:
    async def test(line: Line) -> None:
        rings = line.plane.link.rings
        stale = Command(CommandKind.CLOSE, line.call.row, line.call.generation - 1, token=10**9)
        rings.commands.push(stale)
        line.plane.engine.listen(line.plane.now)
        line.plane.now += 1
        [answer] = [event for event in rings.events.drain() if event.kind == EventKind.ACK]
        assert (answer.a, answer.b) == (10**9, REFUSED)
        count = len(line.sent)
        await line.tick(3)
        assert len(line.sent) == count + 3

    on_a_line(test)


def test_an_open_that_is_given_up_gives_its_row_and_ports_back() -> None:
    async def test() -> None:
        plane = InProcessPlane(rows=1, vad=LoudIsSpeech(1))
        opening = asyncio.ensure_future(plane.open("given up", None))
        await plane.settle()
        assert plane.free() == 0
        opening.cancel()
        await plane.tick(2)
        assert opening.cancelled()
        assert plane.free() == 1
        call = await plane.during(plane.open("next", None))
        assert await plane.during(call.close())

    asyncio.run(test())


def test_a_process_that_takes_no_commands_is_given_up() -> None:
    async def test(line: Line) -> None:
        for _ in range(COMMANDS + 1):
            line.call.set_barge_in(BargeIn())
        await line.plane.settle()
        assert isinstance(line.events[-1], MediaFailed)

    on_a_line(test)
