"""The jitter buffer on synthetic networks: how long it keeps packets and what it conceals (MEDIA.md section 6), 16 calls of 30 s."""

from __future__ import annotations

import numpy as np
import pytest

from media.jitter import EarJitter

CALLS, PACKETS = 16, 1500
NUMBERS = np.arange(PACKETS) * 20.0


def lan(random: np.random.Generator) -> np.ndarray:
    return random.gamma(1, 1, (CALLS, PACKETS))


def internet(random: np.random.Generator) -> np.ndarray:
    return random.gamma(2, 4, (CALLS, PACKETS))


def wireless(random: np.random.Generator) -> np.ndarray:
    delay = random.gamma(2, 5, (CALLS, PACKETS))
    for call in delay:
        for start in random.integers(0, PACKETS - 20, 6):
            # Nothing for 60 to 160 ms, then all of it at once.
            length = int(random.integers(3, 9))
            call[start : start + length] += 20.0 * (length - np.arange(length))
    return delay


def played(arrival: np.ndarray, there: np.ndarray) -> tuple[float, EarJitter]:
    """Mean time in ms that a packet stays in the buffer, and the buffer with its counters."""
    jitter = EarJitter(CALLS)
    for row in range(CALLS):
        jitter.open_row(row)
    tick = np.ceil((arrival - arrival.min()) / 20).astype(int)
    stays = []
    for now in range(int(tick.max()) + 5):
        rows, numbers = np.nonzero((tick == now) & there)
        order = np.argsort(arrival[rows, numbers])
        rows, numbers = rows[order], numbers[order]
        payload = np.zeros((len(rows), 160), np.uint8)
        payload[:, :2] = numbers.astype("<u2").view(np.uint8).reshape(-1, 2)
        jitter.insert(rows, numbers.astype(np.uint16), (numbers * 160).astype(np.uint32), payload, now)
        taken = jitter.take()
        calls, octets = [np.flatnonzero(taken.have)], [taken.payload[taken.have]]
        while (more := jitter.take_more()).rows.size:
            calls.append(more.rows)
            octets.append(more.payload)
        heard = np.concatenate(octets)[:, :2].copy().view("<u2")[:, 0]
        stays.append(20.0 * (now - tick[np.concatenate(calls), heard]))
    return float(np.concatenate(stays).mean()), jitter


@pytest.mark.parametrize(
    ("network", "most_stay", "most_concealed"), [(lan, 0.1, 0.0), (internet, 2, 0.0005), (wireless, 4, 0.001)]
)
def test_nothing_is_concealed_that_comes(network, most_stay: float, most_concealed: float) -> None:  # type: ignore[no-untyped-def]
    arrival = NUMBERS + network(np.random.default_rng(1))
    stay, jitter = played(arrival, np.ones(arrival.shape, bool))
    assert stay < most_stay
    assert jitter.concealed.sum() <= most_concealed * arrival.size
    assert jitter.skipped.sum() == 0


def test_what_is_lost_is_concealed_once() -> None:
    random = np.random.default_rng(2)
    arrival = NUMBERS + internet(random)
    there = random.random(arrival.shape) > 0.05
    there[:, [0, -1]] = True
    stay, jitter = played(arrival, there)
    lost = int((~there).sum())
    assert stay < 6
    assert lost <= jitter.lost.sum() <= lost * 1.01
    assert jitter.received.sum() + jitter.late.sum() == there.sum()
