"""An inbound call is answered with the session timer of the trunk that it came by, which is known only then."""

from __future__ import annotations

from dataclasses import replace

from sipserver.legs import Answered, Ended
from sipserver.protocols import Route, TrunkOptions
from tests.sipserver.call.fakes import AGENT, CALLEE, TRUNK, TRUNK_HOST, Stage, until
from tests.virtual_time import run


def test_the_trunks_timer_goes_with_the_answer() -> None:
    async def scene(seconds: int | None) -> None:
        stage = Stage()
        trunk = replace(TRUNK, options=TrunkOptions(session_timer=seconds))
        stage.directory.trunks = {TRUNK_HOST: (trunk,)}
        stage.directory.routes = {CALLEE: Route("number-1", CALLEE, "org-1", trunk, AGENT)}
        leg = stage.ring()
        await until(1)
        assert leg.session_timer == seconds
        leg.tell(Answered(), Ended("bye"))
        await stage.done()

    run(scene(600))
    run(scene(None))
