"""What a finished call came to: a summary, and the values of `postCallExtractionSchema` (`sipserver.protocols.Analyst`).

An agent led by a script has captured its values during the call: they are brought to the schema's types, and the summary is
a plain extract. An agent led by a language model is read by it, once, with a JSON schema; what was captured counts first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from inference.engines import Engines
from inference.llm.base import LlmEngine, LlmRequest, LlmUnavailable, Message
from inference.prompt import as_text
from sipserver.protocols import Analysis, ExtractionField, FinishedCall, Utterance

_TASK = (
    "You read the transcript of a telephone call between an assistant and a caller. Report only what was said; use null for what "
    "is not known. Dates are written YYYY-MM-DD."
)
_YES = frozenset({"true", "yes", "1", "y"})
_NO = frozenset({"false", "no", "0", "n"})
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LONGEST_QUOTE = 160


class CallAnalyst:
    """Reads finished calls."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def analyse(self, call: FinishedCall) -> Analysis:
        """The call's analysis. Raises OSError when the language model cannot be reached."""
        wanted = call.agent.summary_enabled or bool(call.agent.extraction)
        if self._engines.mind(call.agent) != "model" or self._engines.llm is None or not wanted or not call.transcript:
            return embedded_analysis(call)
        try:
            return await self._read(self._engines.llm, call)
        except LlmUnavailable as error:
            raise ConnectionError(str(error)) from error

    async def _read(self, llm: LlmEngine, call: FinishedCall) -> Analysis:
        request = LlmRequest(
            model=self._engines.model(call.agent),
            messages=(Message("system", _TASK), Message("user", _conversation(call))),
            max_tokens=1000,
            temperature=0.0,
        )
        answer = await llm.extract(request, schema_of(call.agent.extraction, summary=call.agent.summary_enabled))
        found = answer.get("extractions")
        values = {**(found if isinstance(found, Mapping) else {}), **call.captured}
        summary = answer.get("summary") if call.agent.summary_enabled else None
        return Analysis(str(summary) if summary else None, extractions(call.agent.extraction, values))


def embedded_analysis(call: FinishedCall) -> Analysis:
    """The analysis without a language model."""
    found = extractions(call.agent.extraction, call.captured)
    return Analysis(plain_summary(call, found) if call.agent.summary_enabled else None, found)


def extractions(fields: Sequence[ExtractionField], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by name: those of the schema in its types (None where there is none that fits), then the others as they are."""
    known = {field.name: coerce(values.get(field.name), field) for field in fields}
    return {**known, **{name: value for name, value in values.items() if name not in known}}


def coerce(value: Any, field: ExtractionField) -> Any:
    """A value in the field's type; None when it has no such meaning."""
    if value is None:
        return None
    text = as_text(value).strip()
    match field.type:
        case "string":
            return text
        case "boolean":
            return True if text.lower() in _YES else False if text.lower() in _NO else None
        case "number":
            return _number(text)
        case "date":
            return _date(text)
        case "enum":
            return next((option for option in field.options if option.lower() == text.lower()), None)


def schema_of(fields: Sequence[ExtractionField], *, summary: bool) -> dict[str, Any]:
    """The JSON schema of what a model is asked for. What is not required may be null."""
    properties = {field.name: _property(field) for field in fields}
    parts: dict[str, Any] = {
        "extractions": {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    }
    if summary:
        parts["summary"] = {
            "type": "string",
            "description": "Two or three sentences: who called, what for, how it ended.",
        }
    return {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}


def plain_summary(call: FinishedCall, found: Mapping[str, Any]) -> str:
    """Who called, what was learnt and how it ended, in plain sentences made of what is known."""
    number = call.variables.get("customer_number")
    turns = [item for item in call.transcript if item.role == "user"]
    with_whom = f" with {number}" if number else ""
    if not turns:
        sentences = [f"Call{with_whom} for {call.agent.name}: the caller said nothing."]
    else:
        times = "once" if len(turns) == 1 else f"{len(turns)} times"
        sentences = [f"Call{with_whom} for {call.agent.name}; the caller spoke {times}."]
    learnt = [f"{name}: {as_text(value)}" for name, value in found.items() if value is not None]
    sentences += [f"Learnt: {'; '.join(learnt)}."] if learnt else ["Nothing was captured."]
    last = _last_words(call.transcript)
    return " ".join([*sentences, *([last] if last else [])])


def _last_words(transcript: Sequence[Utterance]) -> str:
    if not transcript:
        return ""
    last = transcript[-1]
    who = "the agent" if last.role == "assistant" else "the caller"
    quote = last.text if len(last.text) <= _LONGEST_QUOTE else last.text[:_LONGEST_QUOTE].rsplit(" ", 1)[0] + " …"
    return f"The last words were {who}'s: “{quote}”"


def _property(field: ExtractionField) -> dict[str, Any]:
    name = {"string": "string", "number": "number", "boolean": "boolean", "date": "string", "enum": "string"}[
        field.type
    ]
    described: dict[str, Any] = {"type": name if field.required else [name, "null"]}
    note = " (YYYY-MM-DD)" if field.type == "date" else ""
    if field.description or note:
        described["description"] = f"{field.description}{note}".strip()
    if field.type == "enum":
        described["enum"] = [*field.options, *([] if field.required else [None])]
    return described


def _conversation(call: FinishedCall) -> str:
    return "\n".join(
        f"{'Assistant' if item.role == 'assistant' else 'Caller'}: {item.text}" for item in call.transcript
    )


def _number(text: str) -> int | float | None:
    found = _NUMBER.fullmatch(text.replace(",", ""))
    if found is None:
        return None
    return float(found.group()) if "." in found.group() else int(found.group())


def _date(text: str) -> str | None:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        return None
