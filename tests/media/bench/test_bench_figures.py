"""What the benches reckon out of captures: gaps, deviations and ways that are known beforehand, and the alternative, for a moment."""

from __future__ import annotations

import asyncio
import os

import numpy as np
import pytest

from media.bench.capture import Capture, summary
from media.bench.click import CLICK, CODES, is_click, is_click_heard
from media.bench.compare import WAYS, measure, ratios
from media.bench.probes import media_path, settled, share
from media.bench.spread import spread
from media.bench.voice import voice
from media.codecs.g711 import encode
from media.frames import Codec
from media.resample import Up8to16

MS = 1_000_000


def captured(
    late_ms: dict[int, float], count: int = 200, without: frozenset[int] = frozenset(), first: int = 0
) -> Capture:
    """A stream on its grid, but for some packets that come late and some that never come. `first`: its first sequence number."""
    capture = Capture()
    for number in sorted(set(range(count)) - without):
        at = round((number * 20 + late_ms.get(number, 0)) * MS)
        capture.add(at, (first + number) % 65536, (first + number) * 160 % 2**32)
    return capture


def test_a_stream_on_its_grid_deviates_by_nothing() -> None:
    seen = summary([captured({})])
    assert (seen["packets_seen"], seen["sequence_gaps"], seen["timestamp_jumps"]) == (200, 0, 0)
    assert seen["deviation_ms"] == {"p50": 0, "p99": 0, "p99.9": 0, "max": 0}
    assert seen["jitter_ms"] == 0


def test_a_packet_that_is_late_is_the_only_one_that_is_off_the_grid() -> None:
    seen = summary([captured({100: 5.0})])
    assert (seen["deviation_ms"]["p50"], seen["deviation_ms"]["max"]) == (0, 5.0)


def test_a_packet_that_is_missing_is_a_gap_and_puts_nothing_off_the_grid() -> None:
    seen = summary([captured({}, without=frozenset({50})), captured({}, without=frozenset({7, 8, 99}))])
    assert (seen["packets_seen"], seen["sequence_gaps"], seen["timestamp_jumps"]) == (396, 3, 0)
    assert seen["deviation_ms"]["max"] == 0


def test_numbers_wrap_round() -> None:
    seen = summary([captured({}, first=65_500)])
    assert (seen["sequence_gaps"], seen["timestamp_jumps"], seen["deviation_ms"]["max"]) == (0, 0, 0)


def test_a_timestamp_that_jumps_without_its_sequence_number_is_told() -> None:
    capture = captured({})
    capture.timestamps[150:] = [timestamp + 80 for timestamp in capture.timestamps[150:]]
    assert summary([capture])["timestamp_jumps"] == 1


def test_jitter_is_that_of_rfc_3550() -> None:
    """Packets that are 4 ms late in turn differ by 4 ms each time: what the formula comes to in the end."""
    late = dict.fromkeys(range(0, 1000, 2), 4.0)
    assert summary([captured(late, count=1000)])["jitter_ms"] == pytest.approx(4.0, abs=0.01)


def test_nothing_seen_is_no_figure() -> None:
    seen = summary([Capture()])
    assert (seen["packets_seen"], seen["deviation_ms"], seen["jitter_ms"]) == (0, None, None)
    assert spread([]) is None


def test_a_click_is_known_at_both_ends_and_a_voice_is_none() -> None:
    assert is_click(CODES.tobytes())
    assert is_click_heard(CLICK)
    said = voice(3.0).reshape(-1, 160)
    assert not any(is_click(encode(frame, Codec.PCMU).tobytes()) or is_click_heard(frame) for frame in said)


def test_a_click_that_went_up_to_16_khz_is_known_in_one_frame() -> None:
    up = Up8to16(1)
    frames = [np.zeros((1, 160), np.int16), CLICK[None], np.zeros((1, 160), np.int16)]
    assert [is_click_heard(up.step(frame)[0]) for frame in frames] == [False, True, False]


def test_the_ways_in_and_out_are_told_apart() -> None:
    sent = [[0, 540 * MS], [1000 * MS]]
    heard = [[12 * MS, 556 * MS], [1018 * MS]]
    returned = [[20 * MS, 568 * MS], [1030 * MS]]
    path = media_path(sent, heard, returned)
    assert (path["clicks"], path["lost"]) == (3, 0)
    assert path["in_ms"] == {"p50": 16.0, "p95": 17.8, "max": 18.0}
    assert path["out_ms"]["max"] == 12.0
    assert path["both_ms"]["p50"] == 28.0


def test_a_click_that_does_not_come_back_is_counted_and_not_taken_for_the_next_one() -> None:
    path = media_path([[0, 540 * MS]], [[552 * MS]], [[560 * MS]])
    assert (path["clicks"], path["lost"], path["both_ms"]["max"]) == (2, 1, 20.0)


def test_where_nobody_hears_both_parts_are_still_known_together() -> None:
    path = media_path([[0]], (), [[45 * MS]])
    assert (path["in_ms"], path["both_ms"]["p50"]) == (None, 45.0)


def test_clicks_of_the_warm_up_and_those_without_time_to_come_back_do_not_count() -> None:
    assert settled([10 * MS, 600 * MS, 1900 * MS], 500 * MS, 2000 * MS) == [600 * MS]
    assert (share(1), share(100), share(1000)) == (1, 5, 10)


def test_figures_stand_beside_ours_as_ratios_where_both_are_known() -> None:
    theirs = {"us_per_call_tick": 90.0, "jitter_ms": 1.0, "deviation_ms": {"p99": 3.0}, "media_path": {"both_ms": None}}
    ours = {
        "us_per_call_tick": 30.0,
        "jitter_ms": 0,
        "deviation_ms": {"p99": 0.5},
        "media_path": {"both_ms": {"p50": 26}},
    }
    assert ratios(theirs, ours) == {"us_per_call_tick": 3.0, "deviation_ms.p99": 6.0}


def test_the_alternative_with_its_vad_sends_every_packet() -> None:
    figures = asyncio.run(measure(WAYS[1], 2, 0.5, min(os.sched_getaffinity(0)), warm_up=0.5))
    assert figures["packets_seen"] > 30
    assert figures["sequence_gaps"] == 0
