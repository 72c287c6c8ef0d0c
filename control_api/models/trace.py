"""The SIP messages of a call."""

from __future__ import annotations

from typing import Literal

from control_api.models.base import Query, Resource
from control_api.models.call import Quality


class TraceQuery(Query):
    """`text` is a readable ladder, `pcap` a capture file for Wireshark."""

    format: Literal["json", "text", "pcap"] = "json"


class TraceMessage(Resource):
    """One message. `<` came in, `>` went out; credentials in `message` are stars."""

    at: str
    direction: Literal["<", ">"]
    transport: Literal["udp", "tcp", "tls"]
    local: str
    peer: str
    summary: str
    cseq: str
    message: str


class Trace(Resource):
    """The ladder of a call, and how its media were. `dropped` older messages were not kept."""

    call_id: str
    messages: list[TraceMessage]
    dropped: int
    quality: Quality | None


class RefusedCall(Resource):
    """What was said about an INVITE that became no call."""

    sip_call_id: str
    messages: list[TraceMessage]
    dropped: int


class RefusedCalls(Resource):
    """The newest first."""

    calls: list[RefusedCall]
