"""Live events of a call: read from the API's stream, and told in one line each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Data = Mapping[str, Any]

WHO = {"user": "caller", "assistant": "agent", "agent": "agent"}


def server_sent(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(event, data) of a stream of server-sent events (WHATWG HTML, section 9.2.6); comments are passed over."""
    kind, data = "message", ""
    for line in lines:
        if not line:
            if data:
                yield kind, json.loads(data)
            kind, data = "message", ""
        elif line.startswith("event:"):
            kind = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data += line.removeprefix("data:").strip()


def told(kind: str, data: Data) -> str:
    """An event as a line of text; one that is not known here as its JSON."""
    tell = _TELLERS.get(kind)
    try:
        if tell is not None:
            return tell(data)
    except KeyError:
        pass  # A newer server's event has another form.
    return f"{kind:<8} {json.dumps(data, ensure_ascii=False)}"


def outcome(call: Data) -> str:
    """How a call ended: `completed, agent_ended, 27 s` or `failed, trunk_unavailable (503 Service Unavailable)`."""
    parts = [str(call["status"])]
    if call["endedReason"] is not None:
        parts.append(str(call["endedReason"]))
    if call["startedAt"] is not None and call["durationSeconds"] is not None:
        parts.append(f"{call['durationSeconds']} s")
    sip = call.get("sip")
    answer = f" ({sip['code']} {sip['reason'] or ''})".replace(" )", ")") if sip and sip["code"] >= 300 else ""
    return ", ".join(parts) + answer


def _status(data: Data) -> str:
    reason = f", {data['endedReason']}" if data.get("endedReason") else ""
    return f"status   {data['status']}{reason}"


def _sip(data: Data) -> str:
    return f"sip      {data['direction']} {data['summary']}"


def _speech(data: Data) -> str:
    return f"{WHO[data['who']]:<8} {'speaks' if data['on'] else 'is silent'}"


def _partial(data: Data) -> str:
    return f"hears    {data['text']} …"


def _utterance(data: Data) -> str:
    return f"{WHO[data['role']]:<8} “{data['text']}”{' ✂ interrupted' if data.get('interrupted') else ''}"


def _digit(data: Data) -> str:
    return f"caller   presses {data['digit']}"


def _barge_in(data: Data) -> str:
    return "agent    is interrupted"


def _turn(data: Data) -> str:
    return f"turn     answered after {data['latencyMs']} ms"


def _recording(data: Data) -> str:
    return f"record   {'goes on' if data['on'] else 'is off'}"


def _transfer(data: Data) -> str:
    reason = f", {data['failureReason']}" if data.get("failureReason") else ""
    return f"transfer to {data['label']}: {data['transferStatus']}{reason}"


def _problem(data: Data) -> str:
    return f"problem  {data['part']}: {data['message']}"


def _quality(data: Data) -> str:
    parts = [f"mos {data['mos']}", f"loss {data['lossPercent']} %", f"jitter {data['jitterMs']} ms", str(data["codec"])]
    return "quality  " + ", ".join([*parts, *data["findings"]])


_TELLERS: Mapping[str, Callable[[Data], str]] = {
    "status": _status,
    "sip": _sip,
    "speech": _speech,
    "partial": _partial,
    "utterance": _utterance,
    "digit": _digit,
    "barge_in": _barge_in,
    "turn": _turn,
    "recording": _recording,
    "transfer": _transfer,
    "problem": _problem,
    "quality": _quality,
}
