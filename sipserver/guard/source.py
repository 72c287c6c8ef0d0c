"""Who may speak to us at all: known trunks. Everybody else gets one and the same 403, not too many of them, and at last nothing."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from sipserver.guard.bans import Ban, Bans
from sipserver.guard.buckets import Buckets, Refill, address_of
from sipserver.guard.challenge import Challenger
from sipserver.guard.fingerprints import is_scanner
from sipserver.legs import Source
from sipserver.message import Request
from sipserver.message.check import Refusal
from sipserver.protocols import AgentDirectory, Trunk

log = structlog.get_logger(__name__)

Registered = Callable[[Request], Trunk | None]
"""The trunk whose registered Contact a request was sent to."""

_SIP = re.compile(rb"[\r\n]*[^\r\n]{0,8192}SIP/2\.0")
_MET = 4096
_MET_SECONDS = 3600.0


def nothing_registered(_request: Request) -> None:
    """For a node that registers nowhere."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How much is heard of strangers by address, by prefix and in all; of a known address; when an address is banned, how long.

    Rates are messages a second; each burst is ten seconds of it, a trunk's two.
    """

    stranger: float = 1.0
    prefix: float = 10.0
    strangers: float = 50.0
    trunk: float = 5000.0
    ban_seconds: float = 3600.0
    strikes: int = 20

    def for_strangers(self) -> Buckets:
        """The buckets of those whom we do not know."""
        each, prefix, all_ = (Refill(rate, 10 * rate) for rate in (self.stranger, self.prefix, self.strangers))
        return Buckets(each, all_, prefix=prefix)


class SourceGuard:
    """The guard of the endpoint, asked twice: by `hears` about the bare bytes, before anything is read, and by `admit`
    (`legs.Guard`) about requests that belong to no dialog and no transaction of ours.

    A known source is one whose address belongs to a trunk, or one that knows a Contact that we registered: its user cannot be
    guessed, and a provider may send calls from other addresses than its registrar's. What it may reach is decided later. It is
    never banned, and neither is whom we have sent requests to: he is heard, but not for that let in.

    An unknown source learns nothing: INVITE, OPTIONS, REGISTER and whatever else get the same 403; an ACK, which has no answer,
    is dropped, and so is everything above the rate. `counters` tells what was dropped unread, `limited` or `banned`, and how
    many `bans` there were.

    Where a trunk has inbound credentials an INVITE gets a challenge instead, the same from everybody. Who answers it rightly is
    heard as a known one from then on, and challenged again for each call.
    """

    def __init__(
        self,
        directory: AgentDirectory,
        now: Callable[[], float],
        policy: Policy = Policy(),
        registered: Registered = nothing_registered,
        challenger: Challenger | None = None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._registered = registered
        self._directory = directory
        self._now = now
        self._strangers = policy.for_strangers()
        self._known = Buckets(Refill(policy.trunk, 2 * policy.trunk))
        self._bans = Bans(policy.ban_seconds, policy.strikes)
        self._lines = Buckets(Refill(1, 5), Refill(2, 20))
        self._met: OrderedDict[str, float] = OrderedDict()
        self._challenger = challenger
        self._users: OrderedDict[str, str] = OrderedDict()

    def knows(self, host: str) -> bool:
        """Whether this address belongs to a trunk, or to somebody whom we have to do with."""
        until = self._met.get(host)
        return (until is not None and self._now() < until) or bool(self._directory.trunks_of(host))

    def met(self, host: str) -> None:
        """We send a request there, or it knows a Contact of ours: what comes from there is expected."""
        self._met.pop(host, None)
        self._met[host] = self._now() + _MET_SECONDS
        if len(self._met) > _MET:
            self._met.popitem(last=False)

    def hears(self, data: bytes, source: Source) -> bool:
        """Whether this message is to be read at all."""
        if self.knows(source.host):
            return self._known.take(source.host, self._now()) or self._dropped("limited")
        return self._hears_stranger(data, address_of(source.host), source.host)

    def shown(self, request: Request) -> Trunk | None:
        """The trunk whose credentials a request showed that was let in for them."""
        return None if self._challenger is None else self._challenger.trunk_of(request)

    def guest(self, host: str) -> Trunk | None:
        """The trunk whose credentials came from this address last, of an address that is no trunk's."""
        user = self._users.get(host)
        return None if user is None or self._challenger is None else self._challenger.user(user)

    def admit(self, request: Request, source: Source) -> int | Refusal | None:
        """None: it may come in. A challenge, 403, or 0 to drop it."""
        if self._directory.trunks_of(source.host):
            return None
        if self._registered(request) is not None:
            self.met(source.host)
            return None
        if self._challenger is not None and request.method == "INVITE" and self._challenger.has_users:
            return self._challenged(self._challenger, request, source.host)
        self._strike(address_of(source.host), "refused")
        return 0 if request.method == "ACK" else 403

    def trusts(self, source: Source) -> bool:
        """Whether this is the address of a trunk."""
        return bool(self._directory.trunks_of(source.host))

    def bans(self) -> Sequence[Ban]:
        """The addresses that are banned now."""
        self._expire()
        return self._bans.all()

    def lift(self, host: str) -> bool:
        """End a ban; False where there is none."""
        return self._bans.lift(address_of(host))

    def _challenged(self, challenger: Challenger, request: Request, host: str) -> Refusal | None:
        """None for right credentials. A known guest is not banned for a challenge, for he gets one with each call."""
        now = self._now()
        shown = challenger.judge(request, host, now)
        if shown.trunk is not None:
            self.met(host)
            self._users[host] = shown.trunk.inbound_username or ""
            self._users.move_to_end(host)
            if len(self._users) > _MET:
                self._users.popitem(last=False)
            return None
        if shown.wrong:
            self._met.pop(host, None)
            if self._lines.take(host, now):
                log.warning("sip_credentials_refused", source=host)
        if not self.knows(host):
            self._strike(address_of(host), "refused")
        return challenger.challenge(host, now, shown.stale)

    def _hears_stranger(self, data: bytes, address: str, host: str) -> bool:
        now = self._now()
        self._expire()
        if self._bans.holds(address, now):
            return self._dropped("banned")
        if not self._strangers.take(host, now):
            if self._strangers.is_dry(host, now):
                self._strike(address, "flood")
            return self._dropped("limited")
        if is_scanner(data):
            self._tell(self._bans.ban(address, now, "scanner"))
            return self._dropped("banned")
        if _SIP.match(data) is None:
            self._strike(address, "malformed")
        return True

    def _dropped(self, why: str) -> bool:
        self.counters[why] += 1
        return False

    def _strike(self, address: str, why: str) -> None:
        self._tell(self._bans.strike(address, self._now(), why))

    def _expire(self) -> None:
        for ban in self._bans.expire(self._now()):
            if self._lines.take(ban.address, self._now()):
                log.info("sip_ban_over", source=ban.address, why=ban.why)

    def _tell(self, ban: Ban | None) -> None:
        """Log a ban, at a limited rate: forged addresses cost nothing."""
        if ban is None:
            return
        self.counters["bans"] += 1
        if self._lines.take(ban.address, self._now()):
            log.warning("sip_source_banned", source=ban.address, why=ban.why, seconds=round(ban.until - self._now()))
