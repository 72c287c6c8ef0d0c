"""A call's recording, in the format that is asked for, whole or in ranges (RFC 9110 section 14)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import structlog
from starlette.responses import Response

from control_api.context import Context
from control_api.encoding import FORMATS, RecordingUnreadable
from control_api.errors import ApiError, busy, conflict, not_found
from control_api.handlers.calls import find_call, get_call
from control_api.models.base import Query
from control_api.models.call import Call
from control_api.store import calls
from control_api.store.calls import FINAL
from control_api.stored_file import StoredFile, stored_file
from media.files import SealBroken

ENCODE_AGAIN = 60
"""Seconds after which to ask again for a format that cannot be made now."""

log = structlog.get_logger(__name__)


class RecordingQuery(Query):
    """`signature` and `expires` are those of a signed link."""

    format: Literal["mp3", "wav", "ogg"] = "mp3"
    expires: str | None = None
    signature: str | None = None


async def get_call_recording(context: Context, query: RecordingQuery, call_id: str) -> Response:
    """The file. A call that is not over has none yet: 409; one whose recording was deleted when its time was over: 410."""
    services = context.services
    call = await services.store.read(lambda connection: calls.get_any(connection, call_id))
    if call is None or (context.key is not None and call.organization_id != context.key.organization_id):
        raise not_found("call")
    if call.status not in FINAL:
        raise ApiError(409, "The call is not over; its recording is still being written.")
    try:
        return await _file(context, call_id, query.format)
    except FileNotFoundError:
        if call.recording_deleted:
            raise ApiError(410, "The recording was deleted when its time was over.") from None
        raise not_found("recording") from None
    except (RecordingUnreadable, SealBroken) as error:
        log.warning("recording cannot be read", call_id=call_id, error=str(error))
        raise ApiError(410, "The recording is damaged.") from None
    except OSError as error:
        log.warning("recording cannot be encoded now", call_id=call_id, error=error.strerror or str(error))
        raise busy("The recording cannot be encoded now; ?format=wav is there.", ENCODE_AGAIN) from None


async def _file(context: Context, call_id: str, name: str) -> StoredFile:
    """The recording in a format, as the answer. Raises as `Encoder.encode` and `stored_file` do."""
    encoder = context.services.encoder
    path = await encoder.encode(Path(context.services.call_log.recording_path(call_id)), name)
    return await asyncio.to_thread(stored_file, encoder.files, path, FORMATS[name].media_type, context.request.headers)


async def pause_call_recording(context: Context, call_id: str) -> Call:
    """Off the record from now on: when this is answered, the recording gets silence. A call that is off the record stays so."""
    return await _record(context, call_id, on=False)


async def resume_call_recording(context: Context, call_id: str) -> Call:
    """On the record again; a step of the script that wants it off still has it off."""
    return await _record(context, call_id, on=True)


async def _record(context: Context, call_id: str, *, on: bool) -> Call:
    row = await context.services.store.read(lambda connection: find_call(connection, context, call_id))
    if not await context.services.dialler.record(row.id, on=on):
        raise conflict("Only a call that is answered and not over can be put off the record, or on it again.")
    return await get_call(context, row.id)
