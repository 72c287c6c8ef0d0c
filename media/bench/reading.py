"""What a media process says of itself, read twice: the difference is what happened in between."""

from __future__ import annotations

import time
from dataclasses import dataclass

from media.rings import ProcessCounters
from media.stopwatch import Stage


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one instant. elapsed: seconds by the monotonic clock; cpu_ns: of the tick's thread."""

    elapsed: float
    cpu_ns: int
    ticks: int
    ticks_late: int
    ticks_skipped: int
    sends_late: int
    stage_ns: tuple[int, ...]

    @classmethod
    def take(cls, counters: ProcessCounters) -> Reading:
        """Read them now."""
        names = ("cpu_ns", "ticks", "ticks_late", "ticks_skipped", "sends_late")
        numbers = {name: int(getattr(counters, name)[0]) for name in names}
        return cls(elapsed=time.monotonic(), **numbers, stage_ns=tuple(counters.stage_ns.tolist()))

    def stages_since(self, before: Reading, calls: int) -> dict[str, float]:
        """What each stage took since then, in microseconds per call and 20 ms."""
        ticks = (self.elapsed - before.elapsed) * 50
        return {
            stage.name.lower(): round((self.stage_ns[stage] - before.stage_ns[stage]) / 1000 / ticks / calls, 2)
            for stage in Stage
        }
