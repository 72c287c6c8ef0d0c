"""How good a call sounded: the E-model of ITU-T G.107, reduced to what a G.711 call can measure.

R = 93.2 - Id - Ie,eff: the delay impairment by the usual fit of G.107's curve, the equipment impairment from loss and
its burstiness (G.107 equation 7-29; Ie and Bpl of G.711 from G.113 appendix I), and MOS from R by G.107 annex B.
"""

from __future__ import annotations

R_CLEAN = 93.2
G711_IE = 0.0
G711_BPL_CONCEALED = 25.1
G711_BPL = 4.3


def delay_impairment(delay_ms: float) -> float:
    """Id for a mouth-to-ear delay in milliseconds, echo aside: gentle up to 177.3 ms, steep above."""
    return 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)


def loss_impairment(loss: float, burst_ratio: float = 1.0, *, concealed: bool = True) -> float:
    """Ie,eff for a share of lost packets of 0–1. `burst_ratio` is 1 for independent losses, above 1 where they cluster."""
    percent = 100 * min(max(loss, 0.0), 1.0)
    robustness = G711_BPL_CONCEALED if concealed else G711_BPL
    if percent == 0:
        return G711_IE
    return G711_IE + (95 - G711_IE) * percent / (percent / max(burst_ratio, 1.0) + robustness)


def burst_ratio(lost: int, bursts: int, loss: float) -> float:
    """How long runs of loss are, against those of independent losses: (lost / bursts) · (1 - loss), at least 1 (G.107)."""
    return max(1.0, lost / bursts * (1 - loss)) if bursts else 1.0


def r_factor(loss: float, delay_ms: float, burst_ratio: float = 1.0, *, concealed: bool = True) -> float:
    """The transmission rating, 0–93.2."""
    rating = R_CLEAN - delay_impairment(delay_ms) - loss_impairment(loss, burst_ratio, concealed=concealed)
    return max(0.0, rating)


def mos(rating: float) -> float:
    """The mean opinion score, 1–4.5, of a rating R (G.107 annex B)."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    # The curve dips below 1 for small R, which no listener can say.
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
