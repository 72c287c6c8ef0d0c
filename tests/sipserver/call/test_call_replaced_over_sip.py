"""A call on real sockets is taken over by an INVITE with Replaces; media are not real."""

from __future__ import annotations

import asyncio

from sipserver.legs import Answered, Ended, Invitation, Leg, LegEvent
from sipserver.replaces import Replaces
from tests.sipserver.call.fakes import CALLEE, CALLER, peer
from tests.sipserver.call.test_calls_over_sip import Node, two_nodes


async def until_answered(leg: Leg) -> None:
    """Until the 2xx has come."""
    async for event in leg.events():
        if isinstance(event, Answered):
            return
    raise AssertionError("The call was refused.")


def ring(caller: Node, callee: Node, port: int, replaces: Replaces | None = None) -> Leg:
    """An INVITE goes out whose media are expected at this port."""
    return caller.endpoint.invite(
        Invitation(callee.trunk(), CALLEE, CALLER, peer(port=port).offer(), replaces=replaces)
    )


def test_the_human_side_hands_its_call_to_somebody_else() -> None:
    async def scene() -> None:
        async with asyncio.timeout(20), two_nodes() as (phones, node):
            old = ring(phones, node, 40000)
            await until_answered(old)
            assert old.dialog is not None
            assert old.peer == f"sip:{CALLEE}@127.0.0.1:{node.endpoint.port}"
            new = ring(phones, node, 41000, Replaces.at_peer(old.dialog))
            await until_answered(new)
            farewell: list[LegEvent] = [event async for event in old.events()]
            assert [type(event) for event in farewell] == [Ended]
            assert node.stage.calls.live()
            new.hang_up()
            await node.stage.calls.idle()
            assert node.stage.end() == ("completed", "customer_ended")
            assert [remote.port for _, remote, _, _ in node.stage.media.connections] == [40000, 41000]
            assert list(node.stage.log.begun) == ["call-1"]

    asyncio.run(scene())


def test_a_dialog_that_is_not_here_is_not_replaced() -> None:
    async def scene() -> None:
        async with asyncio.timeout(20), two_nodes() as (phones, node):
            leg = ring(phones, node, 40000, Replaces("nowhere", "a", "b"))
            events = [event async for event in leg.events()]
            assert [getattr(event, "status", None) for event in events] == [481]
            assert not node.stage.log.begun

    asyncio.run(scene())
