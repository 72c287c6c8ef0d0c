"""Whether the node lives, and whether it takes calls."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from control_api.context import Context
from control_api.metrics import Metrics
from control_api.models.health import Health
from control_api.services import Services


async def get_livez(context: Context) -> JSONResponse:
    """The process answers; nothing else is asked, for a restart would mend nothing else."""
    return JSONResponse(Health(status="ok", reasons=[]).model_dump())


async def get_readyz(context: Context) -> JSONResponse:
    reasons = reasons_against(context.services)
    health = Health(status="unavailable" if reasons else "ok", reasons=reasons)
    return JSONResponse(health.model_dump(), 503 if reasons else 200)


async def get_metrics(context: Context) -> Response:
    """The exposition format of Prometheus."""
    metrics = context.services.metrics
    return Response(metrics.text() if metrics else b"", media_type=Metrics.content_type)


def reasons_against(services: Services) -> list[str]:
    """Why no call can be taken now; empty when calls can be."""
    reasons = list(services.unready())
    kept = services.call_log.accepting()
    if kept is not None:
        reasons.append(kept)
    if services.draining():
        reasons.append("The node is going down.")
    elif services.dialler.capacity() <= 0:
        reasons.append("Every channel is taken.")
    return reasons
