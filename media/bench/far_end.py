"""What a telephone at the far end of a network hears of us: a buffer that always waits as long, and the E-model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.bench.capture import Capture
from media.bench.transit import Transit, percent, rated
from media.frames import FRAME_MS

BUFFER_MS = 60.0
"""What telephones wait for late packets, where they cannot adapt."""
_FASTEST = 0.02


def far_end(captures: Sequence[Capture], way: Transit) -> dict[str, Any]:
    """Streams as they left us, over `way`: one stream of it for each, with at least as many packets.

    `missing_percent` of packets were not there when they had to be played, lost or late; `late_percent` are the late ones.
    """
    missing, late = [], []
    for stream, capture in enumerate(captures):
        if capture.times:
            gone, behind = _not_there(capture, way.delay[stream], way.lost[stream])
            missing.append(gone)
            late.append(behind)
    if not missing:
        return {"missing_percent": None, "late_percent": None, "mos": None}
    return {
        "missing_percent": percent(np.concatenate(missing)),
        "late_percent": percent(np.concatenate(late)),
        "mos": round(float(np.mean([rated(one) for one in missing])), 2),
    }


def _not_there(
    capture: Capture, delay: NDArray[np.float64], lost: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which packets are not there in time, and which of these come later. Those that we never sent are lost too."""
    numbers = np.unwrap(np.array(capture.sequences, np.float64), period=65536).astype(np.int64)
    numbers -= numbers.min()
    known = numbers < len(delay)
    numbers, times = numbers[known], np.array(capture.times, np.int64)[known]
    behind_grid = (times - times[0]) / 1e6 - (numbers - numbers[0]) * FRAME_MS + delay[numbers]
    late = np.zeros(numbers.max() + 1, np.bool_)
    late[numbers] = behind_grid > np.quantile(behind_grid, _FASTEST) + BUFFER_MS
    there = np.zeros(len(late), np.bool_)
    there[numbers] = True
    gone = lost[: len(late)] | ~there
    late &= ~gone
    return gone | late, late
