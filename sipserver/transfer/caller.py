"""The call that is transferred, as its transfers see it; and what they need of the other rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sipserver.legs import Leg
from sipserver.media_session import MediaSession
from sipserver.party import Party, Services
from sipserver.trace.rtp_view import RtpView


@dataclass(frozen=True, slots=True)
class Caller:
    """`leg` and `session` give those of the moment. `spawn` starts work that ends with the call; `write` hands a line to the call
    log without waiting; `problem` notes a sentence of SIP for the call's problems. `being_referred`: another leg is on its way,
    because the peer asked for it. `rtp` follows the sessions whose packets may be looked at.
    """

    party: Party
    services: Services
    rtp: RtpView
    leg: Callable[[], Leg]
    session: Callable[[], MediaSession]
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    write: Callable[[Coroutine[Any, Any, None]], None]
    problem: Callable[[str], None]
    being_referred: Callable[[], bool] = lambda: False
