"""Does on the tick what the main process asked for, and acknowledges it."""

from __future__ import annotations

import random
from collections.abc import Callable

from media.background import BackgroundRows
from media.bargein import BargeInRows
from media.bridge import NOBODY, Bridges
from media.ear import Ear
from media.echo import EchoRows
from media.frames import BargeIn, RtpFormat, SrtpKeys
from media.intake import Intake
from media.keys import Keys
from media.mouth import Mouth, Tell
from media.records import CODECS, DIRECTIONS, REFUSED, SUITES, Command, CommandKind, EventKind, unpack_others
from media.reports import Reports
from media.rings import RowCounters
from media.rows import CallRows
from media.sockets.face import PortsExhausted
from media.sockets.looked_at import LookedAt
from media.srtp import SecureRows

_KEYS_WAITING = 64
"""So many keys of one call may have yet to be sent: 10 s."""


class Orders:
    """One method per kind of command; each returns the result that goes into the acknowledgement."""

    def __init__(
        self, calls: CallRows, counters: RowCounters, sockets: LookedAt, intake: Intake, ear: Ear, mouth: Mouth,
        barge_in: BargeInRows, echo: EchoRows, bridges: Bridges, keys: Keys, reports: Reports, secure: SecureRows,
        background: BackgroundRows, tell: Tell, chance: random.Random,
    ) -> None:  # fmt: skip
        self._calls = calls
        self._counters = counters
        self._sockets = sockets
        self._intake = intake
        self._ear = ear
        self._mouth = mouth
        self._barge_in = barge_in
        self._echo = echo
        self._bridges = bridges
        self._keys = keys
        self._reports = reports
        self._secure = secure
        self._background = background
        self._tell = tell
        self._chance = chance
        self._methods: dict[int, Callable[[Command, int], int | None]] = {
            CommandKind.OPEN: self._open,
            CommandKind.CONNECT: self._connect,
            CommandKind.BARGE_IN: self._set_barge_in,
            CommandKind.FLUSH: self._flush,
            CommandKind.RESUME: self._resume,
            CommandKind.DIGIT: self._send_digit,
            CommandKind.RECORDING: self._record,
            CommandKind.CLOSE: self._close,
            CommandKind.BRIDGE: self._bridge,
            CommandKind.UNBRIDGE: self._unbridge,
            CommandKind.BACKGROUND: self._set_background,
            CommandKind.LOOK: self._look,
        }

    def obey(self, command: Command, tick: int) -> tuple[int, int] | None:
        """Do it. Returns the token and the result to acknowledge, None where nothing is to be (yet)."""
        row = command.row
        if command.kind == CommandKind.OPEN or self._calls.is_open(row, command.generation):
            result = self._methods[command.kind](command, tick)
        else:
            result = REFUSED
        return (command.token, result) if command.token and result is not None else None

    def _open(self, command: Command, tick: int) -> int:
        row = command.row
        try:
            port = self._sockets.open(row)
        except PortsExhausted:
            return REFUSED
        self._calls.open_row(row, command.generation, taped=bool(command.on))
        self._intake.open_row(row)
        self._mouth.open_row(row)
        self._barge_in.open_row(row, BargeIn())
        self._echo.open_row(row)
        return port

    def _connect(self, command: Command, tick: int) -> int:
        row, calls = command.row, self._calls
        codec = CODECS[command.codec]
        event = None if command.telephone_event < 0 else command.telephone_event
        fmt = RtpFormat(
            codec, command.payload_type, event, command.ptime, command.event_rate, unpack_others(command.others),
            bool(command.fec), command.bitrate or None,
        )  # fmt: skip
        first = not calls.connected[row]
        if not calls.hearing[row]:
            self._ear.jitter.excuse(row)
        calls.connect(row, tick, fmt, DIRECTIONS[command.direction])
        if first:
            self._begin(row, command, tick)
        host = command.host.decode("ascii")
        remote = (host, command.port) if host and command.port else None
        self._intake.set_remote(row, remote, (host, command.rtcp_port) if remote else None)
        calls.extended[row] = bool(command.on)
        self._secure.set_row(row, _keys_of(command))
        self._set_format(row, fmt)
        return 0

    def _begin(self, row: int, command: Command, tick: int) -> None:
        """The call's own RTP stream begins, with the random numbers of RFC 3550 section 5.1."""
        bits = self._chance.getrandbits
        self._mouth.sender.open_row(
            row,
            ssrc=bits(32) or 1,
            sequence=bits(15),
            timestamp=bits(32),
            payload_type=command.payload_type,
            now=tick,
        )
        self._counters.origin[row] = tick
        self._reports.open_row(row, tick)

    def _set_format(self, row: int, fmt: RtpFormat) -> None:
        sender, bits = self._mouth.sender, self._chance.getrandbits
        if sender.clock(row) != fmt.codec.clock:
            sender.set_clock(row, fmt.codec.clock, bits(32) or 1, bits(32))
        self._ear.set_codec(row, fmt.codec)
        self._ear.tones.set_row(row, listens=fmt.telephone_event is None)
        self._mouth.set_format(row, fmt)
        self._intake.set_event_rate(row, fmt.event_rate)
        self._keys.set_rate(row, fmt.event_rate)

    def _set_barge_in(self, command: Command, tick: int) -> int:
        settings = BargeIn(bool(command.on), float(command.threshold), command.cooldown_ms)
        self._barge_in.set(command.row, settings)
        return 0

    def _flush(self, command: Command, tick: int) -> int:
        self._barge_in.settle(command.row)
        return self._mouth.flush(command.row, command.frame)

    def _resume(self, command: Command, tick: int) -> int:
        row = command.row
        self._barge_in.settle(row)
        frame = self._mouth.resume(row, command.frame)
        self._tell(EventKind.RESUMED, row, self._calls.position(row, tick), frame)
        return 0

    def _send_digit(self, command: Command, tick: int) -> int | None:
        """Acknowledged when it has left: as a telephone-event, or as tones where the peer takes none. One that holds us gets neither."""
        row, calls = command.row, self._calls
        keys = self._keys if calls.telephone_event[row] >= 0 else self._mouth.tones
        if not calls.sending[row] or keys.waiting(row) >= _KEYS_WAITING:
            return REFUSED
        keys.add(row, command.digit, command.token)
        return None

    def _record(self, command: Command, tick: int) -> int:
        self._calls.record(command.row, self._calls.position(command.row, tick), on=bool(command.on))
        return 0

    def _bridge(self, command: Command, tick: int) -> int:
        row, other, relay = command.row, command.other, bool(command.on)
        if not self._calls.is_open(other, command.other_generation):
            return REFUSED
        if self._bridges.partner[row] == other:
            self._bridges.set_relay(row, relay)
            return 0
        for side in (row, other):
            self._part(side, tick)
        self._bridges.join(row, other, relay)
        for side in (row, other):
            if self._barge_in.hold(side):
                self._tell(EventKind.RESUMED, side, self._calls.position(side, tick), self._mouth.played(side))
        return 0

    def _unbridge(self, command: Command, tick: int) -> int:
        self._part(command.row, tick)
        return 0

    def _part(self, row: int, tick: int) -> None:
        """End the row's bridge, if it has one, and tell the other side."""
        other = self._bridges.part(row)
        if other == NOBODY:
            return
        for side in (row, other):
            self._barge_in.release(side)
        self._tell(EventKind.UNBRIDGED, other, self._calls.position(other, tick))

    def _set_background(self, command: Command, tick: int) -> int:
        self._background.set(command.row, command.sound, float(command.volume))
        return 0

    def _look(self, command: Command, tick: int) -> int:
        self._sockets.look(command.row, on=bool(command.on))
        return 0

    def _close(self, command: Command, tick: int) -> int:
        row = command.row
        self._part(row, tick)
        self._reports.leave(row, tick)
        self._secure.close_row(row)
        self._sockets.close(row)
        self._intake.close_row(row)
        self._keys.close_row(row)
        self._mouth.close_row(row)
        self._barge_in.close_row(row)
        self._calls.close_row(row)
        return 0


def _keys_of(command: Command) -> SrtpKeys | None:
    suite = SUITES[command.suite]
    if suite is None:
        return None
    return SrtpKeys(suite, command.local_key[: suite.key_octets], command.remote_key[: suite.key_octets])
