"""The stopwatch of the tick, and that every stage of it is timed."""

from __future__ import annotations

from collections import Counter

import numpy as np

from media.engine import Engine
from media.rings import SharedRings
from media.sockets.memory import MemorySockets
from media.sockets.ports import PortPairs
from media.stopwatch import Stage, Stopwatch


def test_each_lap_belongs_to_the_stage_that_it_ends() -> None:
    instants = iter([1000, 1010, 1100, 1105])
    spent = np.zeros(len(Stage), np.int64)
    watch = Stopwatch(spent, lambda: next(instants))
    watch.lap(Stage.RECEIVE)
    watch.lap(Stage.SILERO)
    watch.lap(Stage.RECEIVE)
    assert spent[Stage.RECEIVE] == 15
    assert spent[Stage.SILERO] == 90
    assert spent.sum() == 105


def test_a_tick_is_timed_from_its_beginning_to_its_end() -> None:
    laps: Counter[Stage] = Counter()
    rings = SharedRings.create(2)
    engine = Engine(
        rings, MemorySockets(PortPairs(20000, 20099)), timeout_ticks=0, seed=1, lap=lambda stage: laps.update([stage])
    )
    for tick in range(3):
        engine.listen(tick)
        engine.speak(tick)
    rings.close_fd()
    always = set(Stage) - {Stage.GATE, Stage.SILERO, Stage.SUPPRESS, Stage.BACKGROUND}
    assert {stage for stage in always if laps[stage] >= 3} == always
