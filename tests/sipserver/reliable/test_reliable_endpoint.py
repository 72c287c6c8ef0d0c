"""Two endpoints of ours on the loopback, with a reliable 183: what their owners see of it."""

from __future__ import annotations

from dataclasses import replace

from sipserver.legs import Answered, Ended, Leg, LegEvent, Progress
from sipserver.protocols import TrunkOptions
from sipserver.useragent import SipEndpoint
from tests.sipserver.test_useragent_endpoint import both, call_to, meet
from tests.sipserver.transcripts import ANSWER
from tests.sipserver.waiting import until


@both
def test_a_trunk_that_requires_it(transport: str) -> None:
    heard: list[LegEvent] = []

    async def answer(leg: Leg) -> None:
        leg.ring(183, ANSWER, reliable=True)
        leg.answer(ANSWER)
        heard.extend([event async for event in leg.events()])

    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        invitation = call_to(callee, transport)  # type: ignore[arg-type]
        trunk = replace(invitation.trunk, options=TrunkOptions(reliable100="required"))
        leg = caller.invite(replace(invitation, trunk=trunk))
        events = leg.events()
        early = await anext(events)
        assert isinstance(early, Progress)
        assert (early.status, early.sdp) == (183, ANSWER)
        assert await anext(events) == Answered(ANSWER)
        leg.hang_up()
        await until(lambda: Ended("bye", None) in heard)
        assert heard[0] == Answered(None)

    meet(answer, test)
