"""After a call: what it came to is read from it, and the webhook's text is fixed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.call_view import call_resource, transcript_url
from control_api.profiles import agent_of
from control_api.signing import LinkSigner
from control_api.store import agents, calls, jobs, outbox, transcripts
from control_api.store.agents import AgentRow
from control_api.store.calls import CallRow
from control_api.store.engine import Store
from control_api.store.jobs import Claim
from sipserver.protocols import Analysis, Analyst, FinishedCall, Problem, Utterance

SECOND = 1_000_000
DELAYS = (10, 60, 300)
"""Seconds after which an engine that could not be reached is asked again; after the last it is done without."""

log = structlog.get_logger(__name__)


class AnalysisJob:
    """Handles jobs of kind `analyse`: payload `{"callId"}`. `link_until` says until when a call's links open."""

    def __init__(
        self,
        store: Store,
        analyst: Analyst,
        links: LinkSigner,
        now: Callable[[], int],
        link_until: Callable[[int, int | None], int],
    ) -> None:
        self._store = store
        self._analyst = analyst
        self._links = links
        self._now = now
        self._link_until = link_until

    async def handle(self, job: Claim) -> None:
        """Read the call, and write what was read together with the webhook that tells of it."""
        call_id = job.payload["callId"]
        call, agent, said, problems = await self._store.read(lambda connection: _finished(connection, call_id))
        if call is None:
            await self._store.write(lambda connection: jobs.give_up(connection, job, error="There is no such call."))
            return
        try:
            analysis = await self._analyse(call, agent, said)
        except OSError as error:
            if job.attempt <= len(DELAYS):
                await self._later(job, str(error))
                return
            log.warning("call not analysed", call_id=call_id, error=str(error))
            analysis = Analysis(None, dict(call.captured))
        call = replace(call, analysis=asdict(analysis))
        payload = json.dumps(self._payload(call, agent, said, problems), ensure_ascii=False)
        await self._store.write(lambda connection: self._settle(connection, job, call, payload))

    async def _analyse(self, call: CallRow, agent: AgentRow | None, said: Sequence[Utterance]) -> Analysis:
        if agent is None or call.started_at is None:
            return Analysis(None, {})
        return await self._analyst.analyse(
            FinishedCall(call.id, agent_of(agent), said, call.captured, call.context_variables)
        )

    async def _later(self, job: Claim, error: str) -> None:
        at = self._now() + DELAYS[job.attempt - 1] * SECOND
        await self._store.write(lambda connection: jobs.retry(connection, job, run_at=at, error=error))

    async def _settle(self, connection: AsyncConnection, job: Claim, call: CallRow, payload: str) -> None:
        if not await jobs.finish(connection, job):
            return
        await calls.set_analysis(connection, call.id, call.analysis or {})
        await outbox.after_analysis(connection, call.id, payload, self._now())

    def _payload(
        self, call: CallRow, agent: AgentRow | None, said: Sequence[Utterance], problems: Sequence[Problem]
    ) -> dict[str, Any]:
        retention = agent_of(agent).recording.retention_days if agent else None
        until = self._link_until(call.ended_at or self._now(), retention)
        resource = call_resource(call, said, problems, (), self._links).model_dump(mode="json", by_alias=True)
        return payload_of(resource, transcript_url(call, self._links, until))


def payload_of(call: Mapping[str, Any], transcript_link: str) -> dict[str, Any]:
    """The webhook's body, from the call as the API answers it (CONTRACT, "Webhook")."""
    analysis = call["analysis"] or {"summary": None, "extractions": {}}
    return {
        "event": "call.completed",
        "callId": call["id"],
        "duration": call["durationSeconds"],
        "transcriptUrl": transcript_link,
        "summary": analysis["summary"],
        "extractedData": analysis["extractions"],
        "analysis": analysis,
        **{name: call[name] for name in _AS_IN_THE_CALL},
    }


_AS_IN_THE_CALL = (
    "organizationId",
    "agentId",
    "phoneNumberId",
    "direction",
    "status",
    "customerNumber",
    "durationSeconds",
    "startedAt",
    "endedAt",
    "recordingUrl",
    "transcript",
    "turnCount",
    "cost",
    "contextVariables",
    "metadata",
    "endedReason",
    "optOut",
)


async def _finished(
    connection: AsyncConnection, call_id: str
) -> tuple[CallRow | None, AgentRow | None, Sequence[Utterance], Sequence[Problem]]:
    call = await calls.get_any(connection, call_id)
    agent = await agents.get_any(connection, call.agent_id) if call and call.agent_id else None
    said = await transcripts.of_call(connection, call_id)
    return call, agent, said, await transcripts.problems_of(connection, call_id)
