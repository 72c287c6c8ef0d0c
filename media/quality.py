"""How good a call sounded: the E-model of ITU-T G.107, reduced to what a call can measure.

R = 93.2 - Id - Ie,eff: the delay impairment by the usual fit of G.107's curve, the equipment impairment from loss and
its burstiness (G.107 equation 7-29; Ie and Bpl of G.711 from G.113 appendix I), and MOS from R by G.107 annex B. Without Id it
is the quality of listening, with it that of a conversation (RFC 3611 section 4.7.5: MOS-LQ and MOS-CQ).

The scale is that of narrow-band telephony for every codec, so that scores can be compared. G.113 has no figures on it for
wideband codecs: they get those of G.711, which is what they sound like at the least.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.frames import Codec

R_CLEAN = 93.2


@dataclass(frozen=True, slots=True)
class Robustness:
    """A codec with its concealment: its impairment without loss (Ie), and what it bears of loss (Bpl, per cent)."""

    impairment: float
    loss: float


CONCEALED = Robustness(0.0, 25.1)
"""G.711 with concealment (G.113 table I.4)."""
BARE = Robustness(0.0, 4.3)
"""G.711 that leaves holes."""
_BY_CODEC = {"PCMU": CONCEALED, "PCMA": CONCEALED}


def robustness(codec: Codec | None) -> Robustness:
    """What a codec bears, as we conceal it."""
    return CONCEALED if codec is None else _BY_CODEC.get(codec.value, CONCEALED)


def delay_impairment(delay_ms: float) -> float:
    """Id for a mouth-to-ear delay in milliseconds, echo aside: gentle up to 177.3 ms, steep above."""
    return 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)


def loss_impairment(loss: float, burst_ratio: float = 1.0, sturdy: Robustness = CONCEALED) -> float:
    """Ie,eff for a share of lost packets of 0–1. `burst_ratio` is 1 for independent losses, above 1 where they cluster."""
    percent = 100 * min(max(loss, 0.0), 1.0)
    if percent == 0:
        return sturdy.impairment
    rest = 95 - sturdy.impairment
    return sturdy.impairment + rest * percent / (percent / max(burst_ratio, 1.0) + sturdy.loss)


def burst_ratio(lost: int, bursts: int, loss: float) -> float:
    """How long runs of loss are, against those of independent losses: (lost / bursts) · (1 - loss), at least 1 (G.107)."""
    return max(1.0, lost / bursts * (1 - loss)) if bursts else 1.0


def listening(loss: float, burst_ratio: float = 1.0, sturdy: Robustness = CONCEALED) -> float:
    """The transmission rating of what was heard, however late it came, 0–93.2."""
    return max(0.0, R_CLEAN - loss_impairment(loss, burst_ratio, sturdy))


def conversational(listening: float, delay_ms: float) -> float:
    """The transmission rating of two who talk to each other, 0–93.2."""
    return max(0.0, listening - delay_impairment(delay_ms))


def mos(rating: float) -> float:
    """The mean opinion score, 1–4.5, of a rating R (G.107 annex B)."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    # The curve dips below 1 for small R, which no listener can say.
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
