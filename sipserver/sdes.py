"""The keys of SRTP in session descriptions (SDES, RFC 4568): what a=crypto lines say, and which of them are taken. Sans-I/O.

| the peer offers               | off     | preferred | required |
|-------------------------------|---------|-----------|----------|
| RTP/AVP                       | plain   | plain     | refused  |
| RTP/AVP with a usable key     | plain   | SRTP      | SRTP     |
| RTP/SAVP with a usable key    | refused | SRTP      | SRTP     |
| RTP/SAVP without a usable key | refused | refused   | refused  |

RTP/AVP with a key is no RFC's, but what many send who would rather be secure. A key is usable if its suite is ours and it
asks for nothing that we do not do: no master key identifiers, no parts left unencrypted, one key a line.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from media.frames import CryptoSuite
from sipserver.sdp import Attribute, Media, SdpError

Mode = Literal["off", "preferred", "required"]
"""What a trunk wants (`TrunkOptions.srtp`)."""
Randomness = Callable[[int], bytes]
"""So many octets that nobody can guess (`secrets.token_bytes`)."""

PLAIN_PROFILES = ("RTP/AVP", "RTP/AVPF")
SECURE_PROFILES = ("RTP/SAVP", "RTP/SAVPF")

_LINE = re.compile(r"\s*([0-9]{1,9})\s+(\S+)\s+(\S+)((?:\s+\S+)*)\s*")
_LIFETIME = re.compile(r"(2\^)?[0-9]{1,20}")
_HARMLESS = re.compile(r"WSH=[0-9]+|KDR=0|-\S+", re.IGNORECASE)
"""Session parameters that change nothing for us: a window, no key derivation, and what may be left aside (section 6.3)."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """One a=crypto line. `key` is master key and master salt in a row."""

    tag: int
    suite: CryptoSuite
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, value: str) -> Crypto:
        """The line after `a=crypto:`. Raises SdpError where it is none, or asks for what we do not do; no sentence holds the key."""
        match = _LINE.fullmatch(value)
        if match is None:
            raise SdpError("This is no a=crypto line.")
        tag, name, keys, parameters = match.groups()
        if name.upper() not in CryptoSuite.__members__:
            raise SdpError(f"The suite {name[:40]!r} is not spoken here.")
        if not all(_HARMLESS.fullmatch(parameter) for parameter in parameters.split()):
            raise SdpError("The line has session parameters that are not kept here.")
        suite = CryptoSuite[name.upper()]
        return cls(int(tag), suite, _key(keys, suite))

    def __str__(self) -> str:
        return f"{self.tag} {self.suite.value} inline:{b64encode(self.key).decode('ascii')}"


def _key(text: str, suite: CryptoSuite) -> bytes:
    """`inline:` key, lifetime, identifier (section 6.1). A lifetime is for the peer to keep; hours of calls do not come near it."""
    method, _, inline = text.partition(":")
    if method.lower() != "inline" or ";" in inline:
        raise SdpError("One key in the line is needed.")
    encoded, *rest = inline.split("|")
    if len(rest) > 1 or not all(_LIFETIME.fullmatch(part) for part in rest):
        raise SdpError("Master key identifiers are not spoken here.")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (Base64Error, ValueError):
        raise SdpError("The key is not base64.") from None
    if len(key) != suite.key_octets:
        raise SdpError(f"A key of {suite.value} has {suite.key_octets} octets.")
    return key


def cryptos(media: Media) -> list[Crypto]:
    """The lines that we can use, in their order; the others are as if they were not there (section 5.1.2)."""
    found = []
    for name, value in media.attributes:
        if name.lower() == "crypto" and value is not None:
            try:
                found.append(Crypto.parse(value))
            except SdpError:
                continue
    return found


class Sdes:
    """One leg's keys: those of ours that it has named, and what it takes of the peer's.

    A key of ours stays for as long as media are secure: peers begin anew with a new one, and lose what the rollover counter
    was. When media become plain it is forgotten, for it must not come again (`CallMedia.connect`).
    """

    def __init__(self, mode: Mode, randomness: Randomness) -> None:
        self.mode: Mode = mode
        self._randomness = randomness
        self._keys: dict[CryptoSuite, bytes] = {}

    def key(self, suite: CryptoSuite) -> bytes:
        """Our key of this suite; a fresh one at first."""
        if suite not in self._keys:
            self._keys[suite] = self._randomness(suite.key_octets)
        return self._keys[suite]

    def forget(self) -> None:
        """Media are plain now."""
        self._keys.clear()

    def lines(self) -> list[Attribute]:
        """What our offer says: every suite, the strongest first."""
        return [("crypto", str(Crypto(tag, suite, self.key(suite)))) for tag, suite in enumerate(CryptoSuite, 1)]

    def line(self, theirs: Crypto) -> Attribute:
        """What our answer says to the line that we took (section 5.1.2)."""
        return "crypto", str(Crypto(theirs.tag, theirs.suite, self.key(theirs.suite)))

    def choose(self, offered: Media) -> Crypto | None:
        """What to take of the peer's offer, in its order; None: plain media. Raises SdpError where we cannot agree."""
        secure = offered.protocol.upper() in SECURE_PROFILES
        if self.mode == "off":
            if secure:
                raise SdpError("The stream is encrypted; this trunk takes plain media only (srtp: off).")
            return None
        usable = cryptos(offered)
        if usable:
            return usable[0]
        if secure:
            raise SdpError("The stream has no a=crypto line that can be used here.")
        if self.mode == "required":
            raise SdpError("The stream is not encrypted; this trunk takes encrypted media only (srtp: required).")
        return None

    def answered(self, answer: Media, offered: Media) -> Crypto | None:
        """What the peer took of our offer; None: plain media. Raises SdpError for an answer that does not fit.

        Some answer an encrypted offer with plain RTP/AVP; where the trunk would only rather be secure, that is taken.
        """
        ours = {crypto.tag: crypto.suite for crypto in cryptos(offered)}
        secure = answer.protocol.upper() in SECURE_PROFILES
        if not ours:
            if secure:
                raise SdpError("The answer is encrypted, the offer was not.")
            return None
        taken = next((crypto for crypto in cryptos(answer) if ours.get(crypto.tag) is crypto.suite), None)
        if taken is None and (secure or self.mode == "required"):
            raise SdpError("The answer has no key that fits our offer.")
        return taken
