"""`python -m media.bench CALLS SECONDS`: the figures of `antiphon bench media` as one line of JSON."""

from __future__ import annotations

import json
import sys

from media.bench.plane import bench_media

if __name__ == "__main__":
    print(json.dumps(bench_media(int(sys.argv[1]), float(sys.argv[2]))))
