"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A busy machine takes its time for any example: how long one takes says nothing about us, and a test must not fail by it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
