"""Who may speak to us, and how much: strangers cost little and learn nothing."""

from sipserver.guard.bans import Ban, Bans
from sipserver.guard.buckets import Buckets, Refill
from sipserver.guard.challenge import Challenger
from sipserver.guard.source import Policy, Registered, SourceGuard, nothing_registered

__all__ = [
    "Ban",
    "Bans",
    "Buckets",
    "Challenger",
    "Policy",
    "Refill",
    "Registered",
    "SourceGuard",
    "nothing_registered",
]
