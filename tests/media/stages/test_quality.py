"""The E-model's figures, and that worse is never better."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.quality import (
    BARE,
    CONCEALED,
    Robustness,
    burst_ratio,
    conversational,
    delay_impairment,
    listening,
    loss_impairment,
    mos,
)

SHARES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("rating", "score"),
    [(93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (100, 4.5), (-5, 1.0)],
)
def test_mos_of_r(rating: float, score: float) -> None:
    # ITU-T G.109 table 1 and G.107 annex B.
    assert mos(rating) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(("delay", "impairment"), [(0, 0), (100, 2.4), (177.3, 4.2552), (300, 20.697), (400, 34.097)])
def test_delay(delay: float, impairment: float) -> None:
    assert delay_impairment(delay) == pytest.approx(impairment)


@pytest.mark.parametrize(
    ("loss", "ratio", "sturdy", "impairment"),
    [
        (0, 1, CONCEALED, 0),
        (0.01, 1, CONCEALED, 95 / 26.1),
        (0.05, 1, CONCEALED, 475 / 30.1),
        (0.05, 2, CONCEALED, 475 / 27.6),
        (0.01, 1, BARE, 95 / 5.3),
        (1, 1, CONCEALED, 9500 / 125.1),
    ],
)
def test_loss(loss: float, ratio: float, sturdy: Robustness, impairment: float) -> None:
    assert loss_impairment(loss, ratio, sturdy) == pytest.approx(impairment)


@pytest.mark.parametrize(
    ("lost", "bursts", "loss", "ratio"), [(0, 0, 0, 1), (5, 5, 0.05, 1), (10, 5, 0.1, 1.8), (6, 1, 0.5, 3)]
)
def test_bursts(lost: int, bursts: int, loss: float, ratio: float) -> None:
    assert burst_ratio(lost, bursts, loss) == pytest.approx(ratio)


def test_a_clean_call_is_a_good_call() -> None:
    assert mos(conversational(listening(0), 20)) == pytest.approx(4.40, abs=0.01)


@given(SHARES, SHARES, st.floats(0, 1000), st.floats(0, 1000), st.floats(1, 10))
def test_worse_is_never_better(one: float, other: float, early: float, late: float, ratio: float) -> None:
    less, more = sorted((one, other))
    sooner, later = sorted((early, late))
    assert rated(more, later, ratio) <= rated(less, sooner, ratio) + 1e-9
    assert 1 <= rated(more, later) <= 4.5
    assert rated(more, later, ratio) <= mos(listening(more, ratio))


def rated(loss: float, delay_ms: float, ratio: float = 1.0) -> float:
    return mos(conversational(listening(loss, ratio), delay_ms))
