"""The embedded dialogue engine: an agent that follows its script (CONTRACT, "script")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from inference.backchannel import BACKCHANNEL, is_backchannel
from inference.courtesy import courtesies
from inference.dialogue import Answer, Heard, Said, TransferWish
from inference.hear import Match, Phrase, find, parse, read_ahead, spoken, to_jsgf, to_loose_jsgf, words_of
from inference.keypad import KeysWanted
from inference.prompt import render
from inference.script import KEYS, MAX_KEYS, Script, Step
from inference.script import Answer as Listen
from inference.stt.base import SttHints
from inference.turns import Hypothesis
from sipserver.protocols import TransferOutcome

_YESNO = parse("<yesno:answer>")


class ScriptDialogue:
    """Leads one call by a script.

    It stands at a step and waits for one of the step's answers. A turn recognised only just is asked back first
    ("Did you say …?"): the answer that it would be waits in `_doubtful` for a yes.
    """

    speculates = False

    def __init__(
        self,
        script: Script,
        variables: Mapping[str, Any],
        clock: Callable[[], datetime],
        missing: Callable[[str], None],
        language: str | None,
    ) -> None:
        self.captured: dict[str, Any] = {}
        self._script = script
        self._step: Step = script.steps[script.start]
        self._opened = False
        self._misses = 0
        self._doubtful: tuple[Listen, Match] | None = None
        self._variables = variables
        self._spoken: dict[str, str] = {}
        self._clock = clock
        self._missing = missing
        self._polite = courtesies(language)
        self._language = language
        self._hints: dict[tuple[str, bool], SttHints] = {}

    @property
    def off_record(self) -> bool:
        """Whether the step says so."""
        return self._opened and not self._step.record

    def hints(self) -> SttHints:
        """The sentences of the step, as grammars and as plain texts."""
        key = (self._step.name, self._doubtful is not None)
        if key not in self._hints:
            self._hints[key] = self._make_hints()
        return self._hints[key]

    def hypothesis(self, text: str) -> Hypothesis:
        """What the words so far are, against the sentences of the step."""
        words = words_of(text)
        reading = read_ahead(self._phrases(), words)
        content = reading.complete or not is_backchannel(words)
        return Hypothesis(text, reading.complete, reading.open, content)

    def keys(self) -> KeysWanted:
        """The keys that the step waits for."""
        collect = self._collect()
        if collect is not None and collect.collect is not None:
            return KeysWanted(collect=True, length=collect.collect.length)
        return KeysWanted(frozenset(listen.key for listen in self._listens() if listen.key))

    def open(self) -> Answer:
        """The first step."""
        return self._go(self._script.start)

    def greet(self, greeting: str, heard: Heard | None) -> Answer:
        """The greeting, and the first step or the answer to what the caller began with."""
        answer = self._answer(heard) if heard is not None else self._go(self._script.start)
        return replace(answer, text=f"{greeting} {answer.text}".strip())

    def answer(self, heard: Heard) -> Answer:
        """The step that the turn leads to; or the question again."""
        return self._answer(heard)

    def returned(self, outcome: TransferOutcome) -> Answer:
        """The step's `failed`; after a transfer that somebody else ordered, the step's question again."""
        self._keep("transfer_failed", str(outcome.failure), "set")
        if self._step.transfer is None:
            return Said(f"{self._polite.nobody_reached} {self._render(self._step.say)}".strip())
        if self._step.failed is None:
            return Said(f"{self._polite.nobody_reached} {self._polite.goodbye}", ends=True)
        return self._go(self._step.failed)

    def caller_said(self, text: str) -> None:
        """A script remembers steps, not words."""

    def agent_said(self, text: str) -> None:
        """A script remembers steps, not words."""

    def _answer(self, heard: Heard) -> Said:
        if heard.keyed:
            return self._keyed(heard.text)
        doubtful, self._doubtful = self._doubtful, None
        found = self._find(heard.text) if heard.understood else None
        if doubtful is not None:
            agreed = find([_YESNO], words_of(heard.text), self._clock()) if heard.understood else None
            if agreed is not None:
                return self._take(*doubtful) if agreed.values["answer"] else self._miss()
        if found is None:
            return self._miss() if self._opened else self._go(self._script.start)
        if heard.confirm and doubtful is None:
            self._doubtful = found
            return Said(self._polite.did_you_say.format(said=heard.text))
        return self._take(*found)

    def _keyed(self, keys: str) -> Said:
        self._doubtful = None
        collect = self._collect()
        if collect is not None and collect.collect is not None:
            name = collect.collect.name
            return self._take(collect, Match(0, 0, {name: keys}, {name: "digits"}))
        for listen in self._listens():
            if listen.key == keys:
                return self._take(listen, Match(0, 0))
        return self._miss()

    def _find(self, text: str) -> tuple[Listen, Match] | None:
        """The answer that was said; the longest phrase of all, the step's own before those understood anywhere."""
        pairs = [(listen, phrase) for listen in self._listens() for phrase in listen.phrases]
        match = find([phrase for _, phrase in pairs], words_of(text), self._clock())
        return (pairs[match.phrase][0], match) if match else None

    def _take(self, listen: Listen, match: Match) -> Said:
        for name, value in match.values.items():
            self._keep(name, value, match.kinds[name])
        for name, value in listen.values.items():
            self._keep(name, value, "set")
        return self._go(listen.go)

    def _keep(self, name: str, value: Any, kind: str) -> None:
        self.captured[name] = value
        self._spoken.pop(name, None)
        if kind not in {"set", "list"}:
            self._spoken[name] = spoken(kind, value)

    def _go(self, name: str) -> Said:
        self._step = self._script.steps[name]
        self._opened = True
        self._misses = 0
        step = self._step
        wish = TransferWish(step.transfer, self._render(step.briefing) or None) if step.transfer else None
        return Said(self._render(step.say), step.end, wish, self._keys(step.press))

    def _miss(self) -> Said:
        """Not understood: ask again, `times` times; then go where the script says, or give up politely."""
        otherwise = self._step.otherwise
        self._misses += 1
        if self._misses <= otherwise.times:
            return Said(self._render(otherwise.say or f"{self._polite.not_understood} {self._step.say}"))
        return self._go(otherwise.go) if otherwise.go else Said(self._polite.cannot_help, ends=True)

    def _keys(self, press: str) -> str:
        """The keys to press: what is none in a variable (blanks, hyphens) is left out."""
        return "".join(key for key in self._render(press).upper() if key in KEYS)[:MAX_KEYS]

    def _render(self, text: str) -> str:
        return render(text, {**self._variables, **self.captured, **self._spoken}, self._missing)

    def _listens(self) -> tuple[Listen, ...]:
        return self._script.answers(self._step)

    def _collect(self) -> Listen | None:
        return next((listen for listen in self._step.listen if listen.collect), None)

    def _phrases(self) -> list[Phrase]:
        asked_back = [_YESNO] if self._doubtful is not None else []
        return asked_back + [phrase for listen in self._listens() for phrase in listen.phrases]

    def _make_hints(self) -> SttHints:
        phrases = self._phrases()
        language = self._language or "en"
        if not phrases:
            return SttHints(grammar=to_jsgf([BACKCHANNEL]), language=language)
        return SttHints(
            grammar=to_jsgf([*phrases, BACKCHANNEL]),
            loose=to_loose_jsgf(phrases),
            phrases=tuple(phrase.text for phrase in phrases),
            language=language,
        )
