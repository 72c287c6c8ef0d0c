"""A peer may send as many NOTIFYs as it likes; an owner who is slow keeps few of them, and the last word."""

from __future__ import annotations

import asyncio

from sipserver.legs import ReferProgress
from sipserver.useragent.face import EndpointLeg
from tests.sipserver.transcripts import Transcript


def test_news_of_progress_do_not_pile_up() -> None:
    async def scene() -> None:
        script = Transcript()
        script.run("0 < INVITE branch=a sdp\n0 > 100")
        assert script.leg is not None
        leg = EndpointLeg(script.leg, lambda deed: deed())
        for number in range(1000):
            leg.put(ReferProgress(180, str(number), final=False))
        leg.put(ReferProgress(200, "OK", final=True))
        leg.end()
        events = [event async for event in leg.events()]
        assert len(events) < 100
        assert events[-1] == ReferProgress(200, "OK", final=True)

    asyncio.run(scene())
