"""The SIP messages of a call, and of the whole server as they pass."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from control_api.context import Context
from control_api.handlers.calls import find_call
from control_api.handlers.events import beating
from control_api.models.trace import RefusedCalls, Trace, TraceQuery
from control_api.tracing import CallTraces

PCAP = "application/vnd.tcpdump.pcap"
FORMS = ("text/plain", PCAP)


async def get_call_trace(context: Context, query: TraceQuery, call_id: str) -> Trace | Response:
    services = context.services
    call = await services.store.read(lambda connection: find_call(connection, context, call_id))
    traces = services.traces
    if query.format == "text":
        return PlainTextResponse(await traces.text(call.id) if traces else "")
    if query.format == "pcap":
        content = await traces.pcap(call.id) if traces else b""
        named = {"Content-Disposition": f'attachment; filename="{call.id}.pcap"'}
        return Response(content, media_type=PCAP, headers=named)
    messages, dropped = await traces.messages(call.id) if traces else ([], 0)
    return Trace.model_validate({"call_id": call.id, "messages": messages, "dropped": dropped, "quality": call.quality})


async def get_refused(context: Context, query: TraceQuery) -> RefusedCalls | Response:
    """Whoever rang in vain, and trial calls: nobody has a row for them."""
    traces = context.services.traces
    if query.format == "text":
        return PlainTextResponse(await traces.refused_text() if traces else "")
    if query.format == "pcap":
        named = {"Content-Disposition": 'attachment; filename="refused.pcap"'}
        return Response(await traces.refused_pcap() if traces else b"", media_type=PCAP, headers=named)
    return RefusedCalls.model_validate({"calls": await traces.refused() if traces else []})


async def follow_trace(context: Context) -> Response:
    """Server-sent events, one for each message, until the client has enough."""
    return StreamingResponse(
        _stream(context.services.traces),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(traces: CallTraces | None) -> AsyncIterator[str]:
    if traces is None:
        return
    yield ": following\n\n"
    async for message in beating(traces.follow()):
        yield ": still here\n\n" if message is None else f"event: sip\ndata: {json.dumps(message)}\n\n"
