"""What every row's line shows that its statistics do not: why somebody hears nothing (`media.call_report.Finding`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.call_report import Finding
from media.comfort import PAYLOAD_TYPE as COMFORT_NOISE

_SURE_TICKS = 100
_SPEECH_TICKS = 500
_FOREIGN = 5
_SENT = 250
_REPORTS = 2

Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of a row besides: ticks since it was connected, whether the peer is to send, packets both ways, audio kept."""

    ticks: int
    hearing: bool
    received: int
    kept: int
    sent: int
    unauthentic: int


class Signs:
    """Counters, int64, (rows,): packets from another address, of comfort noise, of a payload type that was never agreed to; the peer's
    reports, those of them that speak of our stream, and the percentage of it that the last one calls lost. `spoke`: the VAD heard
    speech. `source`: the address that packets come from, or came from in vain, empty while it is the SDP's; `learnt`: it was taken.
    """

    def __init__(self, rows: int) -> None:
        def zeros() -> Longs:
            return np.zeros(rows, np.int64)

        self.foreign, self.comfort, self.unknown = zeros(), zeros(), zeros()
        self.reports, self.about_us = zeros(), zeros()
        self.lost_percent = np.zeros(rows, np.float64)
        self.spoke = np.zeros(rows, np.bool_)
        self.learnt = np.zeros(rows, np.bool_)
        self.source = [""] * rows

    def open_row(self, row: int) -> None:
        """A new call."""
        for counter in (self.foreign, self.comfort, self.unknown, self.reports, self.about_us):
            counter[row] = 0
        self.lost_percent[row] = 0
        self.spoke[row] = self.learnt[row] = False
        self.source[row] = ""

    def refused(self, row: int, source: tuple[str, int]) -> None:
        """A packet from an address that is not the call's was dropped."""
        self.foreign[row] += 1
        if not self.learnt[row]:
            self.source[row] = written(source)

    def took(self, row: int, source: tuple[str, int]) -> None:
        """Another address than the SDP's is the call's."""
        self.learnt[row] = True
        self.source[row] = written(source)

    def settled(self, row: int) -> None:
        """The SDP's address is the call's: what strangers send says nothing."""
        self.learnt[row] = False
        self.source[row] = ""

    def other_payload(self, row: int, payload_type: int) -> None:
        """A packet whose payload is neither the call's audio nor a key."""
        (self.comfort if payload_type == COMFORT_NOISE else self.unknown)[row] += 1

    def findings(self, row: int, line: Line) -> Iterator[Finding]:
        """What is to be told of a row, the most telling first."""
        if line.hearing and line.ticks >= _SURE_TICKS and not line.received:
            yield self._why_nothing(row, line)
        elif line.received and not line.kept:
            if self.comfort[row]:
                yield Finding.ONLY_COMFORT_NOISE
            if self.unknown[row]:
                yield Finding.UNKNOWN_PAYLOAD
        elif line.kept and line.ticks >= _SPEECH_TICKS and not self.spoke[row]:
            yield Finding.NO_SPEECH
        if self.learnt[row]:
            yield Finding.ADDRESS_LEARNT
        if line.sent >= _SENT and self.reports[row] >= _REPORTS and (
            not self.about_us[row] or self.lost_percent[row] > 99
        ):  # fmt: skip
            yield Finding.PEER_HEARS_NOTHING

    def _why_nothing(self, row: int, line: Line) -> Finding:
        if line.unauthentic:
            return Finding.NOT_AUTHENTIC
        return Finding.OTHER_ADDRESS if self.foreign[row] >= _FOREIGN else Finding.NO_PACKET


def written(address: tuple[str, int]) -> str:
    """`192.0.2.1:4000` or `[2001:db8::1]:4000`."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
