"""The tick: every 20 ms, once for all calls.

Everything a call is lies in rows of arrays (calls × samples), and every stage takes all rows at once; what that saves
is the cost of Python per call. One order in every tick, so that a decision leaves in the same tick:

    listen    do what the main process asked · take every packet that came · decode, conceal, up to 16 kHz
              · is it speech? · does the agent fall silent? · publish frames and events
    speak     10 ms later: take the agent's frames, give them their level, add what a bridge brings, send one packet per call

The engine neither sleeps nor reads a clock: `media.process` calls it on the grid of the real clock, tests as they like.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from media.background import BackgroundRows, Loops
from media.bargein import PAUSED, BargeInRows
from media.bridge import NOBODY, Bridges
from media.ear import Detector, Ear, Judged
from media.echo_guard import EchoGuard
from media.figures import Figures
from media.intake import Intake
from media.keys import Keys
from media.mouth import Mouth
from media.orders import Orders
from media.quiet import NoiseSuppression
from media.reception import Reception
from media.records import Event, EventKind
from media.reports import Reports
from media.rings import SharedRings
from media.rows import CallRows
from media.signs import Signs
from media.sockets.face import Sockets
from media.sockets.looked_at import LookedAt
from media.srtp import SecureRows
from media.stopwatch import Lap, Stage, untimed
from media.tape import Tape

_KEYS_RELAYED = 20
"""Keys that may wait to be sent on over a bridge: nobody presses more in the time that they take."""
_ECHO_TICKS = 25
"""As long as an echo may take (`media.echo`)."""
_ROOM_FOR_ACKS = 4096
"""Events are dropped before the ring has less room than this, so that an acknowledgement always finds some."""


class Engine:
    """All calls of one media process.

    timeout_ticks: how long a peer may send nothing though it should, 0 for ever. seed: for SSRCs and noise. epoch: the Unix
    time of tick 0, for RTCP. wall: µs since the epoch, for packets that are looked at. vad: Silero, if not given. lap: takes the time of
    the stages. noise: who hears less of it. loops: the background sounds, none if not given.
    """

    def __init__(
        self, rings: SharedRings, sockets: Sockets, *,
        timeout_ticks: int, seed: int, epoch: float = 0.0, vad: Detector | None = None, lap: Lap = untimed,
        noise: NoiseSuppression = NoiseSuppression.OFF, loops: Loops | None = None, wall: Callable[[], int] | None = None,
    ) -> None:  # fmt: skip
        chance = random.Random(seed)
        self._rings = rings
        wall = wall or (lambda: round(epoch * 1_000_000))
        looked_at = self._sockets = LookedAt(sockets, rings.seen, rings.row.generation, wall)
        self._timeout_ticks = timeout_ticks
        self._lap = lap
        self._calls = CallRows(rings.rows, looked_at.aim)
        tape = Tape(rings, self._calls)
        self._tape = tape
        self._keys = Keys(rings.rows)
        self._bridges = Bridges(rings.rows)
        secure = SecureRows(rings.rows, rings.process)
        self._ear = Ear(rings, self._calls, tape, self._bridges, vad, lap, noise)
        background = BackgroundRows(rings.rows, Loops.none() if loops is None else loops)
        self._mouth = Mouth(
            rings,
            self._calls,
            tape,
            self._bridges,
            looked_at,
            self._keys,
            secure,
            background,
            chance.getrandbits(32),
            lap,
        )
        self._barge_in = BargeInRows(rings.rows)
        self._guard = EchoGuard(rings, self._calls)
        reception = Reception(rings.rows)
        signs = self._signs = Signs(rings.rows)
        self._intake = Intake(rings.rows, self._calls, self._ear, reception, signs, secure, rings.process)
        figures = Figures(
            self._calls, self._mouth.sender, self._ear, reception, signs, secure, rings.row, rings.figures, rings.source
        )
        self._reports = Reports(
            self._calls, self._mouth.sender, reception, signs, figures, looked_at, secure, chance, epoch
        )
        self._orders = Orders(
            self._calls, rings.row, looked_at, self._intake, self._ear, self._mouth,
            self._barge_in, self._guard.echo, self._bridges, self._keys, self._reports, secure, background, self._tell, chance,
        )  # fmt: skip
        self._deaf_until = np.zeros(rings.rows, np.int64)
        self._last_tick = -1

    def busy(self) -> bool:
        """Whether there is any call, or a command that may open one."""
        return (
            bool(self._calls.open.any()) or self._rings.process.command_head[0] != self._rings.process.command_tail[0]
        )

    def obey(self, tick: int) -> bool:
        """Do what was asked between the halves of ticks; `tick` is the one whose half comes next. True: there are events."""
        before = int(self._rings.process.event_head[0])
        self._obey(tick)
        return before != int(self._rings.process.event_head[0])

    def listen(self, tick: int) -> None:
        """The first half of tick number `tick`, which is greater than the last one's; left-out ticks are silence."""
        lap = self._lap
        self._step_over(tick)
        self._obey(tick)
        lap(Stage.ORDERS)
        received = self._sockets.receive()
        lap(Stage.RECEIVE)
        self._intake.take(received, tick, self._tell_key)
        lap(Stage.INTAKE)
        self._reports.take(received.control, tick)
        lap(Stage.REPORTS)
        for judged in self._ear.hear(tick):
            self._decide(judged, tick)
            lap(Stage.BARGE_IN)
        self._tell_tones(tick)
        self._watch(tick)
        self._rings.process.tick[0] = tick

    def speak(self, tick: int) -> bool:
        """The second half: send. Returns whether there are events for the main process."""
        before = int(self._rings.process.event_head[0])
        self._obey(tick)
        self._lap(Stage.ORDERS)
        self._mouth.speak(tick, self._barge_in.mode, self._tell)
        self._guard.echo.said(tick, self._mouth.sent)
        self._reports.send_due(tick)
        self._acknowledge_keys()
        self._lap(Stage.REPORTS)
        self._last_tick = tick
        return before != int(self._rings.process.event_head[0])

    def _step_over(self, tick: int) -> None:
        """Ticks that were never run: the time line has gone on, and so have the timestamps, which follow from the tick."""
        connected = np.flatnonzero(self._calls.connected)
        if tick > self._last_tick + 1 and connected.size:
            self._tape.skipped(connected, self._last_tick + 1, tick)

    def _obey(self, tick: int) -> None:
        room = self._rings.events.room()
        for command in self._rings.commands.drain(limit=room):
            answer = self._orders.obey(command, tick)
            if answer is not None:
                self._acknowledge(command.row, command.generation, *answer)

    def _decide(self, judged: Judged, tick: int) -> None:
        """React to one step of the VAD, and tell what happened."""
        suspects = self._barge_in.suspects(tick, judged.probability, judged.judged)
        if suspects.size:
            judged = self._guard.clear(judged, suspects)
        was_paused = self._barge_in.mode == PAUSED
        reaction = self._barge_in.step(tick, judged.probability, judged.judged, judged.end, self._mouth.speaking)
        for row in np.flatnonzero(reaction.started).tolist():
            self._signs.spoke[row] = True
            self._tell(EventKind.SPEECH_STARTED, row, max(0, int(reaction.onset[row])))
        for row in np.flatnonzero(reaction.stopped).tolist():
            self._tell(EventKind.SPEECH_STOPPED, row, max(0, int(reaction.offset[row])))
        for row in np.flatnonzero(reaction.duck).tolist():
            self._tell(EventKind.DUCKED, row, self._calls.position(row, tick))
        for row in np.flatnonzero(reaction.pause).tolist():
            self._mouth.pause(row)
            self._tell(EventKind.PAUSED, row, self._calls.position(row, tick), self._mouth.played(row))
        for row in np.flatnonzero(reaction.resume & was_paused).tolist():
            self._tell(EventKind.RESUMED, row, self._calls.position(row, tick), self._mouth.played(row))

    def _watch(self, tick: int) -> None:
        """Tell of peers that have fallen silent without a word, once for each silence.

        Who has put us on hold (`sendonly`, RFC 3264 section 8.4) may play music to us, and many send nothing: that is no silence.
        """
        calls = self._calls
        if not self._timeout_ticks:
            return
        silent = calls.hearing & calls.sending & (tick - calls.last_heard >= self._timeout_ticks)
        for row in np.flatnonzero(silent & ~calls.timed_out).tolist():
            self._tell(EventKind.MEDIA_TIMEOUT, row, calls.position(row, tick))
        np.copyto(calls.timed_out, silent)

    def _acknowledge_keys(self) -> None:
        for keys in (self._keys, self._mouth.tones):
            for row, token in keys.sent:
                self._acknowledge(row, int(self._calls.generation[row]), token, 0)
            keys.sent.clear()

    def _acknowledge(self, row: int, generation: int, token: int, result: int) -> None:
        self._rings.events.push(Event(EventKind.ACK, row, generation, 0, token, result))

    def _tell_key(self, kind: EventKind, row: int, at: int, value: int = 0, second: int = 0) -> None:
        """A key was heard: tell of it, and send it on over a bridge."""
        self._tell(kind, row, at, value, second)
        other = self._bridges.keys_to(row)
        if other == NOBODY:
            return
        keys = self._keys if self._calls.telephone_event[other] >= 0 else self._mouth.tones
        if self._calls.sending[other] and keys.waiting(other) < _KEYS_RELAYED:
            keys.add(other, value, token=0)

    def _tell_tones(self, tick: int) -> None:
        """Keys that came as tones go over a bridge as such, with the audio that they are in."""
        heard, ours = self._ear.tones.heard, self._mouth.tones
        if ours.any:
            self._deaf_until[ours.busy] = tick + _ECHO_TICKS
        for key in heard:
            if tick < self._deaf_until[key.row]:
                continue  # Our own keys, come back as an echo.
            self._tell(EventKind.DIGIT_HEARD, key.row, self._calls.position(key.row, tick), key.code, key.ms)
        heard.clear()

    def _tell(self, kind: EventKind, row: int, at: int, value: int = 0, second: int = 0) -> None:
        events = self._rings.events
        if events.room() <= _ROOM_FOR_ACKS:
            self._rings.process.events_lost[0] += 1
        else:
            events.push(Event(kind, row, int(self._calls.generation[row]), at, value, second))
