"""RTCP of all calls: reports every five seconds, BYE at the end, and what the peers' reports tell (RFC 3550 section 6).

Peers that ask for extended reports get them (RFC 3611).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from media.figures import Figures
from media.reception import Reception
from media.rows import CallRows
from media.rtcp import (
    Bye,
    ExtendedReport,
    ReceiverReport,
    RtcpError,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    compound,
    middle,
    ntp_from_unix,
    parse_compound,
    round_trip,
)
from media.rtp import Sender
from media.signs import Signs
from media.sockets.face import Address, Sockets
from media.srtp import SecureRows

_INTERVAL_TICKS = 250
_TICK_SECONDS = 0.02


class Reports:
    """When each row reports next, and who is told what its peer reports. `epoch` is the Unix time of tick 0."""

    def __init__(
        self, calls: CallRows, sender: Sender, reception: Reception, signs: Signs, figures: Figures, sockets: Sockets,
        secure: SecureRows, chance: random.Random, epoch: float,
    ) -> None:  # fmt: skip
        self._calls = calls
        self._sender = sender
        self._reception = reception
        self._signs = signs
        self._figures = figures
        self._sockets = sockets
        self._secure = secure
        self._chance = chance
        self._epoch = epoch
        rows = len(calls.open)
        self._next = np.zeros(rows, np.int64)
        self._name = [""] * rows

    def open_row(self, row: int, tick: int) -> None:
        """A new call, with a name of its own (RFC 7022 section 4.2: random, so that it tells nothing of the host)."""
        self._name[row] = f"{self._chance.getrandbits(96):024x}"
        self._figures.open_row(row)
        self._next[row] = self._later(tick)

    def take(self, control: Sequence[tuple[int, bytes, Address]], tick: int) -> None:
        """The peers' RTCP. What comes from elsewhere than the peer's host, is not authentic, or is no RTCP, is let pass."""
        for row, data, source in control:
            remote = self._calls.remote[row]
            if remote is None or source[0] != remote[0]:
                continue
            opened = self._secure.open_control(row, data)
            if opened is None:
                continue
            try:
                packets = parse_compound(opened)
            except RtcpError:
                continue
            for packet in packets:
                self._read(row, packet, self._now(tick))

    def _read(self, row: int, packet: RtcpPacket, now: int) -> None:
        if isinstance(packet, SenderReport):
            self._reception.heard_sender_report(row, middle(packet.ntp), now)
        if isinstance(packet, SenderReport | ReceiverReport):
            self._signs.reports[row] += 1
            for block in packet.blocks:
                if block.ssrc == self._sender.ssrc(row):
                    self._figures.reported(row, block, round_trip(block, now))
        elif isinstance(packet, ExtendedReport):
            for metrics in packet.blocks:
                if metrics.ssrc == self._sender.ssrc(row) and metrics.mos is not None:
                    self._figures.rated(row, metrics.mos)

    def send_due(self, tick: int) -> None:
        """Report for the rows whose time has come, and bring the figures up to date that the main process sees."""
        self._figures.step(tick)
        for row in np.flatnonzero(self._calls.connected & (self._next <= tick)).tolist():
            self._next[row] = self._later(tick)
            self._send(row, tick, [])
            self._figures.publish(row, tick)

    def leave(self, row: int, tick: int) -> None:
        """The call ends: a last report, and BYE (RFC 3550 section 6.6)."""
        self._figures.settle(row)
        if self._calls.connected[row]:
            self._send(row, tick, [Bye((self._sender.ssrc(row),))])
        self._figures.publish(row, tick)

    def _send(self, row: int, tick: int, last: list[RtcpPacket]) -> None:
        address = self._calls.remote_control[row]
        if address is None:
            return
        description = SourceDescription.of(self._sender.ssrc(row), self._name[row])
        packets: list[RtcpPacket] = [self._report(row, tick), description, *self._extended(row), *last]
        self._sockets.send_control(row, self._secure.seal_control(row, compound(packets)), address)

    def _extended(self, row: int) -> list[RtcpPacket]:
        """To a peer that asks for it (RFC 3611 section 5), what we heard of it."""
        metrics = self._figures.extended(row) if self._calls.extended[row] else None
        return [] if metrics is None else [ExtendedReport(self._sender.ssrc(row), (metrics,))]

    def _report(self, row: int, tick: int) -> RtcpPacket:
        block = self._reception.report(row, self._now(tick))
        blocks = () if block is None else (block,)
        ssrc, sent = self._sender.ssrc(row), int(self._sender.packets[row])
        if not (sent and self._calls.sending[row]):
            return ReceiverReport(ssrc, blocks)
        ntp = ntp_from_unix(self._epoch + tick * _TICK_SECONDS)
        octets = int(self._sender.octets[row])
        return SenderReport(ssrc, ntp, self._sender.timestamp(row, tick), sent, octets, blocks)

    def _now(self, tick: int) -> int:
        return middle(ntp_from_unix(self._epoch + tick * _TICK_SECONDS))

    def _later(self, tick: int) -> int:
        # Between half and one and a half of the interval, so that calls do not report in step (RFC 3550 section 6.2).
        return tick + round(_INTERVAL_TICKS * (0.5 + self._chance.random()))
