"""Which address is listened to: sequences of packets, and what is learnt from them."""

from __future__ import annotations

import pytest

from media.learn import CONSECUTIVE, MOST_CANDIDATES, WINDOW_TICKS, AddressLearner

SDP, NAT, THIEF = ("192.0.2.1", 4000), ("198.51.100.7", 31000), ("203.0.113.9", 5)


def send(learner: AddressLearner, source: tuple[str, int], sequences: range, now: int = 0, ssrc: int = 1) -> list[bool]:
    return [learner.accept(source, ssrc, sequence % 2**16, now) for sequence in sequences]


def test_the_sdps_address_is_heard_at_once_and_locks() -> None:
    learner = AddressLearner(SDP)
    assert learner.accept(SDP, 1, 10, 0)
    assert learner.locked
    assert not any(send(learner, THIEF, range(50)))
    assert learner.address == SDP


def test_another_address_is_learnt_by_five_in_a_row() -> None:
    learner = AddressLearner(SDP)
    assert send(learner, NAT, range(65533, 65533 + CONSECUTIVE + 1)) == [False] * (CONSECUTIVE - 1) + [True, True]
    assert (learner.address, learner.locked) == (NAT, True)
    assert not any(send(learner, SDP, range(5)))
    assert not any(send(learner, THIEF, range(5)))


@pytest.mark.parametrize("sequences", [[1, 2, 3, 5, 6, 7, 8], [1, 1, 1, 1, 1, 1], [5, 4, 3, 2, 1]])
def test_a_run_with_a_hole_teaches_nothing(sequences: list[int]) -> None:
    learner = AddressLearner(SDP)
    assert not any(learner.accept(NAT, 1, sequence, 0) for sequence in sequences)
    assert learner.address == SDP


def test_streams_are_counted_apart() -> None:
    learner = AddressLearner(SDP)
    for sequence in range(CONSECUTIVE - 1):
        assert not learner.accept(NAT, 1, sequence, 0)
        assert not learner.accept(NAT, 2, sequence, 0)
        assert not learner.accept(THIEF, 1, 7 * sequence, 0)
    assert learner.accept(NAT, 1, CONSECUTIVE - 1, 0)


def test_after_half_a_second_nothing_is_learnt() -> None:
    learner = AddressLearner(SDP)
    send(learner, NAT, range(2), now=1000)
    assert not any(send(learner, NAT, range(2, 20), now=1001 + WINDOW_TICKS))
    assert learner.accept(SDP, 1, 5, 5000)


def test_many_sources_cannot_fill_the_memory() -> None:
    learner = AddressLearner(SDP)
    for port in range(MOST_CANDIDATES + 20):
        send(learner, ("203.0.113.9", port), range(2))
    assert not any(send(learner, NAT, range(10)))
    assert learner.accept(SDP, 1, 5, 0)


def test_a_new_sdp_address_arms_the_learning_again() -> None:
    learner = AddressLearner(SDP)
    send(learner, NAT, range(10))
    moved = ("192.0.2.2", 6000)
    learner.rearm(moved)
    assert (learner.address, learner.locked) == (moved, False)
    assert send(learner, THIEF, range(CONSECUTIVE), now=9000)[-1]
    learner.rearm(moved)
    assert learner.accept(moved, 1, 0, 9001)
