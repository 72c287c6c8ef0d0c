"""A transfer's second leg takes a channel of the trunk, and its turn, like any call: it cannot wait in the queue, a caller is there."""

from __future__ import annotations

import asyncio

from sipserver.protocols import TransferFailure, Trunk
from sipserver.transfer.caller import Caller
from sipserver.transfer.failure import NotTransferred

PACE_SECONDS = 5.0
"""How long a second leg waits for its turn while the caller hears music."""


def has_channel(caller: Caller, trunk: Trunk) -> bool:
    """Whether the trunk takes another leg. If not, the call's problems say so."""
    room = caller.services.room
    if room is None or not room.is_full(trunk):
        return True
    caller.problem("Nobody could be called to take the caller over: all channels of the trunk are taken (maxChannels).")
    return False


async def own_turn(caller: Caller, trunk: Trunk) -> None:
    """Returns when the trunk's pace lets another leg be placed. Raises NotTransferred where that takes too long."""
    room = caller.services.room
    seconds = 0.0 if room is None else room.in_turn(trunk, PACE_SECONDS)
    if seconds is None:
        caller.problem(
            "Nobody could be called to take the caller over: too many calls are placed at once (maxCallsPerSecond)."
        )
        raise NotTransferred(TransferFailure.AT_CAPACITY)
    await asyncio.sleep(seconds)
