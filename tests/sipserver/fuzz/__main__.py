"""`python -m tests.sipserver.fuzz --minutes 3 [--seed 1]`: until the time is over, or something does not hold (exit status 1).

What failed can be had again with its seed and number. Memory is measured after the first tenth of the time and at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

from tests.sipserver.fuzz.episodes import Fuzz, kinds


def main() -> int:
    """Fuzz for as long as asked; 1 after a failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.sipserver.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    arguments = parser.parse_args()
    fuzz, number = Fuzz(arguments.seed), arguments.first
    begin = time.monotonic()
    end, warm, at_first = begin + arguments.minutes * 60, begin + arguments.minutes * 6, 0
    while (now := time.monotonic()) < end:
        if not at_first and now > warm:
            at_first = _resident()
        for kind in kinds(fuzz):
            try:
                kind(number)
            except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
                traceback.print_exc()
                print(f"{kind.__name__}: --seed {arguments.seed} --first {number}")
                return 1
        number += 1
    counts = ", ".join(f"{count} {name}" for name, count in sorted(fuzz.counts.items()))
    print(
        f"seed {arguments.seed}, {arguments.minutes:g} min: {counts}; resident {at_first >> 10} -> {_resident() >> 10} KiB"
    )
    return 0


def _resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
