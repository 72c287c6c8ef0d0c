"""What the jitter buffer is to know of the rows whose audio is played on to a person, and tells of them: between ear and bridge."""

from __future__ import annotations

import numpy as np

from media.arrivals import Arrivals

NOT_PLAYED = -1
PATIENT = ALL = 1 << 20


class PlayedRows:
    """Arrays of shape (rows,), written by who plays in each tick, read by the jitter buffer in the next.

    patience: int64, for how many ticks a gap may be waited on: PATIENT while something waits to be played, 0 once nothing does,
    NOT_PLAYED where nobody plays. stood: int64, frames made up by who plays since the last one came: that much of a gap has
    been heard already, ALL where nothing is being heard. arrivals: is told of each slot that comes.
    """

    def __init__(self, rows: int) -> None:
        self.arrivals = Arrivals(rows)
        self.patience = np.full(rows, NOT_PLAYED, np.int64)
        self.stood = np.zeros(rows, np.int64)

    @property
    def any(self) -> bool:
        """Whether there is such a row."""
        return self.arrivals.any

    def follow(self, row: int) -> None:
        """The row is played from now on."""
        self.arrivals.follow(row)
        self.patience[row] = 0
        self.stood[row] = ALL

    def leave(self, row: int) -> None:
        """The row is not played any more."""
        self.arrivals.leave(row)
        self.patience[row] = NOT_PLAYED
        self.stood[row] = 0
