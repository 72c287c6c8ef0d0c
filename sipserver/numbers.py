"""Telephone numbers as SIP messages carry them: who is called, who calls, and the one form in which we keep both.

Trunks write numbers in many ways: `+12025550123`, `12025550123`, `0012025550123`, `tel:` URIs, national digits. We keep
E.164 with its plus sign where the digits can be read as such, and else what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from sipserver.message import MessageError, NameAddr, Request, user_of

ANONYMOUS = "anonymous"
"""The caller asked not to be known (RFC 3323 section 4.1)."""
UNKNOWN = "unknown"
"""The caller did not say who it is."""

_DIGITS = re.compile(r"(\+?)([0-9]{3,17})")
_WITHHELD = {"id", "user", "header"}
_RUN_OF_DIGITS = re.compile(r"\+?[0-9]{7,}")


def e164(text: str, region: str | None = None) -> str | None:
    """The number as `+` and 7–15 digits; None where it cannot be read as one.

    `region` is an ISO 3166 code: national digits are read as a number of that country. A number with a plus sign need not
    be assigned to anybody, for new ranges come faster than releases of the numbering plan.
    """
    match = _DIGITS.fullmatch(text)
    return None if match is None else _planned(match[1], match[2], region)


@lru_cache(1024)
def region_of(number: str) -> str | None:
    """The ISO 3166 code of an E.164 number's country; None where it has none."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None


def called_numbers(invite: Request) -> tuple[str, ...]:
    """What the call may be for, the likeliest first: the Request-URI's user, then To's, each in E.164 and as written.

    Registered trunks put the number into To, and our own Contact into the Request-URI.
    """
    found: dict[str, None] = {}
    for user in (_user(invite.uri), _user(invite.to.uri)):
        if user:
            found |= dict.fromkeys(form for form in (e164(user), user) if form)
    return tuple(found)


def caller_number(invite: Request, region: str | None = None, *, asserted: bool = True) -> str:
    """Who calls: P-Asserted-Identity before From (RFC 3325), in E.164 where it can be read so; `anonymous`, `unknown`.

    Without `asserted` From alone counts, for trunks that pass on an identity which nobody has checked.

    An identity that the caller withholds is not ours to show: an agent and a webhook are outside of the trust domain
    (RFC 3325 section 7).
    """
    claimed = _user(invite.from_.uri)
    if _is_withheld(invite, claimed):
        return ANONYMOUS
    address = asserted_identity(invite, region) if asserted else None
    if address is not None:
        return e164(_user(address.uri) or "", region) or UNKNOWN
    if not claimed:
        return UNKNOWN
    return e164(claimed, region) or claimed


def asserted_identity(invite: Request, region: str | None = None) -> NameAddr | None:
    """The first P-Asserted-Identity with a number that can be read as E.164; there may be a SIP and a tel URI (RFC 3325 section 9.1)."""
    return next((address for address in _asserted(invite) if e164(_user(address.uri) or "", region)), None)


def masked(number: str) -> str:
    """The number for logs and ladders: `+12*******23`. What is shorter than a subscriber's number stays, being an extension."""
    return _RUN_OF_DIGITS.sub(lambda match: _stars(match.group()), number)


def _stars(digits: str) -> str:
    return f"{digits[:3]}{'*' * (len(digits) - 5)}{digits[-2:]}"


@lru_cache(1024)
def _planned(plus: str, digits: str, region: str | None) -> str | None:
    """The latest are remembered: a call's few numbers are read several times, and the numbering plan takes its time."""
    if plus:
        return _international(digits)
    return _national(digits, region) or _prefixed(digits)


def _international(digits: str) -> str | None:
    if not 7 <= len(digits) <= 15 or digits[0] == "0":
        return None
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return f"+{digits}"
    return _written(number) if phonenumbers.is_valid_number(number) else f"+{digits}"


def _national(digits: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None
    written = _written(number)
    # The numbering plan knows longer ones in some countries; a number of ITU-T E.164 has no more than 15 digits.
    return written if len(written) <= 16 and phonenumbers.is_valid_number(number) else None


def _prefixed(digits: str) -> str | None:
    """Digits that begin with an international prefix (00, the one of ITU-T E.164), or with a country code and no plus."""
    if digits.startswith("00"):
        return _international(digits[2:])
    return _national(f"+{digits}", None)


def _written(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_withheld(invite: Request, claimed: str | None) -> bool:
    privacy = {value.strip().lower() for line in invite.headers.all("Privacy") for value in line.split(";")}
    anonymous = (claimed or "").lower() == ANONYMOUS or invite.from_.uri.lower().endswith("anonymous.invalid")
    return anonymous or bool(privacy & _WITHHELD)


def _asserted(invite: Request) -> Iterator[NameAddr]:
    for value in invite.headers.all("P-Asserted-Identity"):
        try:
            yield NameAddr.parse(value)
        except MessageError:
            continue


def _user(uri: str) -> str | None:
    try:
        return user_of(uri)
    except MessageError:
        return None
