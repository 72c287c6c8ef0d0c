"""What comes in from the network: whose packet it is, and to which stage it goes.

Nearly every packet takes the fast path: 20 ms of the negotiated codec from the call's known address. All else goes one by one:
packets from an address that is yet to be learnt, other lengths, headers with extensions, telephone-events.
"""

from __future__ import annotations

import numpy as np

from media.comfort import PAYLOAD_TYPE as COMFORT_NOISE
from media.dtmf import DIGITS, EventReceiver, KeyPressed
from media.ear import Ear
from media.frames import LINE_RATE
from media.learn import AddressLearner
from media.mouth import Tell
from media.reception import Reception
from media.records import EventKind
from media.rings import ProcessCounters
from media.rows import CallRows, Rows
from media.rtp import HEADER, PLAIN_LENGTH, ParsedRows, RtpError, RtpPacket, parse_rows
from media.signs import Signs
from media.sockets.face import NOT_TIMED, Address, Received, source_key
from media.srtp import SecureRows

_NOBODY: Address = ("", 0)
_UNKNOWN = -1


class Intake:
    """Sorts the packets of a tick into the ear, the keys heard, and the statistics."""

    def __init__(
        self, rows: int, calls: CallRows, ear: Ear, reception: Reception, signs: Signs, secure: SecureRows,
        counters: ProcessCounters,
    ) -> None:  # fmt: skip
        self._signs = signs
        self._calls = calls
        self._ear = ear
        self._reception = reception
        self._secure = secure
        self._counters = counters
        # `source_key` of the address that is locked, _UNKNOWN while none is.
        self._key = np.full(rows, _UNKNOWN, np.int64)
        self._learner: list[AddressLearner | None] = [None] * rows
        self._keys: list[EventReceiver] = [EventReceiver() for _ in range(rows)]
        self._holding: set[int] = set()
        # Packets taken one by one in this tick: row, sequence, SSRC, timestamp at 8 kHz, arrival.
        self._counted: list[tuple[int, int, int, int, int]] = []
        self._advertised: list[tuple[Address | None, Address | None]] = [(None, None)] * rows

    def open_row(self, row: int) -> None:
        """A new call."""
        self._keys[row] = EventReceiver()
        self._ear.open_row(row)
        self._reception.open_row(row)
        self._signs.open_row(row)
        self._secure.open_row(row)

    def set_remote(self, row: int, remote: Address | None, control: Address | None) -> None:
        """The SDP's addresses, None where it names none that we can reach. The same ones again change nothing."""
        if self._learner[row] is not None and self._advertised[row] == (remote, control):
            return
        self._advertised[row] = remote, control
        self._learner[row] = AddressLearner(remote or _NOBODY)
        self._key[row] = _UNKNOWN
        self._calls.set_remote(row, remote, control)

    def set_event_rate(self, row: int, rate: int) -> None:
        """The clock rate of the row's telephone-events."""
        if self._keys[row].rate != rate:
            self._keys[row] = EventReceiver(rate)
            self._holding.discard(row)

    def close_row(self, row: int) -> None:
        """Nothing more is taken for the row."""
        self._key[row] = _UNKNOWN
        self._learner[row] = None
        self._holding.discard(row)
        self._ear.close_row(row)

    def take(self, received: Received, tick: int, tell: Tell) -> None:
        """Sort what came. What is to be authentic is so before anything is learnt from it, or counted."""
        received = self._secure.open(received, self._key)
        if len(received.rows):
            self._sort(received, tick, tell)
            self._settle()
        for row in list(self._holding):
            self._tell_keys(row, self._keys[row].poll(tick), tick, tell)

    def _settle(self) -> None:
        """Tell the statistics which of the packets that came were of no use any more."""
        discards = self._ear.jitter.discards
        while discards:
            self._reception.discarded(*discards.popleft())
        self._reception.losses.forget()

    def _sort(self, received: Received, tick: int, tell: Tell) -> None:
        calls, rows = self._calls, received.rows
        parsed = parse_rows(received.data, received.lengths)
        plain = parsed.fast & (received.sources == self._key[rows]) & calls.hearing[rows]
        plain &= parsed.payload_type == calls.payload_type[rows]
        if plain.all():
            self._keep(rows, parsed, received, slice(None), tick)
            return
        for line in np.flatnonzero(~plain).tolist():
            self._take_one(received, line, tick, tell)
        self._ear.wide.flush(tick)
        self._count()
        lines = np.flatnonzero(plain)
        if lines.size:
            self._keep(rows[lines], parsed, received, lines, tick)

    def _keep(self, rows: Rows, parsed: ParsedRows, received: Received, lines: Rows | slice, tick: int) -> None:
        sequence, timestamp, ssrc = parsed.sequence[lines], parsed.timestamp[lines], parsed.ssrc[lines]
        self._ear.begin(rows, tick)
        self._ear.jitter.insert(rows, sequence, timestamp, received.data[lines, HEADER:PLAIN_LENGTH], tick, ssrc)
        self._calls.last_heard[rows] = tick
        arrivals = received.arrivals[lines]
        timed = arrivals != NOT_TIMED
        if not timed.any():
            self._reception.update(rows, sequence, ssrc)
            return
        self._reception.update(rows[~timed], sequence[~timed], ssrc[~timed])
        self._reception.update(rows[timed], sequence[timed], ssrc[timed], timestamp[timed], arrivals[timed])

    def _take_one(self, received: Received, line: int, tick: int, tell: Tell) -> None:
        row = int(received.rows[line])
        learner = self._learner[row]
        if learner is None:
            return
        try:
            packet = RtpPacket.parse(received.data[line, : received.lengths[line]].tobytes())
        except RtpError:
            self._counters.packets_malformed[0] += 1
            return
        if not self._accept(row, learner, received.addresses[line], packet, tick):
            self._counters.packets_foreign[0] += 1
            self._signs.refused(row, received.addresses[line])
        elif self._calls.hearing[row]:
            self._calls.last_heard[row] = tick
            self._hear_one(row, packet, tick, int(received.arrivals[line]), tell)

    def _accept(self, row: int, learner: AddressLearner, source: Address, packet: RtpPacket, tick: int) -> bool:
        if not learner.accept(source, packet.ssrc, packet.sequence, tick):
            return False
        if learner.locked and self._key[row] == _UNKNOWN:
            self._key[row] = source_key(source)
            if source == self._advertised[row][0]:
                self._signs.settled(row)
            else:
                self._signs.took(row, source)
            if source != self._calls.remote[row]:
                # Behind a NAT, RTCP is most likely where it is by default: on the next port (RFC 3550 section 11).
                self._calls.set_remote(row, source, (source[0], source[1] + 1))
        return True

    def _hear_one(self, row: int, packet: RtpPacket, tick: int, arrival: int, tell: Tell) -> None:
        calls = self._calls
        if packet.payload_type in calls.codecs[row]:
            at = self._hear_audio(row, packet, tick)
        else:
            at = None
            self._ear.jitter.note(row, packet.sequence)
        self._counted.append((row, packet.sequence, packet.ssrc, at or 0, NOT_TIMED if at is None else arrival))
        if packet.payload_type == COMFORT_NOISE:
            self._ear.fall_silent(row, packet.sequence, packet.payload)
            self._signs.other_payload(row, packet.payload_type)
        elif packet.payload_type == calls.telephone_event[row]:
            receiver = self._keys[row]
            self._tell_keys(row, receiver.receive(packet.timestamp, packet.payload, tick), tick, tell)
            if receiver.holding:
                self._holding.add(row)
        elif packet.payload_type not in calls.codecs[row]:
            self._signs.other_payload(row, packet.payload_type)

    def _count(self) -> None:
        """Tell the statistics of the packets that were taken one by one."""
        if not self._counted:
            return
        table = np.array(self._counted, np.int64)
        self._counted.clear()
        timed = table[:, 4] != NOT_TIMED
        for part in (table[~timed], table[timed]):
            rows, sequence, ssrc = part[:, 0], part[:, 1].astype(np.uint16), part[:, 2].astype(np.uint32)
            if not len(part):
                continue
            if part[0, 4] == NOT_TIMED:
                self._reception.update(rows, sequence, ssrc)
            else:
                self._reception.update(rows, sequence, ssrc, part[:, 3].astype(np.uint32), part[:, 4])

    def _hear_audio(self, row: int, packet: RtpPacket, tick: int) -> int | None:
        """Keep one packet of audio, with whose codec the peer may have changed. Returns its timestamp at 8 kHz, None if it is none."""
        codec, ear = self._calls.hear_as(row, packet.payload_type), self._ear
        ear.set_codec(row, codec)
        ear.begin(np.array([row]), tick)
        if codec.clock == LINE_RATE:
            ear.jitter.insert_packet(row, packet.sequence, packet.timestamp, packet.payload, tick, packet.ssrc)
            return packet.timestamp
        at = ear.wide.insert(row, packet.sequence, packet.timestamp, packet.payload, tick, packet.ssrc)
        if at is None:
            self._counters.packets_malformed[0] += 1
        return at

    def _tell_keys(self, row: int, keys: list[KeyPressed], tick: int, tell: Tell) -> None:
        for key in keys:
            tell(EventKind.DIGIT_HEARD, row, self._calls.position(row, tick), DIGITS.index(key.digit), key.duration_ms)
        if not self._keys[row].holding:
            self._holding.discard(row)
