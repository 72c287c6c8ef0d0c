"""How many measured values are spread, in the few numbers a table has room for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

TAIL: Mapping[str, float] = {"p50": 50, "p99": 99, "p99.9": 99.9, "max": 100}
USUAL: Mapping[str, float] = {"p50": 50, "p95": 95, "max": 100}


def spread(values: ArrayLike, of: Mapping[str, float] = TAIL, digits: int = 3) -> dict[str, float] | None:
    """Percentiles by their names; None of nothing."""
    known = np.asarray(values, np.float64)
    if not known.size:
        return None
    return {name: round(float(np.percentile(known, share)), digits) for name, share in of.items()}
