"""Whether an agent can serve: the one who judges scripts and engines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sipserver.protocols.agents import Agent


@dataclass(frozen=True, slots=True)
class ScriptProblem:
    """What is wrong with a script, and where: a path such as `steps.confirm.listen.0.hear.1`."""

    where: str
    message: str


class AgentChecks(Protocol):
    """Whether an agent can serve a call with the engines of this installation."""

    async def script(self, script: Mapping[str, Any], labels: Collection[str] = ()) -> Sequence[ScriptProblem]:
        """Every problem of a script: shape, unknown or unreachable steps, unparsable phrases, words that cannot be pronounced.

        `labels` are those of the agent's transfer targets; a step that transfers to anybody else is a problem.
        """

    async def readiness(self, agent: Agent) -> Sequence[str]:
        """Why the agent cannot serve now, a sentence each; empty when it is ready."""
