"""The ids of voices: the UUIDv5 of engine and name, so that a voice has the same id on every machine."""

from __future__ import annotations

import uuid

NAMESPACE = uuid.UUID("5f0a7c52-6d0b-5e0c-9a35-7f4b1c6f2d11")
"""Ours, drawn once. To change it would change the id of every voice of every installation."""


def voice_id(engine: str, name: str) -> str:
    """The id of voice `name` of `engine`, in the form that the API shows."""
    return str(uuid.uuid5(NAMESPACE, f"{engine}/{name}"))
