"""The client side of digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760). Sans-I/O: randomness comes in.

A `DigestClient` belongs to one trunk and knows its nonces; an `Attempt` belongs to one request with its retries and sees to
it that no challenge is answered twice. The credentials go only to whoever challenged a request of that trunk.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from sipserver.message import Request, Response
from sipserver.message.grammar import QUOTED, TOKEN, quote

MAX_REALMS = 8
"""How many realms a client remembers nonces of, and answers in one response."""

_SCHEME = re.compile(r"\s*Digest\s+", re.IGNORECASE)
_PAIR = re.compile(rf"\s*({TOKEN}++)\s*=\s*({QUOTED}|[^\s,\"]*+)\s*(?:,|\Z)", re.DOTALL)
_CHALLENGES = (("WWW-Authenticate", False), ("Proxy-Authenticate", True))
_CREDENTIALS = {False: "Authorization", True: "Proxy-Authorization"}

Header = tuple[str, str]
Key = tuple[bool, str]
"""Proxy or not, and the realm: what one credential is for."""


class DigestError(ValueError):
    """No credentials can be given; the sentence says why. The challenged response is then final."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge. `realm`, `nonce` and `opaque` stand as between their quotes, `algorithm` as written."""

    proxy: bool
    realm: str
    nonce: str
    algorithm: str | None = None
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, value: str, proxy: bool) -> Challenge:
        """From the value of WWW-Authenticate or Proxy-Authenticate. Raises DigestError for other schemes, too."""
        values = digest_params(value)
        if "realm" not in values or "nonce" not in values:
            raise DigestError("A challenge lacks realm or nonce.")
        return cls(
            proxy=proxy,
            realm=values["realm"],
            nonce=values["nonce"],
            algorithm=values.get("algorithm"),
            qop=tuple(word.strip().lower() for word in values["qop"].split(",")) if "qop" in values else (),
            opaque=values.get("opaque"),
            stale=values.get("stale", "").lower() == "true",
        )

    @property
    def key(self) -> Key:
        """What its credential is for."""
        return self.proxy, self.realm

    @property
    def protection(self) -> str | None:
        """The quality of protection we take: `auth`, else `auth-int`; None where the challenge names none (RFC 2069)."""
        return next((word for word in ("auth", "auth-int") if word in self.qop), None)

    @property
    def is_supported(self) -> bool:
        """Whether we know the algorithm and one of the qualities of protection."""
        return _algorithm(self.algorithm) in _HASHES and (not self.qop or self.protection is not None)


def challenges(response: Response) -> list[Challenge]:
    """The challenges that we can answer, in their order: of each realm the first (RFC 8760 section 2.4)."""
    found: dict[Key, Challenge] = {}
    for header, proxy in _CHALLENGES:
        for value in response.headers.all(header):
            challenge = _supported(value, proxy)
            if challenge is not None:
                found.setdefault(challenge.key, challenge)
    return list(found.values())[:MAX_REALMS]


@dataclass(slots=True)
class _Nonce:
    """A challenge in use, of whoever is at `place`. `count` is how often its nonce was used; its cnonce stays, as the -sess
    algorithms need it.
    """

    challenge: Challenge
    cnonce: str
    place: str
    count: int = 0


class DigestClient:
    """One trunk's credentials and the nonces that they were asked for with.

    `realms` names the realms that may be answered; None: any, for whoever may challenge is the endpoint's to decide.
    """

    def __init__(self, username: str, password: str, realms: Collection[str] | None = None) -> None:
        self._username = username
        self._password = password
        self._realms = realms
        self._nonces: dict[Key, _Nonce] = {}

    def attempt(self) -> Attempt:
        """For one request and its retries."""
        return Attempt(self)

    def credentials(self, request: Request, place: str | None = None) -> list[Header]:
        """For a request nobody has challenged yet: with the nonces known of this place (None: of any), so that it may pass at once.

        Empty where there are none; a nonce without qop is not used again, for nothing would tell a replay.
        """
        known = [(key, nonce) for key, nonce in self._nonces.items() if nonce.challenge.qop]
        return self.credentials_for([key for key, nonce in known if place in (None, nonce.place)], request)

    def credentials_for(self, keys: Iterable[Key], request: Request) -> list[Header]:
        """With the nonces known of these realms; each use is counted."""
        return [self._credential(self._nonces[key], request) for key in keys if key in self._nonces]

    def may_answer(self, challenge: Challenge) -> bool:
        """Whether the realm is one of ours."""
        return self._realms is None or challenge.realm in self._realms

    def forget(self) -> None:
        """Our credentials were not accepted: nobody gets them before he has asked."""
        self._nonces.clear()

    def take(self, challenge: Challenge, cnonce: str, place: str) -> None:
        """Remember a challenge in the place of the realm's last one; the oldest realm is forgotten when there are many."""
        self._nonces.pop(challenge.key, None)
        while len(self._nonces) >= MAX_REALMS:
            del self._nonces[next(iter(self._nonces))]
        self._nonces[challenge.key] = _Nonce(challenge, cnonce, place)

    def learn(self, request: Request, response: Response) -> None:
        """Take `nextnonce` from a response's Authentication-Info (RFC 7616 section 3.5)."""
        following = _info(response).get("nextnonce")
        realm = _sent(request, False).get("realm")
        nonce = self._nonces.get((False, realm)) if realm is not None else None
        if following and nonce is not None:
            old = nonce.challenge
            fresh = Challenge(False, old.realm, following, old.algorithm, old.qop, old.opaque)
            self._nonces[fresh.key] = _Nonce(fresh, nonce.cnonce, nonce.place)

    def _credential(self, nonce: _Nonce, request: Request) -> Header:
        nonce.count += 1
        value = credential(nonce.challenge, self._username, self._password, request, nonce.cnonce, nonce.count)
        return _CREDENTIALS[nonce.challenge.proxy], value


class Attempt:
    """One request and its retries: what has been answered, so that a wrong password is not tried for ever."""

    def __init__(self, client: DigestClient) -> None:
        self._client = client
        self._answered: dict[Key, str] = {}
        self._stale: set[Key] = set()

    def answer(self, response: Response, request: Request, cnonce: str, place: str = "") -> list[Header]:
        """The Authorization and Proxy-Authorization headers of the next try, all of them: they replace what `request` had.

        `response` is the 401 or 407 that `request` got, `cnonce` fresh randomness, `place` where it came from.
        Raises DigestError when there is nothing
        that we can answer, or when our answer was not accepted: the same realm asks again without `stale`, or twice with.
        """
        found = [challenge for challenge in challenges(response) if self._client.may_answer(challenge)]
        if not found:
            raise DigestError("There is no challenge that can be answered.")
        for challenge in found:
            self._check(challenge, _sent(request, challenge.proxy, challenge.realm).get("nonce"))
        for challenge in found:
            self._client.take(challenge, cnonce, place)
            self._answered[challenge.key] = challenge.nonce
        return self._client.credentials_for(self._answered, request)

    def _check(self, challenge: Challenge, sent: str | None) -> None:
        """Credentials made in advance from a remembered nonce may fail once; those that answered a challenge may not."""
        key = challenge.key
        if challenge.nonce in (sent, self._answered.get(key)):
            raise DigestError("The credentials were not accepted.")
        if key in self._answered:
            if not challenge.stale or key in self._stale:
                raise DigestError("The credentials were not accepted.")
            self._stale.add(key)


def credential(challenge: Challenge, username: str, password: str, request: Request, cnonce: str, count: int) -> str:
    """The value of Authorization for a request. `count` is how often the nonce has been used, this time included."""
    protection = challenge.protection
    nc = f"{count:08x}"
    pairs = [
        ("username", quote(username)),
        ("realm", f'"{challenge.realm}"'),
        ("nonce", f'"{challenge.nonce}"'),
        ("uri", f'"{request.uri}"'),
        ("response", f'"{_response(challenge, username, password, request, cnonce, nc)}"'),
    ]
    if challenge.algorithm is not None:
        pairs.append(("algorithm", challenge.algorithm))
    if protection is not None or _is_session(challenge):
        pairs.append(("cnonce", f'"{cnonce}"'))
    if challenge.opaque is not None:
        pairs.append(("opaque", f'"{challenge.opaque}"'))
    if protection is not None:
        pairs += [("qop", protection), ("nc", nc)]
    return "Digest " + ", ".join(f"{name}={value}" for name, value in pairs)


def digest_params(value: str) -> dict[str, str]:
    """The parameters of a Digest header, names in lower case, values as between their quotes. Raises DigestError."""
    scheme = _SCHEME.match(value)
    if scheme is None:
        raise DigestError("The scheme is not Digest.")
    values: dict[str, str] = {}
    at = scheme.end()
    while at < len(value):
        pair = _PAIR.match(value, at)
        if pair is None:
            raise DigestError("The parameters of a Digest header cannot be read.")
        values.setdefault(pair[1].lower(), pair[2][1:-1] if pair[2].startswith('"') else pair[2])
        at = pair.end()
    return values


def _response(challenge: Challenge, username: str, password: str, request: Request, cnonce: str, nc: str) -> str:
    """RFC 7616 section 3.4.1; without qop the form of RFC 2069, which RFC 3261 section 22.4 keeps."""
    digest = _HASHES[_algorithm(challenge.algorithm)]
    secret = digest(f"{username}:{challenge.realm}:{password}")
    if _is_session(challenge):
        secret = digest(f"{secret}:{challenge.nonce}:{cnonce}")
    act = f"{request.method}:{request.uri}"
    if challenge.protection == "auth-int":
        act += f":{digest(request.body.decode('utf-8', 'surrogateescape'))}"
    middle = "" if challenge.protection is None else f"{nc}:{cnonce}:{challenge.protection}:"
    return digest(f"{secret}:{challenge.nonce}:{middle}{digest(act)}")


def _hasher(name: str) -> Callable[[str], str]:
    """Text as UTF-8 (RFC 7616 section 4); bytes that were none, in a realm or a body, stay what they were."""

    def digest(text: str) -> str:
        return hashlib.new(name, text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()

    return digest


_HASHES = {
    name: _hasher(function)
    for name, function in (("MD5", "md5"), ("SHA-256", "sha256"), ("SHA-512-256", "sha512_256"))
    if function in hashlib.algorithms_available
}


def _algorithm(name: str | None) -> str:
    """The hash of an algorithm; none given means MD5 (RFC 3261 section 22.4)."""
    return (name or "MD5").upper().removesuffix("-SESS")


def _is_session(challenge: Challenge) -> bool:
    return (challenge.algorithm or "").upper().endswith("-SESS")


def _info(response: Response) -> dict[str, str]:
    """Authentication-Info has no scheme word. What cannot be read of it is as if it were not there."""
    try:
        return digest_params(f"Digest {response.headers.get('Authentication-Info') or ''}")
    except DigestError:
        return {}


def _supported(value: str, proxy: bool) -> Challenge | None:
    try:
        challenge = Challenge.parse(value, proxy)
    except DigestError:
        return None
    return challenge if challenge.is_supported else None


def _sent(request: Request, proxy: bool, realm: str | None = None) -> dict[str, str]:
    """The parameters of the credential that the request carried, of this realm where one is given."""
    for value in request.headers.all(_CREDENTIALS[proxy]):
        values = digest_params(value)
        if realm is None or values.get("realm") == realm:
            return values
    return {}
