"""A few seconds of fuzzing with a fixed seed; `make fuzz` goes on for minutes with another."""

from __future__ import annotations

import random

import pytest

from tests.sipserver.fuzz.episodes import Fuzz, cut, torture
from tests.sipserver.fuzz.mutations import MUTATIONS, mutated

SEED = 4475


@pytest.mark.parametrize(("kind", "episodes"), [("ladder", 1200), ("tortured", 400), ("stream", 800)])
def test_whatever_comes_nothing_is_raised_and_nothing_is_left(kind: str, episodes: int) -> None:
    fuzz = Fuzz(SEED)
    for number in range(episodes):
        getattr(fuzz, kind)(number)
    assert fuzz.counts["episodes"] == episodes
    assert fuzz.counts["sent"] > episodes / 4


def test_spoilt_messages_are_spoilt_each_time_alike() -> None:
    """Otherwise what is found could not be had again."""
    messages = torture()
    first, second = ([mutated(m, random.Random(at), messages) for at, m in enumerate(messages)] for _ in range(2))
    assert first == second
    assert first != messages
    for mutation in MUTATIONS[:-1]:
        chance = random.Random(1)
        assert any(mutation(message, chance, messages) != message for message in messages)


def test_a_stream_that_differs_is_noticed() -> None:
    assert cut([b"SIP/2.0 200\r\n\r\n"]) != cut([b"SIP/2.0 200\r\nl: 0\r\n\r\n"])
