"""The server side of digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760), for peers whose address nobody knows. Sans-I/O.

Nothing is remembered of a challenge: its nonce carries when and for whom it was made, and our signature. Only nonces that
right credentials came with are kept while they are good, with the highest count seen, so that nothing passes twice.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sipserver.digest import DigestError, digest_params
from sipserver.message import Request
from sipserver.message.check import Refusal
from sipserver.message.grammar import quote
from sipserver.protocols import Trunk

Algorithm = Literal["SHA-256", "MD5"]
NONCE_SECONDS = 60.0
"""How long a nonce is good for: a call begins within it, or is challenged anew with `stale`."""

_HASHES = {"SHA-256": "sha256", "MD5": "md5"}
_NONCE = re.compile(r"([0-9a-f]{12})[0-9a-f]{16}")
_SIGNATURE = 32
_COUNT = re.compile(r"[0-9a-fA-F]{8}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request's credentials are worth: the trunk whose they are, or None.

    `stale`: the nonce is not good any more, so that the same user may answer a fresh one. `wrong`: user or password are not right
    for a nonce that we gave to this very address.
    """

    trunk: Trunk | None = None
    stale: bool = False
    wrong: bool = False


class Challenger:
    """`users` tells whose credentials there are now, by user name; `secret` signs nonces, `random` gives that many bytes.

    Who does not exist is answered as who does, for the same work: his password is one that nobody knows.
    """

    def __init__(
        self,
        users: Callable[[], Mapping[str, Trunk]],
        realm: str,
        algorithms: Sequence[Algorithm],
        secret: bytes,
        random: Callable[[int], bytes],
    ) -> None:
        self._users = users
        self._realm = realm
        self._algorithms = tuple(algorithms)
        self._secret = secret
        self._random = random
        self._nobody = random(16).hex()
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._floor = 0.0

    @property
    def has_users(self) -> bool:
        """Whether there is anybody who could answer."""
        return bool(self._users())

    def user(self, name: str) -> Trunk | None:
        """The trunk with this user name, as it is now."""
        return self._users().get(name)

    def challenge(self, host: str, now: float, stale: bool = False) -> Refusal:
        """401 for a request from there, with one challenge for each algorithm, the preferred first (RFC 8760 section 2.4)."""
        nonce = self._nonce(host, now)
        headers = (
            f'Digest realm={quote(self._realm)}, nonce="{nonce}", algorithm={name}, qop="auth"'
            for name in self._algorithms
        )
        more = ", stale=true" if stale else ""
        return Refusal(
            401, "It has to show credentials.", tuple(("WWW-Authenticate", f"{value}{more}") for value in headers)
        )

    def judge(self, request: Request, host: str, now: float) -> Shown:
        """What the credentials of a request from there are worth. Whoever is let in by them is let in once."""
        given = self._given(request)
        if given is None:
            return Shown()
        nonce = given.get("nonce", "")
        made = self._made(nonce, host)
        # Before the password is looked at: a nonce of anybody's making would let him try passwords from addresses not his own.
        if made is None or made < self._floor or not 0 <= now - made <= NONCE_SECONDS:
            return Shown(stale=True)
        if not self._is_right(given, request):
            return Shown(wrong=True)
        if not self._counts_up(nonce, made, int(given["nc"], 16), now):
            return Shown(stale=True)
        return Shown(self._trunk(given))

    def trunk_of(self, request: Request) -> Trunk | None:
        """Whose credentials a request shows that `judge` has let in."""
        given = self._given(request)
        return self._trunk(given) if given is not None and self._is_right(given, request) else None

    def _given(self, request: Request) -> dict[str, str] | None:
        """The credentials for our realm; what cannot be read is none."""
        for value in request.headers.all("authorization"):
            try:
                given = digest_params(value)
            except DigestError:
                continue
            if _plain(given.get("realm", "")) == self._realm:
                return given
        return None

    def _trunk(self, given: Mapping[str, str]) -> Trunk | None:
        return self.user(_plain(given.get("username", "")))

    def _is_right(self, given: Mapping[str, str], request: Request) -> bool:
        """RFC 7616 section 3.4.1. The URI need not be the Request-URI, which a proxy may have changed (RFC 3261 section 22.4)."""
        algorithm = given.get("algorithm", "MD5").upper()
        count = given.get("nc", "")
        if algorithm not in self._algorithms or given.get("qop") != "auth" or _COUNT.fullmatch(count) is None:
            return False
        name, trunk = _plain(given.get("username", "")), self._trunk(given)
        password = trunk.inbound_password if trunk is not None else None
        secret = _hash(algorithm, f"{name}:{self._realm}:{password or self._nobody}")
        act = _hash(algorithm, f"{request.method}:{given.get('uri', '')}")
        right = _hash(algorithm, f"{secret}:{given['nonce']}:{count}:{given.get('cnonce', '')}:auth:{act}")
        same = hmac.compare_digest(right.encode(), given.get("response", "").lower().encode("utf-8", "surrogateescape"))
        return same and password is not None

    def _counts_up(self, nonce: str, made: float, count: int, now: float) -> bool:
        """Whether this nonce has not been used as often before (RFC 7616 section 3.4, nonce count)."""
        while self._counts and now - next(iter(self._counts.values()))[0] > NONCE_SECONDS:
            self._counts.popitem(last=False)
        if count <= self._counts.get(nonce, (0.0, 0))[1]:
            return False
        self._counts[nonce] = made, count
        if len(self._counts) > _KEPT:
            # What is not remembered any more could be played again; nothing as old as that is taken from now on.
            self._floor = max(self._floor, self._counts.popitem(last=False)[1][0] + 0.001)
        return True

    def _nonce(self, host: str, now: float) -> str:
        text = f"{int(now * 1000):012x}{self._random(8).hex()}"
        return text + self._signature(text, host)

    def _made(self, nonce: str, host: str) -> float | None:
        """When we made this nonce for that address, in seconds; None where we did not."""
        text, signature = nonce[:-_SIGNATURE], nonce[-_SIGNATURE:]
        match = _NONCE.fullmatch(text)
        if match is None or not signature.isascii() or not hmac.compare_digest(signature, self._signature(text, host)):
            return None
        return int(match[1], 16) / 1000

    def _signature(self, text: str, host: str) -> str:
        return hmac.digest(self._secret, f"{text} {host}".encode(), "sha256").hex()[:_SIGNATURE]


def _plain(text: str) -> str:
    """What stands between quotes, without its escapes."""
    return _ESCAPED.sub(r"\1", text)


def _hash(algorithm: str, text: str) -> str:
    return hashlib.new(_HASHES[algorithm], text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
