"""Orders for a call that is under way: keys to press, something to say."""

from __future__ import annotations

from control_api.context import Context
from control_api.errors import conflict
from control_api.handlers.calls import find_call, get_call
from control_api.models.call import Call
from control_api.models.live_orders import CallKeys, CallSpeech, CallTrace
from sipserver.protocols import KeysSent, SpeechOrder

_UNSENT = {
    KeysSent.NOT_LIVE: "Keys can be pressed only on a call that is answered and not over.",
    KeysSent.NOT_TAKEN: "The other side takes no keys: it has the call on hold, or those before have yet to go. Or the call is over.",
}


async def press_keys(context: Context, body: CallKeys, call_id: str) -> Call:
    """Answered when the last key has been sent."""
    row = await context.services.store.read(lambda connection: find_call(connection, context, call_id))
    sent = await context.services.dialler.press(row.id, body.digits.replace(",", "w"))
    if sent in _UNSENT:
        raise conflict(_UNSENT[sent])
    return await get_call(context, row.id)


async def trace(context: Context, body: CallTrace, call_id: str) -> Call:
    """From now on; `GET …/trace?format=pcap` has them."""
    row = await context.services.store.read(lambda connection: find_call(connection, context, call_id))
    if not context.services.dialler.look_at_rtp(row.id, on=body.rtp):
        raise conflict("Only a call that is under way has packets to be looked at.")
    return await get_call(context, row.id)


async def say(context: Context, body: CallSpeech, call_id: str) -> Call:
    """Answered at once; what was heard of it is in the transcript."""
    row = await context.services.store.read(lambda connection: find_call(connection, context, call_id))
    order = SpeechOrder(body.text, interrupt=body.interrupt, ends=body.end_call)
    if not await context.services.dialler.speak(row.id, order):
        raise conflict(
            "Only an agent that speaks with the caller, and has not too much to say already, can be told what to say."
        )
    return await get_call(context, row.id)
