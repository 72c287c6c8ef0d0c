"""Webhooks: delivered at least once, signed, under an id that never changes, tried again over three days.

2xx within the time-out is success. 410 stops. Anything else, a redirect included, is tried again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h,
14 h, 20 h and 24 h, each with up to a tenth more, so that receivers that were down together are not rung together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.egress import Egress, EgressFailed, EgressRefused
from control_api.secrets import SecretBox
from control_api.store import agents, deliveries, jobs
from control_api.store.deliveries import DELIVERED, FAILED, PENDING, DeliveryRow
from control_api.store.engine import Store
from control_api.store.jobs import Claim
from control_api.webhook_signature import sign

MINUTE, HOUR = 60, 3600
DELAYS = (5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt: the status of the answer, or the sentence of what went wrong."""

    status: int | None
    error: str | None
    final: bool = False

    @property
    def delivered(self) -> bool:
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class WebhookSender:
    """Handles jobs of kind `webhook`: payload `{"deliveryId"}`."""

    def __init__(
        self, store: Store, egress: Egress, secrets: SecretBox, now: Callable[[], int], hmac_header: str | None = None
    ) -> None:
        self._store = store
        self._egress = egress
        self._secrets = secrets
        self._now = now
        self._hmac_header = hmac_header

    async def handle(self, job: Claim) -> None:
        """Try once, and write what came of it together with when to try again."""
        delivery_id = job.payload["deliveryId"]
        delivery = await self._store.read(lambda connection: deliveries.get(connection, delivery_id))
        if delivery is None or delivery.payload is None:
            await self._store.write(
                lambda connection: jobs.give_up(connection, job, error="There is nothing to deliver.")
            )
            return
        attempt = await self._attempt(delivery, delivery.payload.encode())
        log.info("webhook", delivery=delivery.id, call_id=delivery.call_id, status=attempt.status, error=attempt.error)
        await self._store.write(lambda connection: self._settle(connection, job, delivery, attempt))

    async def _attempt(self, delivery: DeliveryRow, body: bytes) -> Attempt:
        agent = await self._store.read(lambda connection: agents.get_any(connection, delivery.agent_id))
        secret = self._secrets.open(agent.webhook_secret) if agent and agent.webhook_secret else None
        headers = sign(secret, delivery.id, int(time.time()), body, self._hmac_header)
        try:
            answer = await self._egress.post(delivery.url, body, {**headers, "content-type": "application/json"})
        except EgressRefused as error:
            return Attempt(None, str(error), final=True)
        except EgressFailed as error:
            return Attempt(None, str(error))
        return Attempt(answer.status, None, final=answer.status == HTTPStatus.GONE)

    async def _settle(self, connection: AsyncConnection, job: Claim, delivery: DeliveryRow, attempt: Attempt) -> None:
        delay = _delay(job.attempt)
        if attempt.delivered:
            state, ours = DELIVERED, await jobs.finish(connection, job)
        elif attempt.final or delay is None:
            state, ours = FAILED, await jobs.give_up(connection, job, error=attempt.error or f"status {attempt.status}")
        else:
            error = attempt.error or f"status {attempt.status}"
            state, ours = PENDING, await jobs.retry(connection, job, run_at=self._now() + delay, error=error)
        if ours:
            await deliveries.record_attempt(connection, delivery.id, state, attempt.status, attempt.error, self._now())


def _delay(attempt: int) -> int | None:
    """Microseconds until the next attempt after the `attempt`-th failed; None after the last."""
    if attempt > len(DELAYS):
        return None
    return int(DELAYS[attempt - 1] * random.uniform(1.0, 1.1) * 1_000_000)
