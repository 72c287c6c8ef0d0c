"""Token buckets: for an address, for its neighbourhood, and for all together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Refill:
    """A token bucket: it holds `burst` tokens and gets `rate` back each second."""

    rate: float
    burst: float


class Buckets:
    """A token bucket for each source address, one for each prefix (/24, /56) and one for all of them together, the last two where
    they are given. Holds `size` addresses, and as many prefixes: the latest ones.

    The common bucket is what bounds a flood from forged addresses: each of those would begin with a full bucket of its own.
    """

    def __init__(
        self, each: Refill, together: Refill | None = None, size: int = 4096, prefix: Refill | None = None
    ) -> None:
        self._each = each
        self._prefix = prefix
        self._together = together
        self._size = size
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._prefixes: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._common = (together.burst, 0.0) if together else (0.0, 0.0)

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, host: str, now: float) -> bool:
        """Take a token for this address; False when there is none. `now` in seconds, never falling."""
        common = _filled(self._common, self._together, now) if self._together else 1.0
        if common < 1:
            # Nothing is remembered of a flood beyond what is answered.
            return False
        address = address_of(host)
        own = self._level(self._levels, address, self._each, now)
        if self._prefix is None:
            granted = own >= 1
        else:
            network = prefix_of(host)
            near = self._level(self._prefixes, network, self._prefix, now)
            granted = own >= 1 and near >= 1
            self._prefixes[network] = (near - granted, now)
        self._levels[address] = (own - granted, now)
        if self._together:
            self._common = (common - granted, now)
        return granted

    def is_dry(self, host: str, now: float) -> bool:
        """Whether this address has used up its own bucket, and is not only one of too many."""
        bucket = self._levels.get(address_of(host))
        return bucket is not None and _filled(bucket, self._each, now) < 1

    def _level(self, levels: OrderedDict[str, tuple[float, float]], key: str, refill: Refill, now: float) -> float:
        """How full the bucket is; it becomes the latest one."""
        level = _filled(levels.pop(key, (refill.burst, now)), refill, now)
        if len(levels) >= self._size:
            levels.popitem(last=False)
        return level


def address_of(host: str) -> str:
    """What counts as one address: an IPv4 address, or a /64, of which a host may use any number."""
    return host if ":" not in host else _network(host, 64)


def prefix_of(host: str) -> str:
    """The neighbourhood: a /24, or a /56."""
    return host.rpartition(".")[0] if ":" not in host else _network(host, 56)


def _network(host: str, bits: int) -> str:
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return address_of(str(address.ipv4_mapped)) if bits == 64 else prefix_of(str(address.ipv4_mapped))
    return f"{IPv6Address(int(address) >> (128 - bits) << (128 - bits))}/{bits}"


def _filled(bucket: tuple[float, float], refill: Refill, now: float) -> float:
    level, at = bucket
    return min(refill.burst, level + max(0.0, now - at) * refill.rate)
