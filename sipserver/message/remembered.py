"""Reading what has just been read: the same few addresses come in every message of a call, and of a trunk."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

REMEMBERED = 2048
"""Texts of one kind: those of a few hundred calls at once."""
LONGEST = 256
"""Characters; longer ones are read anew, so that nobody can fill the memory with them."""


def remembered(parse: Callable[[str], T]) -> Callable[[str], T]:
    """The same function, which has to be pure and its results immutable. What it raises is not remembered."""
    known = lru_cache(REMEMBERED)(parse)

    def read(text: str) -> T:
        return known(text) if len(text) <= LONGEST else parse(text)

    return read
