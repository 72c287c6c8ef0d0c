"""Keys that somebody has us press on a call, with pauses in between, as automatic attendants need them."""

from __future__ import annotations

import asyncio
import re

from media.frames import CallMedia
from sipserver.protocols import KeysSent

PAUSE_SECONDS = 0.5
_PARTS = re.compile("w+|[^w]+")


async def pressed(media: CallMedia, keys: str) -> KeysSent:
    """Press the keys in order, `w` for a pause. ValueError for what is no key; returns when the last has left."""
    for part in _PARTS.findall(keys.lower()):
        if part[0] == "w":
            await asyncio.sleep(len(part) * PAUSE_SECONDS)
        elif not await media.send_digits(part):
            return KeysSent.NOT_TAKEN
    return KeysSent.SENT
