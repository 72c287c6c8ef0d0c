"""Who leads a call: the agent's script, or a language model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from inference.dialogue import Dialogue
from inference.engines import Engines
from inference.llm.model_dialogue import ModelDialogue
from inference.llm.script_engine import ScriptDialogue
from inference.prompt import Texts, zone_of
from inference.script import read_script
from sipserver.protocols import LiveCall


def dialogue_of(call: LiveCall, engines: Engines, texts: Texts, clock: Callable[[], datetime]) -> Dialogue | None:
    """Who leads the call. None when nobody can (the agent is not ready). Raises ScriptError for a script with mistakes."""
    agent = call.agent
    zone = zone_of(agent.timezone)
    mind = None if call.not_ready else engines.mind(agent)
    if mind == "script" and agent.script is not None:
        script = read_script(agent.script, [target.label for target in agent.transfer_targets])
        return ScriptDialogue(
            script, texts.variables, lambda: clock().astimezone(zone), texts.note_missing, agent.language
        )
    if mind == "model" and engines.llm is not None:
        return ModelDialogue(
            engines.llm, engines.model(agent), agent, texts.variables, texts.note_missing, call.media.send_digits
        )
    return None
