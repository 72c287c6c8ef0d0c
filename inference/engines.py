"""The engines of this installation, and which of them leads an agent's calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from inference.llm.base import LlmEngine
from inference.stt.base import SttEngine
from inference.tts.base import TtsEngine
from sipserver.protocols import Agent

Mind = Literal["model", "script"]


@dataclass(frozen=True, slots=True)
class Engines:
    """What calls are heard, answered and spoken with; None where there is none.

    `models` maps the ids of language models (`slmModelId`) to the names that the engine knows them by; agents without an
    id get `default_model`.
    """

    stt: SttEngine | None = None
    tts: TtsEngine | None = None
    llm: LlmEngine | None = None
    default_model: str = "default"
    models: Mapping[str, str] = field(default_factory=dict)

    def mind(self, agent: Agent) -> Mind | None:
        """Who leads the agent's calls: a language model wherever there is one (CONTRACT, "script").

        It needs a recogniser with an open vocabulary; without one the script leads, if there is any.
        """
        open_ears = self.stt is not None and self.stt.caps.open_vocabulary
        if self.llm is not None and open_ears:
            return "model"
        return "script" if agent.script is not None else None

    def model(self, agent: Agent) -> str:
        """The name of the agent's language model."""
        return self.models.get(agent.model_id or "", self.default_model)
