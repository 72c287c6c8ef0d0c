"""What happens in a call, as server-sent events (WHATWG HTML, section 9.2), until the call is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

from starlette.responses import Response, StreamingResponse

from control_api.context import Context
from control_api.errors import not_found
from control_api.live import Watcher
from control_api.services import Services
from control_api.store import calls, transcripts
from control_api.store.calls import FINAL, CallRow
from sipserver.protocols import Utterance

T = TypeVar("T")

HEARTBEAT = 15.0
"""Seconds after which a comment is sent, so that proxies keep a quiet stream open."""


async def get_call_events(context: Context, call_id: str) -> Response:
    """First what is known so far (status, transcript), then what happens."""
    services = context.services
    call = await services.store.read(lambda connection: calls.get(connection, context.organization_id, call_id))
    if call is None:
        raise not_found("call")
    return StreamingResponse(
        _stream(services, call_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(services: Services, call_id: str) -> AsyncIterator[str]:
    with services.live.watch(call_id) as watcher:
        call = await services.store.read(lambda connection: calls.get_any(connection, call_id))
        said = await services.store.read(lambda connection: transcripts.of_call(connection, call_id))
        if call is None:
            return
        told = [_said(item) for item in said]
        for item in told:
            yield _event("utterance", item)
        yield _event("status", _status(call))
        if call.status not in FINAL:
            async for text in _happening(watcher, told):
                yield text


async def _happening(watcher: Watcher, told: Sequence[Mapping[str, Any]]) -> AsyncIterator[str]:
    """`told` is what was read from the transcript after the watching began: it may come again as an event."""
    async for event in beating(watcher.events()):
        if event is None:
            yield ": still here\n\n"
        elif event.kind != "utterance" or event.data not in told:
            yield _event(event.kind, event.data)


async def beating(items: AsyncIterator[T]) -> AsyncIterator[T | None]:
    """The items as they come, and None for each `HEARTBEAT` without one."""
    upcoming = asyncio.ensure_future(anext(items, _END))
    try:
        while True:
            await asyncio.wait([upcoming], timeout=HEARTBEAT)
            if not upcoming.done():
                yield None
                continue
            item = upcoming.result()
            if isinstance(item, _End):
                return
            yield item
            upcoming = asyncio.ensure_future(anext(items, _END))
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)


class _End:
    """Nothing more comes."""


_END = _End()


def _event(kind: str, data: Mapping[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _status(call: CallRow) -> dict[str, Any]:
    return {"status": call.status, "endedReason": call.ended_reason}


def _said(item: Utterance) -> dict[str, Any]:
    return {
        "role": item.role,
        "text": item.text,
        "startMs": item.start_ms,
        "endMs": item.end_ms,
        "interrupted": item.interrupted,
    }
