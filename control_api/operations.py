"""Every HTTP operation, on one screen. Routing, checks and the OpenAPI document all come from this table."""

from __future__ import annotations

from control_api.handlers import (
    agents,
    background_sounds,
    bans,
    calls,
    events,
    health,
    keys,
    live_orders,
    phone_numbers,
    recordings,
    traces,
    transfers,
    trunks,
    voices,
)
from control_api.handlers.recordings import RecordingQuery
from control_api.models.agent import Agent, AgentCreate, AgentUpdate
from control_api.models.background_sound import BackgroundSound
from control_api.models.ban import Ban
from control_api.models.base import PageQuery
from control_api.models.call import Call, CallCreate, CallItem, CallQuery, Transcript
from control_api.models.health import Health
from control_api.models.key import Key, KeyCreate, NewKey
from control_api.models.live_orders import CallKeys, CallSpeech, CallTrace
from control_api.models.phone_number import NumberCreate, NumberUpdate, PhoneNumber
from control_api.models.trace import RefusedCalls, Trace, TraceQuery
from control_api.models.transfer import CallTransfer, Success, TransferTargets
from control_api.models.trunk import Trunk, TrunkCreate, TrunkUpdate
from control_api.models.trunk_check import TrunkTest, TrunkTrial
from control_api.models.voice import Voice
from control_api.operation import Operation as Op

# fmt: off
OPERATIONS: tuple[Op, ...] = (
    Op("POST", "/v1/agents", agents.create_agent, "Create an agent", "admin", AgentCreate, returns=Agent, status=201, errors=(409,)),
    Op("GET", "/v1/agents", agents.list_agents, "List agents", query=PageQuery, returns=Agent, many=True),
    Op("GET", "/v1/agents/{agent_id}", agents.get_agent, "Read an agent", returns=Agent),
    Op("PATCH", "/v1/agents/{agent_id}", agents.update_agent, "Change an agent", "admin", AgentUpdate, returns=Agent),
    Op("DELETE", "/v1/agents/{agent_id}", agents.delete_agent, "Delete an agent", "admin", status=204, errors=(409,)),
    Op("PUT", "/v1/agents/{agent_id}/transfer-targets", transfers.replace_transfer_targets, "Say to whom an agent may transfer", "admin",
       TransferTargets, returns=Success, bare=True),

    Op("POST", "/v1/phone-numbers", phone_numbers.create_phone_number, "Add a phone number", "admin", NumberCreate,
       returns=PhoneNumber, status=201, errors=(404, 409)),
    Op("GET", "/v1/phone-numbers", phone_numbers.list_phone_numbers, "List phone numbers", query=PageQuery, returns=PhoneNumber, many=True),
    Op("GET", "/v1/phone-numbers/{phone_number_id}", phone_numbers.get_phone_number, "Read a phone number", returns=PhoneNumber),
    Op("PATCH", "/v1/phone-numbers/{phone_number_id}", phone_numbers.update_phone_number, "Change a phone number", "admin", NumberUpdate,
       returns=PhoneNumber, errors=(409,)),
    Op("DELETE", "/v1/phone-numbers/{phone_number_id}", phone_numbers.delete_phone_number, "Delete a phone number", "admin",
       status=204, errors=(409,)),

    Op("POST", "/v1/trunks", trunks.create_trunk, "Create a trunk", "admin", TrunkCreate, returns=Trunk, status=201, errors=(404, 409)),
    Op("GET", "/v1/trunks", trunks.list_trunks, "List trunks", query=PageQuery, returns=Trunk, many=True),
    Op("GET", "/v1/trunks/{trunk_id}", trunks.get_trunk, "Read a trunk", returns=Trunk),
    Op("PATCH", "/v1/trunks/{trunk_id}", trunks.update_trunk, "Change a trunk", "admin", TrunkUpdate, returns=Trunk, errors=(409,)),
    Op("POST", "/v1/trunks/{trunk_id}/test", trunks.test_trunk, "Try a trunk out", "admin", TrunkTrial, body_optional=True,
       returns=TrunkTest, errors=(409, 503)),
    Op("DELETE", "/v1/trunks/{trunk_id}", trunks.delete_trunk, "Delete a trunk", "admin", status=204, errors=(409,)),

    Op("POST", "/v1/calls", calls.create_call, "Place a call", "calls", CallCreate, returns=Call, status=201, errors=(404, 409, 503)),
    Op("GET", "/v1/calls", calls.list_calls, "List calls", query=CallQuery, returns=CallItem, many=True),
    Op("GET", "/v1/calls/{call_id}", calls.get_call, "Read a call", returns=Call),
    Op("GET", "/v1/calls/{call_id}/transcript", calls.get_transcript, "Read what was said", returns=Transcript, signed=True),
    Op("GET", "/v1/calls/{call_id}/recording", recordings.get_call_recording, "Fetch the recording", query=RecordingQuery,
       signed=True, media="audio/*", errors=(404, 409, 410, 416, 503)),
    Op("POST", "/v1/calls/{call_id}/recording/pause", recordings.pause_call_recording, "Put a call off the record", "calls",
       returns=Call, errors=(409,)),
    Op("POST", "/v1/calls/{call_id}/recording/resume", recordings.resume_call_recording, "Put a call on the record again", "calls",
       returns=Call, errors=(409,)),
    Op("GET", "/v1/calls/{call_id}/events", events.get_call_events, "Watch a call", media="text/event-stream"),
    Op("GET", "/v1/calls/{call_id}/trace", traces.get_call_trace, "Read a call's SIP messages", query=TraceQuery, returns=Trace,
       forms=traces.FORMS),
    Op("POST", "/v1/calls/{call_id}/trace", live_orders.trace, "Keep a call's RTP headers for its trace", "calls", CallTrace,
       returns=Call, errors=(409,)),
    Op("GET", "/v1/trace/refused", traces.get_refused, "Read the SIP messages of calls that were refused", "admin", query=TraceQuery,
       returns=RefusedCalls, forms=traces.FORMS),
    Op("GET", "/v1/trace", traces.follow_trace, "Watch all SIP messages", "admin", media="text/event-stream"),
    Op("POST", "/v1/calls/{call_id}/end", calls.end_call, "End a call", "calls", returns=Call, errors=(409,)),
    Op("POST", "/v1/calls/{call_id}/dtmf", live_orders.press_keys, "Press keys on a call", "calls", CallKeys, returns=Call, errors=(409,)),
    Op("POST", "/v1/calls/{call_id}/say", live_orders.say, "Have the agent say something", "calls", CallSpeech,
       returns=Call, errors=(409,)),
    Op("POST", "/v1/calls/{call_id}/transfer", transfers.transfer_call, "Hand a call over", "calls", CallTransfer,
       returns=Call, errors=(409,)),

    Op("GET", "/v1/keys", keys.list_keys, "List API keys", "admin", query=PageQuery, returns=Key, many=True),
    Op("POST", "/v1/keys", keys.create_key, "Create an API key", "admin", KeyCreate, returns=NewKey, status=201, errors=(409,)),
    Op("DELETE", "/v1/keys/{key_id}", keys.revoke_key, "Revoke an API key", "admin", status=204),

    Op("GET", "/v1/bans", bans.list_bans, "List banned sources", "admin", query=PageQuery, returns=Ban, many=True),
    Op("DELETE", "/v1/bans/{address}", bans.lift_ban, "Listen to a banned source again", "admin", status=204),

    Op("GET", "/v1/voices", voices.list_voices, "List voices", query=PageQuery, returns=Voice, many=True),
    Op("GET", "/v1/background-sounds", background_sounds.list_background_sounds, "List background sounds", query=PageQuery,
       returns=BackgroundSound, many=True),

    Op("GET", "/livez", health.get_livez, "Is the process alive?", None, returns=Health, bare=True),
    Op("GET", "/metrics", health.get_metrics, "Figures for Prometheus", None, media="text/plain"),
    Op("GET", "/readyz", health.get_readyz, "Can calls be taken?", None, returns=Health, bare=True, errors=(503,)),
)
