"""As much of PNG as the tests of the picture need."""

from __future__ import annotations

import struct
from pathlib import Path


def size(png: Path) -> tuple[int, int]:
    """Width and height of the header (PNG specification, section 11.2.2)."""
    head = png.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)
