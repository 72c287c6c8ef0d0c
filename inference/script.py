"""The script of an agent without a language model (CONTRACT, "script"): its shape, read from JSON, with every mistake named.

    {"start": step, "steps": {name: step …}, "anywhere": [answer …]}
    step   = {"say", "listen": [answer …], "else": {"say", "times", "go"}, "record": false, "press": "1#"}  |  {"say", "end": true}
           | {"say", "transfer": label, "briefing", "failed": step}
    answer = {"hear": [phrase …], "set": {…}, "go": step}
           | {"dtmf": "1", "set": {…}, "go": step}
           | {"dtmf": "<digits:name>", "length": 4, "set": {…}, "go": step}

The last form collects keys: `#` ends the number, `*` starts it over, and so does it end when `length` keys have come (where
given), or 3 s after the last key. What was keyed in is captured as `name`, like spoken digits. A step that collects cannot
also wait for single keys that are digits, nor for `*` or `#`: they would mean two things.

`transfer` names one of the agent's transfer targets by its label. When the transfer comes to nothing the script goes on with
`failed`, and `{{transfer_failed}}` says why (`busy`, `no_answer` …); without `failed` the call ends politely.

`record: false` puts the call off the record while the step is asked and answered: the recording has silence there, the transcript
says that something was said and not what, and what is captured serves the call but is not kept.

`press` sends keys (RFC 4733) when the question was heard: for the menus of machines. `{{variables}}` may stand in it.

Without `else`, a step that did not understand says so and repeats its question. After `times` such answers (2 unless it says
otherwise) it goes to `go`; without one the call ends politely.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.hear import Phrase, PhraseError, parse
from sipserver.protocols import ScriptProblem

KEYS = "0123456789*#ABCD"
MAX_KEYS = 32
DEFAULT_TIMES = 2
_MAX_STEPS = 200
_MAX_ANSWERS = 50
_MAX_PHRASES = 100
_MAX_SAY = 2000
_STEP_KEYS = ("say", "listen", "else", "end", "transfer", "briefing", "failed", "record", "press")
_COLLECT = re.compile(r"<\s*digits\s*:\s*([A-Za-z_][A-Za-z0-9_]*)\s*>")
_PRESS = re.compile(f"[{re.escape(KEYS)}]{{1,{MAX_KEYS}}}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Collect:
    """Keys become one value: `length` None means until `#` or a pause."""

    name: str
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that the caller may answer: said (`phrases`), one `key`, or several keys (`collect`)."""

    go: str
    phrases: tuple[Phrase, ...] = ()
    key: str | None = None
    collect: Collect | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What is done with an answer that was not understood. `say` None: the step's question again."""

    say: str | None = None
    times: int = DEFAULT_TIMES
    go: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step: it says something, then listens, ends the call, or hands the caller over (`transfer` is the target's label)."""

    name: str
    say: str = ""
    listen: tuple[Answer, ...] = ()
    otherwise: Otherwise = Otherwise()
    end: bool = False
    transfer: str | None = None
    briefing: str = ""
    failed: str | None = None
    record: bool = True
    press: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A script without mistakes."""

    start: str
    steps: Mapping[str, Step]
    anywhere: tuple[Answer, ...] = ()

    def answers(self, step: Step) -> tuple[Answer, ...]:
        """What may be answered in a step: its own answers first, then those understood anywhere."""
        return (*step.listen, *self.anywhere)

    def phrases(self) -> Iterator[Phrase]:
        """Every phrase of the script."""
        for answer in (*self.anywhere, *(answer for step in self.steps.values() for answer in step.listen)):
            yield from answer.phrases


class ScriptError(ValueError):
    """The script has mistakes; `problems` names each."""

    def __init__(self, problems: Sequence[ScriptProblem]) -> None:
        super().__init__("; ".join(f"{problem.where}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


def read_script(given: Mapping[str, Any], labels: Collection[str] | None = None) -> Script:
    """The script of a JSON object. Raises ScriptError with every problem that was found.

    `labels` are those of the agent's transfer targets; None where the script is read without its agent.
    """
    reader = _Reader(labels)
    script = reader.script(given)
    if not reader.problems:
        reader.check_ways(script)
    if reader.problems:
        raise ScriptError(reader.problems)
    return script


def phrase_places(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(path, text) of every phrase of a script that has no mistakes."""
    lists = [("anywhere", given.get("anywhere") or [])]
    lists += [(f"steps.{name}.listen", step.get("listen") or []) for name, step in given["steps"].items()]
    for path, answers in lists:
        for index, answer in enumerate(answers):
            for place, text in enumerate(answer.get("hear") or []):
                yield f"{path}.{index}.hear.{place}", text


class _Reader:
    """Reads one script; whatever is wrong goes to `problems` and a harmless value takes its place."""

    def __init__(self, labels: Collection[str] | None) -> None:
        self.problems: list[ScriptProblem] = []
        self._labels = labels

    def script(self, given: Mapping[str, Any]) -> Script:
        self._known(given, "script", ("start", "steps", "anywhere"), prefix="")
        start = self._text(given, "start", "", required=True)
        steps = self._object(given.get("steps"), "steps")
        if isinstance(given.get("steps"), Mapping) and not 0 < len(steps) <= _MAX_STEPS:
            self._wrong("steps", f"a script has 1 to {_MAX_STEPS} steps")
        read = {name: self._step(name, step, f"steps.{name}") for name, step in steps.items()}
        return Script(start, read, self._answers(given.get("anywhere"), "anywhere"))

    def check_ways(self, script: Script) -> None:
        """Every step that is named exists, and every step that exists can be reached."""
        if script.start not in script.steps:
            self._wrong("start", f"there is no step {script.start!r}")
        for where, step in _goes(script):
            if step not in script.steps:
                self._wrong(where, f"there is no step {step!r}")
        for name in script.steps.keys() - _reachable(script):
            self._wrong(f"steps.{name}", "no way leads to this step")

    def _step(self, name: str, given: Any, where: str) -> Step:
        step = self._object(given, where)
        if not _NAME.fullmatch(name):
            self._wrong(where, "a step's name is letters, digits and underscores, and begins with a letter")
        self._known(step, "step", _STEP_KEYS, prefix=where)
        ways = [bool(step.get("listen")), step.get("end") is True, step.get("transfer") is not None]
        if ways.count(True) != 1:
            self._wrong(where, "a step either listens, ends the call or hands it over (`listen`, `end` or `transfer`)")
        if not isinstance(step.get("end", False), bool):
            self._wrong(f"{where}.end", "must be true or false")
        listen = self._answers(step.get("listen"), f"{where}.listen")
        self._keys_are_clear(listen, f"{where}.listen")
        return Step(
            name=name,
            say=self._say(step, where),
            listen=listen,
            otherwise=self._otherwise(step.get("else"), f"{where}.else"),
            end=step.get("end") is True,
            transfer=self._transfer(step, where),
            briefing=self._text(step, "briefing", where),
            failed=self._text(step, "failed", where) or None,
            record=self._record(step, where),
            press=self._press(step, where),
        )

    def _press(self, step: Mapping[str, Any], where: str) -> str:
        press = self._text(step, "press", where)
        if press and "{{" not in press and not _PRESS.fullmatch(press):
            self._wrong(f"{where}.press", f"must be 1 to {MAX_KEYS} of the keys {KEYS}, or a {{{{variable}}}} that is")
        if press and not step.get("listen"):
            self._wrong(f"{where}.press", "goes with `listen`: whoever was sent keys has something to say")
        return press

    def _record(self, step: Mapping[str, Any], where: str) -> bool:
        record = step.get("record", True)
        if not isinstance(record, bool):
            self._wrong(f"{where}.record", "must be true or false")
        elif not record and not step.get("listen"):
            self._wrong(f"{where}.record", "goes with `listen`: off the record is what is said until it was answered")
        return record is not False

    def _transfer(self, step: Mapping[str, Any], where: str) -> str | None:
        label = self._text(step, "transfer", where) or None
        if label is not None and self._labels is not None and label not in self._labels:
            known = ", ".join(sorted(self._labels)) or "none"
            self._wrong(f"{where}.transfer", f"the agent has no transfer target {label!r} (its labels: {known})")
        if step.get("transfer") == "":
            self._wrong(f"{where}.transfer", "must be the label of one of the agent's transfer targets")
        for key in ("briefing", "failed"):
            if step.get("transfer") is None and step.get(key) is not None:
                self._wrong(f"{where}.{key}", "goes with `transfer`")
        return label

    def _otherwise(self, given: Any, where: str) -> Otherwise:
        if given is None:
            return Otherwise()
        otherwise = self._object(given, where)
        self._known(otherwise, "else", ("say", "times", "go"), prefix=where)
        times = otherwise.get("times", DEFAULT_TIMES)
        if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= 10:
            self._wrong(f"{where}.times", "must be a whole number from 1 to 10")
            times = DEFAULT_TIMES
        go = self._text(otherwise, "go", where) or None
        return Otherwise(self._say(otherwise, where) or None, times, go)

    def _answers(self, given: Any, where: str) -> tuple[Answer, ...]:
        if given is None:
            return ()
        if not isinstance(given, list) or len(given) > _MAX_ANSWERS:
            self._wrong(where, f"must be a list of at most {_MAX_ANSWERS} answers")
            return ()
        return tuple(self._answer(answer, f"{where}.{index}") for index, answer in enumerate(given))

    def _answer(self, given: Any, where: str) -> Answer:
        answer = self._object(given, where)
        self._known(answer, "answer", ("hear", "dtmf", "length", "set", "go"), prefix=where)
        if ("hear" in answer) == ("dtmf" in answer):
            self._wrong(where, "an answer is heard or keyed in: exactly one of `hear` and `dtmf`")
        key, collect = self._dtmf(answer, where)
        return Answer(
            go=self._text(answer, "go", where, required=True),
            phrases=self._phrases(answer.get("hear"), f"{where}.hear"),
            key=key,
            collect=collect,
            values=self._values(answer.get("set"), f"{where}.set"),
        )

    def _phrases(self, given: Any, where: str) -> tuple[Phrase, ...]:
        if given is None:
            return ()
        if not isinstance(given, list) or not 0 < len(given) <= _MAX_PHRASES:
            self._wrong(where, f"must be a list of 1 to {_MAX_PHRASES} phrases")
            return ()
        phrases = []
        for index, text in enumerate(given):
            try:
                phrases.append(parse(text if isinstance(text, str) else ""))
            except PhraseError as error:
                self._wrong(f"{where}.{index}", str(error))
        return tuple(phrases)

    def _dtmf(self, answer: Mapping[str, Any], where: str) -> tuple[str | None, Collect | None]:
        given, length = answer.get("dtmf"), answer.get("length")
        collect = _COLLECT.fullmatch(given) if isinstance(given, str) else None
        if length is not None and (collect is None or not _is_count(length)):
            self._wrong(f"{where}.length", f"goes with <digits:name>, and is a whole number from 1 to {MAX_KEYS}")
            length = None
        if given is None or collect:
            return None, Collect(collect[1], length) if collect else None
        if not isinstance(given, str) or len(given) != 1 or given not in KEYS:
            self._wrong(f"{where}.dtmf", f"must be one key of {KEYS}, or <digits:name>")
            return None, None
        return given, None

    def _keys_are_clear(self, answers: Sequence[Answer], where: str) -> None:
        collects = [answer for answer in answers if answer.collect]
        if len(collects) > 1:
            self._wrong(where, "a step collects keys at most once")
        if collects and any(answer.key for answer in answers):
            self._wrong(where, "a step that collects keys cannot wait for single keys too")

    def _values(self, given: Any, where: str) -> Mapping[str, Any]:
        if given is None:
            return {}
        values = self._object(given, where)
        for name, value in values.items():
            if not _NAME.fullmatch(name):
                self._wrong(f"{where}.{name}", "a name is letters, digits and underscores, and begins with a letter")
            if not isinstance(value, str | int | float | bool):
                self._wrong(f"{where}.{name}", "must be a text, a number, true or false")
        return dict(values)

    def _say(self, given: Mapping[str, Any], where: str) -> str:
        say = self._text(given, "say", where)
        if len(say) > _MAX_SAY:
            self._wrong(f"{where}.say", f"must have at most {_MAX_SAY} characters")
        return say

    def _text(self, given: Mapping[str, Any], key: str, where: str, *, required: bool = False) -> str:
        value = given.get(key)
        if isinstance(value, str) and (value or not required):
            return value
        if value is not None or required:
            self._wrong(f"{where}.{key}".lstrip("."), "must be a text")
        return ""

    def _object(self, given: Any, where: str) -> Mapping[str, Any]:
        if isinstance(given, Mapping):
            return given
        self._wrong(where, "must be an object")
        return {}

    def _known(self, given: Mapping[str, Any], what: str, keys: Sequence[str], *, prefix: str) -> None:
        for key in given:
            if key not in keys:
                self._wrong(f"{prefix}.{key}".lstrip("."), f"is nothing that a {what} has ({', '.join(keys)})")

    def _wrong(self, where: str, message: str) -> None:
        self.problems.append(ScriptProblem(where, message))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_KEYS


def _goes(script: Script) -> Iterator[tuple[str, str]]:
    """(path, step) of everything that leads to a step."""
    for index, answer in enumerate(script.anywhere):
        yield f"anywhere.{index}.go", answer.go
    for name, step in script.steps.items():
        for index, answer in enumerate(step.listen):
            yield f"steps.{name}.listen.{index}.go", answer.go
        if step.otherwise.go:
            yield f"steps.{name}.else.go", step.otherwise.go
        if step.failed:
            yield f"steps.{name}.failed", step.failed


def _reachable(script: Script) -> set[str]:
    """The steps that some way leads to. What is understood anywhere leads on from every step that listens."""
    found: set[str] = set()
    ahead = [script.start]
    while ahead:
        step = script.steps.get(name := ahead.pop())
        if step is None or name in found:
            continue
        found.add(name)
        ahead += [step.failed] if step.failed else []
        if step.listen:
            ahead += [answer.go for answer in script.answers(step)]
            ahead += [step.otherwise.go] if step.otherwise.go else []
    return found
