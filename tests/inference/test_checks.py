"""What is said about scripts and agents before they are used."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from inference.checks import AgentChecks
from inference.engines import Engines
from inference.stt.base import SttCaps
from inference.tts.base import Voice
from sipserver.protocols import Agent

SCRIPT = {
    "start": "ask",
    "steps": {
        "ask": {"say": "Is Zbrklz there?", "listen": [{"hear": ["yes", "zbrklz [is] here"], "go": "bye"}]},
        "bye": {"end": True},
    },
}


@dataclass
class Ears:
    """A recogniser that only answers questions about itself."""

    open_vocabulary: bool = False
    wrong: str | None = None
    unknown: frozenset[str] = frozenset()
    caps: SttCaps = field(init=False)

    def __post_init__(self) -> None:
        self.caps = SttCaps("fake", ("en",), self.open_vocabulary, True, 1)

    async def health(self) -> str | None:
        return self.wrong

    async def pronounce(self, words: frozenset[str]) -> frozenset[str]:
        return words & self.unknown


@dataclass
class Engine:
    """A voice or a language model that only answers questions about itself."""

    wrong: str | None = None

    def voices(self) -> tuple[Voice, ...]:
        return (Voice("v1", "fake", "one", "en"),)

    async def health(self) -> str | None:
        return self.wrong


def engines(stt: Any = None, tts: Any = None, llm: Any = None) -> Engines:
    return Engines(stt=stt, tts=tts, llm=llm, default_model="m", models={"id": "named"})


def agent(**changes: Any) -> Agent:
    return Agent(id="a", organization_id="o", name="n", **changes)


def test_a_word_that_cannot_be_pronounced_is_named_with_its_phrase() -> None:
    checks = AgentChecks(engines(Ears(unknown=frozenset({"zbrklz"}))))
    problems = asyncio.run(checks.script(SCRIPT))
    assert [(problem.where, problem.message) for problem in problems] == [
        ("steps.ask.listen.0.hear.1", "the recogniser cannot pronounce zbrklz")
    ]


def test_a_good_script_has_no_problems_and_a_bad_one_all_of_them() -> None:
    checks = AgentChecks(engines(Ears()))
    assert asyncio.run(checks.script(SCRIPT)) == []
    assert asyncio.run(checks.script({**SCRIPT, "start": "x"}))[0].where == "start"


@pytest.mark.parametrize(
    ("with_engines", "of", "says"),
    [
        (engines(Ears(), Engine()), agent(script=SCRIPT), []),
        (engines(Ears(open_vocabulary=True), Engine(), Engine()), agent(), []),
        (engines(Ears(), Engine()), agent(), ["no language model"]),
        (engines(Ears(), Engine(), Engine()), agent(), ["understands only the sentences"]),
        (engines(Ears(), Engine(), Engine()), agent(model_id="id", script=SCRIPT), []),
        (
            engines(Ears(wrong="down"), Engine("mute")),
            agent(script=SCRIPT),
            ["recogniser cannot be used: down", "mute"],
        ),
        (engines(Ears(open_vocabulary=True), Engine(), Engine("401")), agent(), ["model cannot be used: 401"]),
        (engines(), agent(script=SCRIPT), ["No speech recogniser", "No voice"]),
        (engines(Ears(), Engine()), agent(script=SCRIPT, voice_id="v9"), ["no voice v9"]),
        (engines(Ears(), Engine()), agent(script={"start": "x", "steps": {}}), ["cannot be used: steps"]),
    ],
)
def test_readiness_says_what_keeps_an_agent_from_serving(with_engines: Engines, of: Agent, says: list[str]) -> None:
    problems = asyncio.run(AgentChecks(with_engines).readiness(of))
    assert len(problems) == len(says)
    assert all(part in problem for part, problem in zip(says, problems, strict=True))


def test_a_language_model_leads_where_there_is_one_that_can_hear() -> None:
    both = engines(Ears(open_vocabulary=True), Engine(), Engine())
    assert both.mind(agent(script=SCRIPT)) == "model"
    assert both.mind(agent()) == "model"
    assert engines(Ears(open_vocabulary=False), Engine(), Engine()).mind(agent(script=SCRIPT)) == "script"
    assert (both.model(agent(model_id="id")), both.model(agent())) == ("named", "m")
