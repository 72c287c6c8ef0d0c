"""Builds the backend in C where there is a compiler: `python -m media.sockets.build`, or `make native`.

It needs nothing but the compiler (`CC`, else cc): no headers of Python's, no package. Without one the plain backend serves.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("native.c")
LIBRARY = Path(__file__).with_name("_native.so")
FLAGS = ("-O2", "-Wall", "-Wextra", "-shared", "-fPIC")


class BuildFailed(Exception):
    """There is no compiler, or it did not like the source; the text says which."""


def build(library: Path = LIBRARY) -> None:
    """Compile, and put the result in place in one step, under the feet of whoever has the old one open. Raises BuildFailed."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        raise BuildFailed(f"there is no C compiler ({compiler[0]})")
    fresh = library.with_suffix(f".{os.getpid()}")
    made = subprocess.run(
        [*compiler, *FLAGS, "-o", str(fresh), str(SOURCE)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        fresh.unlink(missing_ok=True)
        raise BuildFailed(f"{compiler[0]} failed: {made.stderr.strip()}")
    fresh.replace(library)


def main() -> None:
    """Build, and say what came of it. Nobody needs the library, so its absence is no failure of an installation."""
    try:
        build()
    except (BuildFailed, OSError) as error:
        print(f"The socket backend in C is not built, the one in Python serves: {error}", file=sys.stderr)
    else:
        print(f"The socket backend in C is built: {LIBRARY}")


if __name__ == "__main__":
    main()
