"""What is wrong with a packet."""

from __future__ import annotations


class SrtpError(ValueError):
    """The packet is not authentic, was seen before, or is no secure packet at all; nothing has changed by it."""
