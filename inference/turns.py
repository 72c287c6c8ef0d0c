"""Turn taking: when does the caller's turn end, and when does the caller take the floor from the agent? Sans-I/O.

Positions are samples at 8 kHz on the recording's time line (`media.frames`); the caller of this module owns the clock.

    nobody     speech started → the caller speaks (TurnBegan)
    speaking   silence        → pausing
               over the agent, at least `min_interruption` of speech, and for `SETTLED` words that are no backchannel
               → Interrupted, once
    pausing    speech         → speaking (what was speculated is void: SpeculationVoid)
               min(`speculative_silence`, `endpoint_delay`) of silence → Speculate, again when the words change
               `endpoint_delay` of silence, and the judge's probability ≥ `eot_threshold` → TurnOver
               `fallback_silence` of silence → TurnOver whatever the judge says
    any        at the end less than `min_turn` of speech → Dropped instead of TurnOver

The agent has been paused by then (the tick does that), so waiting for settled words is not heard; it keeps the guesses that a
grammar makes of a cough from dropping what the agent says. A caller who seems to fall never silent (a noisy line) is answered
after `LONGEST`, over the agent after `LONGEST_OVER`. Speech over the agent without a word in it (a cough, an echo) ends after
`QUIET` of silence, so that the agent goes on soon.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from media.frames import LINE_RATE
from sipserver.protocols import TurnSettings

_MS = LINE_RATE // 1000
LONGEST = 30_000 * _MS
LONGEST_OVER = 3_000 * _MS
SETTLED = 200 * _MS
QUIET = 300 * _MS
STABLE = 200 * _MS
SILENCE = 500 * _MS
OPEN_SILENCE = 900 * _MS


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the recogniser makes of the turn so far.

    `complete`: a whole sentence of the active grammar. `open`: in the middle of digits or a date. `content`: there are words
    that are more than a backchannel ("uh huh", "okay").
    """

    text: str = ""
    complete: bool = False
    open: bool = False
    content: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """What a judge knows: silence since `since`, and a hypothesis that has not changed since `stable_since`."""

    since: int
    now: int
    hypothesis: Hypothesis
    stable_since: int


class Judge(Protocol):
    """Says how likely it is that the caller has finished."""

    def probability(self, pause: Pause) -> float:
        """0–1."""

    def asks_again(self, pause: Pause) -> int | None:
        """When the answer may change though nothing is said; None: not any more."""


class EmbeddedJudge:
    """The judge without a model (CONTRACT, "when a turn ends").

    1 for a complete sentence that has not changed for 200 ms and cannot go on, 1 after 500 ms of silence, or after 900 ms in
    the middle of digits or a date; else 0.
    """

    def probability(self, pause: Pause) -> float:
        """0 or 1."""
        return 1.0 if pause.now >= self._sure_at(pause) else 0.0

    def asks_again(self, pause: Pause) -> int | None:
        """When it will be sure."""
        sure = self._sure_at(pause)
        return sure if sure > pause.now else None

    def _sure_at(self, pause: Pause) -> int:
        if pause.hypothesis.open:
            return pause.since + OPEN_SILENCE
        if pause.hypothesis.complete:
            return min(pause.stable_since + STABLE, pause.since + SILENCE)
        return pause.since + SILENCE


@dataclass(frozen=True, slots=True)
class TurnEvent:
    """Something that turn taking decided."""


@dataclass(frozen=True, slots=True)
class TurnBegan(TurnEvent):
    """The caller began to speak at `at`; `over_agent`: while the agent spoke or was about to."""

    at: int
    over_agent: bool


@dataclass(frozen=True, slots=True)
class Interrupted(TurnEvent):
    """The caller takes the floor: what the agent has not said is to be dropped."""


@dataclass(frozen=True, slots=True)
class Speculate(TurnEvent):
    """The caller may have finished: an answer may be prepared, not spoken."""


@dataclass(frozen=True, slots=True)
class SpeculationVoid(TurnEvent):
    """The caller goes on after all."""


@dataclass(frozen=True, slots=True)
class TurnOver(TurnEvent):
    """The caller has finished. `speech` is how much was spoken, in samples, from `began` to `ended` with pauses in between."""

    began: int
    ended: int
    speech: int
    over_agent: bool


@dataclass(frozen=True, slots=True)
class Dropped(TurnEvent):
    """It was too short to be a turn."""


class Turns:
    """Turn taking of one call."""

    def __init__(self, settings: TurnSettings, judge: Judge) -> None:
        self._settings = settings
        self._judge = judge
        self._events: deque[TurnEvent] = deque()
        self._turn: _Turn | None = None

    def speaking(self) -> bool:
        """Whether the caller speaks at this moment."""
        return self._turn is not None and self._turn.speaking_since is not None

    def open(self) -> bool:
        """Whether a turn of the caller's is under way."""
        return self._turn is not None

    def speech_started(self, at: int, *, over_agent: bool) -> None:
        """The caller began to speak, or went on."""
        if self._turn is None:
            self._turn = _Turn(self._settings, self._judge, at, over_agent)
            self._events.append(TurnBegan(at, over_agent))
        self._turn.speaking_since = at
        self._turn.silent_since = None
        self._void(self._turn)

    def speech_stopped(self, at: int) -> None:
        """The caller fell silent at `at`."""
        if self._turn is not None:
            self._turn.stop(at)

    def heard(self, hypothesis: Hypothesis, now: int) -> None:
        """The recogniser has changed its mind."""
        if self._turn is None or hypothesis.text == self._turn.hypothesis.text:
            return
        self._turn.content_since = _since(self._turn.content_since, hypothesis.content, now)
        self._turn.hypothesis = hypothesis
        self._turn.stable_since = now
        self._void(self._turn)

    def floor_taken(self) -> None:
        """The agent was stopped for another reason (a key): do not stop it again."""
        if self._turn is not None:
            self._turn.interrupted = True

    def drop(self) -> None:
        """Forget the turn that is under way: it was answered in another way."""
        self._turn = None
        self._events.clear()

    def next_event(self) -> TurnEvent | None:
        """What was decided, in order; None when there is nothing more."""
        return self._events.popleft() if self._events else None

    def next_timer(self) -> int | None:
        """When `handle_timer` must be called, if nothing happens before."""
        return self._turn.next_timer() if self._turn is not None else None

    def handle_timer(self, now: int) -> None:
        """Time has passed, or something was heard: decide what can be decided."""
        turn = self._turn
        if turn is None:
            return
        turn.now = now
        if turn.interrupts(now):
            turn.interrupted = True
            self._events.append(Interrupted())
        if turn.speculates(now):
            turn.speculating = True
            self._events.append(Speculate())
        if turn.is_over(now):
            self._finish(turn, now)

    def _finish(self, turn: _Turn, now: int) -> None:
        ended = turn.silent_since if turn.silent_since is not None else now
        speech = turn.speech(ended)
        enough = speech >= self._settings.min_turn_ms * _MS
        self._events.append(TurnOver(turn.began, ended, speech, turn.over_agent) if enough else Dropped())
        self._turn = None

    def _void(self, turn: _Turn) -> None:
        if turn.speculating:
            turn.speculating = False
            self._events.append(SpeculationVoid())


@dataclass(slots=True)
class _Turn:
    """The caller's turn that is under way, and what can be said of it."""

    settings: TurnSettings
    judge: Judge
    began: int
    over_agent: bool
    speaking_since: int | None = None
    silent_since: int | None = None
    spoken: int = 0
    """Speech before the present burst, in samples."""
    hypothesis: Hypothesis = Hypothesis()
    stable_since: int = 0
    content_since: int | None = None
    speculating: bool = False
    interrupted: bool = False
    now: int = 0

    def stop(self, at: int) -> None:
        """The present burst ends."""
        if self.speaking_since is None:
            return
        self.spoken += max(0, at - self.speaking_since)
        self.speaking_since = None
        self.silent_since = at

    def speech(self, now: int) -> int:
        """How much was spoken until `now`."""
        return self.spoken + (max(0, now - self.speaking_since) if self.speaking_since is not None else 0)

    def interrupts(self, now: int) -> bool:
        """Whether the caller takes the floor now."""
        at = self._interrupts_at()
        return at is not None and now >= at

    def speculates(self, now: int) -> bool:
        """Whether an answer may be prepared now."""
        return not self.speculating and self.silent_since is not None and now >= self._speculates_at(self.silent_since)

    def is_over(self, now: int) -> bool:
        """Whether the caller has finished."""
        since = self.silent_since
        if since is None:
            return now >= self.began + self._longest()
        if now >= since + self.settings.fallback_silence_ms * _MS or (self._is_noise() and now >= since + QUIET):
            return True
        if now < since + self.settings.endpoint_delay_ms * _MS:
            return False
        return self.judge.probability(self._pause(now, since)) >= self.settings.eot_threshold

    def next_timer(self) -> int:
        """When one of the answers above may change by time alone."""
        if self.silent_since is not None:
            return min(self._pause_timers(self.silent_since))
        at = self._interrupts_at()
        return min(self.began + self._longest(), at if at is not None else self.began + LONGEST)

    def _interrupts_at(self) -> int | None:
        """When there will have been enough speech, with settled words; None while more must happen."""
        if not self.over_agent or self.interrupted or self.content_since is None or self.speaking_since is None:
            return None
        missing = self.settings.min_interruption_ms * _MS - self.spoken
        return max(self.speaking_since + missing, self.content_since + SETTLED)

    def _longest(self) -> int:
        return LONGEST_OVER if self.over_agent and not self.interrupted else LONGEST

    def _pause_timers(self, since: int) -> list[int]:
        endpoint = since + self.settings.endpoint_delay_ms * _MS
        asks = endpoint if self.now < endpoint else self.judge.asks_again(self._pause(self.now, since))
        due = [since + self.settings.fallback_silence_ms * _MS]
        due += [asks] if asks is not None else []
        due += [] if self.speculating else [self._speculates_at(since)]
        due += [since + QUIET] if self._is_noise() else []
        return due

    def _pause(self, now: int, since: int) -> Pause:
        return Pause(since, now, self.hypothesis, self.stable_since)

    def _speculates_at(self, since: int) -> int:
        return since + min(self.settings.speculative_silence_ms, self.settings.endpoint_delay_ms) * _MS

    def _is_noise(self) -> bool:
        return self.over_agent and not self.interrupted and not self.hypothesis.text


def _since(before: int | None, holds: bool, now: int) -> int | None:
    """Since when something holds."""
    if not holds:
        return None
    return before if before is not None else now
