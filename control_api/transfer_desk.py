"""Who may be called to take a caller over: `sipserver.protocols.TransferDesk`, by the dialling policy and the agents' directory."""

from __future__ import annotations

from control_api.dialling import DiallingPolicy, is_extension
from control_api.directory import Directory
from control_api.errors import ApiError
from sipserver.protocols import AgentChecks, Colleague


class Desk:
    """Asked again when a transfer begins: the policy and the agents may have changed since the target was written."""

    def __init__(self, policy: DiallingPolicy, directory: Directory, checks: AgentChecks) -> None:
        self._policy = policy
        self._directory = directory
        self._checks = checks

    def refusal(self, to: str, from_number: str, region: str | None = None, *, extension: bool = False) -> str | None:
        """Why this number must not be dialled from that one, a sentence; None when it may."""
        if extension and is_extension(to, from_number, region):
            return None
        try:
            self._policy.check(to, from_number, self._directory.own_numbers(), region)
        except ApiError as error:
            return "; ".join([error.error, *(f"{detail.field} {detail.message}" for detail in error.details)])
        return None

    async def colleague(self, agent_id: str, organization_id: str) -> Colleague | None:
        """Another agent of the organization that takes calls; None when there is none of this id."""
        agent = self._directory.agent(agent_id)
        if agent is None or agent.organization_id != organization_id or not agent.is_active:
            return None
        return Colleague(agent, tuple(await self._checks.readiness(agent)))
