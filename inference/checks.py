"""Whether an agent can serve a call with the engines of this installation (`sipserver.protocols.AgentChecks`)."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from inference.engines import Engines
from inference.hear import parse
from inference.hear.jsgf import words_heard
from inference.script import ScriptError, phrase_places, read_script
from sipserver.protocols import Agent, ScriptProblem

SCRIPTS_KNOWN = 256


class AgentChecks:
    """Judges scripts and agents. `engines` are those that calls are answered with."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._judged: OrderedDict[str, Sequence[ScriptProblem]] = OrderedDict()

    async def script(self, script: Mapping[str, Any], labels: Collection[str] = ()) -> Sequence[ScriptProblem]:
        """Every problem of a script; none when it can be used. Judged once: it is asked again at every call."""
        text = json.dumps([script, sorted(labels)])
        if text not in self._judged:
            self._judged[text] = await self._judge(script, labels)
            while len(self._judged) > SCRIPTS_KNOWN:
                self._judged.popitem(last=False)
        self._judged.move_to_end(text)
        return self._judged[text]

    async def _judge(self, script: Mapping[str, Any], labels: Collection[str]) -> Sequence[ScriptProblem]:
        try:
            read_script(script, labels)
        except ScriptError as error:
            return error.problems
        return await self._unpronounceable(script)

    async def readiness(self, agent: Agent) -> Sequence[str]:
        """Why the agent cannot serve now, a sentence each."""
        return [
            *self._mind(agent),
            *await self._script(agent),
            *await self._model(agent),
            *await self._ears(),
            *await self._voice(agent),
        ]

    async def _unpronounceable(self, script: Mapping[str, Any]) -> list[ScriptProblem]:
        if self._engines.stt is None:
            return []
        words = {place: words_heard([parse(text)]) for place, text in phrase_places(script)}
        unknown = await self._engines.stt.pronounce(frozenset[str]().union(*words.values()))
        return [
            ScriptProblem(place, f"the recogniser cannot pronounce {', '.join(sorted(in_phrase & unknown))}")
            for place, in_phrase in words.items()
            if in_phrase & unknown
        ]

    def _mind(self, agent: Agent) -> list[str]:
        mind = self._engines.mind(agent)
        if mind is not None:
            return []
        if self._engines.llm is None:
            return ["The agent has no script, and no language model is configured."]
        return ["The agent has no script, and the recogniser understands only the sentences of one."]

    async def _script(self, agent: Agent) -> list[str]:
        if self._engines.mind(agent) != "script" or agent.script is None:
            return []
        problems = await self.script(agent.script, [target.label for target in agent.transfer_targets])
        return [f"The script cannot be used: {problem.where}: {problem.message}." for problem in problems]

    async def _model(self, agent: Agent) -> list[str]:
        if self._engines.mind(agent) != "model" or self._engines.llm is None:
            return []
        wrong = await self._engines.llm.health()
        return [f"The language model cannot be used: {wrong}"] if wrong else []

    async def _ears(self) -> list[str]:
        if self._engines.stt is None:
            return ["No speech recogniser is configured."]
        wrong = await self._engines.stt.health()
        return [f"The speech recogniser cannot be used: {wrong}"] if wrong else []

    async def _voice(self, agent: Agent) -> list[str]:
        if self._engines.tts is None:
            return ["No voice is configured."]
        if agent.voice_id is not None and agent.voice_id not in {voice.id for voice in self._engines.tts.voices()}:
            return [f"There is no voice {agent.voice_id} in this installation."]
        wrong = await self._engines.tts.health()
        return [f"The voice cannot be used: {wrong}"] if wrong else []
