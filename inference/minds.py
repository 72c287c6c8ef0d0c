"""Who leads a call: the agent's script, or a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from inference.dialogue import Dialogue
from inference.engines import Engines
from inference.llm.model_dialogue import ModelDialogue
from inference.llm.script_engine import ScriptDialogue
from inference.script import read_script
from sipserver.protocols import LiveCall


def dialogue_of(
    call: LiveCall,
    engines: Engines,
    variables: Mapping[str, Any],
    clock: Callable[[], datetime],
    missing: Callable[[str], None],
) -> Dialogue | None:
    """Who leads the call. None when nobody can (the agent is not ready). `clock` tells the agent's local time."""
    mind = engines.mind(call.agent)
    if mind == "script" and call.agent.script is not None:
        return ScriptDialogue(read_script(call.agent.script), variables, clock, missing, call.agent.language)
    if mind == "model" and engines.llm is not None:
        return ModelDialogue(engines.llm, engines.model(call.agent), call.agent, variables, missing)
    return None
