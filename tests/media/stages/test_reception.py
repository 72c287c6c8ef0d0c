"""Reception statistics against the formulas of RFC 3550 written out packet by packet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.reception import Reception

U16, U32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)


def fed(
    reception: Reception,
    row: int,
    packets: list[tuple[int, int, int]],
    ssrc: int = 7,
    timed: bool = True,
    at_once: bool = False,
) -> Reception:
    """packets: (sequence, timestamp, arrival); all in one update, or one after another."""
    for batch in [packets] if at_once else [[packet] for packet in packets]:
        reception.update(
            np.full(len(batch), row, np.intp),
            np.array([p[0] % 2**16 for p in batch], np.uint16),
            np.full(len(batch), ssrc, np.uint32),
            np.array([p[1] % 2**32 for p in batch], np.uint32) if timed else None,
            np.array([p[2] for p in batch], np.int64) if timed else None,
        )
    return reception


def steady(numbers: list[int], sequence: int = 100, timestamp: int = 0) -> list[tuple[int, int, int]]:
    return [(sequence + n, timestamp + 160 * n, 160 * n + 77) for n in numbers]


def opened(rows: int = 1) -> Reception:
    reception = Reception(rows)
    for row in range(rows):
        reception.open_row(row)
    return reception


@pytest.mark.parametrize(
    ("numbers", "expected", "received", "lost", "bursts"),
    [
        ([0, 1, 2, 3], 4, 4, 0, 0),
        ([0, 1, 3, 4], 5, 4, 1, 1),
        ([0, 4, 5, 9], 10, 4, 6, 2),
        ([0, 2, 1, 3], 4, 4, 0, 0),
        ([0, 1, 1, 2], 3, 4, -1, 0),
    ],
)
@pytest.mark.parametrize("at_once", [False, True])
def test_losses(numbers: list[int], expected: int, received: int, lost: int, bursts: int, at_once: bool) -> None:
    reception = fed(opened(), 0, steady(numbers), at_once=at_once)
    reception.losses.settle(0)
    got = reception.received(0)
    assert (got.expected, got.received, got.lost, got.bursts) == (expected, received, lost, bursts)


def test_the_sequence_wraps_around() -> None:
    reception = fed(opened(), 0, steady(list(range(10)), sequence=65530))
    block = reception.report(0, 0)
    assert block is not None
    assert block.highest == 65530 + 9
    assert block.lost == 0


def test_the_fraction_is_of_the_last_interval() -> None:
    reception = fed(opened(), 0, steady([0, 1, 2, 4]))
    first = reception.report(0, 0)
    fed(reception, 0, steady([5, 6, 7, 8]))
    second = reception.report(0, 0)
    assert first is not None
    assert second is not None
    assert (first.fraction_lost, first.lost) == (256 // 5, 1)
    assert (second.fraction_lost, second.lost) == (0, 1)


def test_nothing_came_nothing_is_reported() -> None:
    assert opened().report(0, 0) is None
    assert opened().received(0).expected == 0


def test_delay_since_the_last_sender_report() -> None:
    reception = fed(opened(), 0, steady([0]))
    reception.heard_sender_report(0, 0xABCD1234, now=65536)
    block = reception.report(0, now=3 * 65536)
    assert block is not None
    assert (block.last_sr, block.delay) == (0xABCD1234, 2 * 65536)


def jitter_by_the_book(packets: list[tuple[int, int, int]]) -> float:
    jitter, before = 0.0, None
    for _, timestamp, arrival in packets:
        transit = arrival - timestamp
        if before is not None:
            jitter += (abs(transit - before) - jitter) / 16
        before = transit
    return jitter / 8


@pytest.mark.parametrize("at_once", [False, True])
def test_jitter_by_the_book(at_once: bool) -> None:
    random = np.random.default_rng(2)
    packets = [(n, 160 * n, 160 * n + int(random.integers(0, 300))) for n in range(50)]
    assert fed(opened(), 0, packets, at_once=at_once).received(0).jitter_ms == pytest.approx(
        jitter_by_the_book(packets)
    )


def test_jitter_does_not_see_the_timestamp_wrap_around() -> None:
    reception = fed(opened(), 0, steady(list(range(20)), timestamp=2**32 - 1600))
    assert reception.received(0).jitter_ms == 0


def test_telephone_events_count_but_do_not_jitter() -> None:
    reception = fed(opened(), 0, steady([0, 1, 2]))
    fed(reception, 0, [(103, 0, 0), (104, 0, 0)], timed=False)
    fed(reception, 0, steady([5, 6]))
    got = reception.received(0)
    assert (got.expected, got.lost, got.jitter_ms) == (7, 0, 0)


def test_another_stream_is_believed_at_its_second_packet() -> None:
    reception = fed(opened(), 0, steady([0, 1, 2, 4]))
    fed(reception, 0, steady([0], sequence=9000), ssrc=8)
    block = reception.report(0, 0)
    assert block is not None
    assert block.ssrc == 7
    fed(reception, 0, steady([1, 2], sequence=9000), ssrc=8)
    block = reception.report(0, 0)
    assert block is not None
    assert (block.ssrc, block.highest, block.lost) == (8, 9002, 1)
    assert reception.received(0).received == 6


def test_rows_are_counted_apart() -> None:
    reception = opened(3)
    rows = np.array([2, 0, 2, 0, 2])
    sequence = np.array([5, 900, 6, 902, 7], np.uint16)
    reception.update(rows, sequence, np.array([1, 2, 1, 2, 1], np.uint32))
    assert [reception.received(row).received for row in range(3)] == [2, 0, 3]
    assert [reception.received(row).lost for row in range(3)] == [1, 0, 0]
    reception.open_row(2)
    assert reception.received(2).received == 0


@settings(deadline=None)
@given(st.lists(st.tuples(U16, U32, st.integers(0, 2**40)), max_size=40), st.booleans())
def test_whatever_comes_in_nothing_breaks(packets: list[tuple[int, int, int]], at_once: bool) -> None:
    reception = fed(opened(), 0, packets, at_once=at_once)
    block = reception.report(0, 1)
    assert (block is None) == (not packets)
    if block is not None:
        assert len(bytes(block)) == 24
