"""The sound under an agent's speech goes with the agent: another agent brings their own, and hold music is played without it."""

from __future__ import annotations

from dataclasses import replace

from sipserver.legs import Refused
from sipserver.protocols import Colleague, TransferMode, TransferTarget
from tests.sipserver.call.fakes import AGENT, until
from tests.sipserver.call.test_call_transfers import WARM, Scene
from tests.virtual_time import run

OFFICE = "7b9f4d0e-0000-5000-8000-000000000021"
RAIN = "7b9f4d0e-0000-5000-8000-000000000022"
IN_AN_OFFICE = replace(AGENT, background_sound_id=OFFICE, background_sound_volume=0.2)


def test_hold_music_is_played_without_it_and_it_is_back_with_the_agent() -> None:
    async def scene() -> None:
        this = Scene(WARM, agent=IN_AN_OFFICE)
        await this.begin()
        await until(4)
        this.human.tell(Refused(486, "No"))
        await until(5)
        media = this.stage.plane.opened[0]
        assert media.music == [(1.0, 4.0)]
        assert media.backgrounds == [(0.0, OFFICE, 0.2), (1.0, None, 0), (4.0, OFFICE, 0.2)]
        await this.comes_back()

    run(scene())


def test_the_next_agent_brings_their_own() -> None:
    async def scene() -> None:
        this = Scene(TransferTarget("billing", TransferMode.AGENT, agent_id="agent-2"), agent=IN_AN_OFFICE)
        this.stage.desk.colleagues["agent-2"] = Colleague(replace(AGENT, id="agent-2", background_sound_id=RAIN))
        await this.begin()
        this.target = replace(this.target, agent_id="agent-3")
        await this.stage.done()
        assert this.stage.plane.opened[0].backgrounds == [(0.0, OFFICE, 0.2), (1.0, RAIN, 0.15)]

    run(scene())
