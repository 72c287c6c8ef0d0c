"""The node's worker, joined: which job is whose, and how many of a kind run at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from control_api.analysis_job import AnalysisJob
from control_api.dial_job import DialJob
from control_api.egress import Egress
from control_api.jobs import JobRunner, Kind, up_to
from control_api.recording_job import RecordingJob
from control_api.services import Services
from control_api.store import outbox
from control_api.webhooks import WebhookSender
from sipserver.protocols import Analyst


def job_runner(
    services: Services,
    node: str,
    recordings: Path,
    analyst: Analyst,
    egress: Egress,
    wake: asyncio.Event,
    hmac_header: str | None = None,
) -> JobRunner:
    """The runner of all kinds of jobs, not yet running. `wake` is set when there is something new to do."""
    store, now = services.store, services.now
    dial = DialJob(store, services.call_log, services.dialler, services.directory, node, now)
    recording = RecordingJob(store, recordings, services.encoder, now, services.link_until)
    analysis = AnalysisJob(store, analyst, services.links, now, services.link_until)
    webhook = WebhookSender(store, egress, services.box, now, hmac_header)
    kinds = {
        outbox.DIAL: Kind(dial.dial, dial.places),
        outbox.EXPIRE: Kind(dial.expire, up_to(4)),
        outbox.RECORDING: Kind(recording.handle, up_to(2)),
        outbox.ANALYSE: Kind(analysis.handle, up_to(4)),
        outbox.WEBHOOK: Kind(webhook.handle, up_to(20)),
    }
    return JobRunner(store, node, kinds, now, wake)
