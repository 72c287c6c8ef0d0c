"""Numbers and identities as a trunk wants them written: the called number, From, and the headers beside it. Sans-I/O."""

from __future__ import annotations

from dataclasses import dataclass

import phonenumbers

from sipserver.message import NameAddr, SipUri, escape_user
from sipserver.numbers import ANONYMOUS
from sipserver.protocols import TrunkOptions

ANONYMOUS_URI = "sip:anonymous@anonymous.invalid"
ANONYMOUS_NAME = "Anonymous"
"""What a From says that tells nothing (RFC 3323 section 4.1.1.3)."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """Who an INVITE says that calls: its From without a tag, the escaped user of its Contact, and the headers beside them."""

    from_: NameAddr
    user: str
    headers: tuple[tuple[str, str], ...] = ()


def dialled(number: str, options: TrunkOptions) -> str:
    """A number of ours in the trunk's form.

    `e164` and `raw`: as it is. `national`: the digits that are dialled in the trunk's region, with the international prefix for other
    countries. What is no number in E.164 stays as it is, and so does a number abroad of a region with several international
    prefixes, one for each carrier: without its plus it would be another number at home.
    """
    return number if options.number_format != "national" else _national(number, options.region)


def shown(number: str, options: TrunkOptions) -> str:
    """A number of ours as who calls: as numbers are dialled, or in the form that the trunk wants identities in.

    `digits`: the country code and the number, without the plus. What is no number in E.164 stays as it is.
    """
    match options.identity_format:
        case "dialled":
            return dialled(number, options)
        case "national":
            return _national(number, options.region)
        case "digits" if number.startswith("+"):
            return number.removeprefix("+")
    return number


def _national(number: str, region: str | None) -> str:
    if region is None or not number.startswith("+"):
        return number
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    if phonenumbers.region_code_for_number(parsed) == region:
        text = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    else:
        text = phonenumbers.format_out_of_country_calling_number(parsed, region)
    if text.startswith("+"):
        return number
    return "".join(character for character in text if character.isdigit() or character in "*#") or number


def presented(number: str, display: str | None, options: TrunkOptions, host: str) -> Presentation:
    """How a call from `number` presents itself over this trunk; `host` is that of our identities there.

    Where `from_user` stands in From, the number goes into the header that `identity` names (RFC 3325, RFC 5806). With `privacy` From is
    anonymous and `Privacy: id` asks the network to keep the asserted identity to itself (RFC 3323, RFC 3325 section 9.3); that is
    not asked of the Contact, so the number does not stand there either.
    """
    caller = escape_user(shown(number, options))
    user = caller if options.from_user is None else escape_user(options.from_user)
    from_ = NameAddr(ANONYMOUS_NAME, ANONYMOUS_URI) if options.privacy else NameAddr(display, _uri(user, host))
    contact = ANONYMOUS if options.privacy and options.from_user is None else user
    headers = list(_identity(_uri(caller, host), display, options))
    if options.privacy:
        headers.append(("Privacy", "id"))
    return Presentation(from_, contact, (*headers, *options.headers))


def _identity(uri: str, display: str | None, options: TrunkOptions) -> list[tuple[str, str]]:
    address = NameAddr(display, uri)
    match options.identity:
        case "pai":
            return [("P-Asserted-Identity", str(address))]
        case "ppi":
            return [("P-Preferred-Identity", str(address))]
        case "diversion":
            privacy = "full" if options.privacy else "off"
            return [("Diversion", f"<{uri}>;reason=unconditional;privacy={privacy}")]
    return []


def _uri(user: str, host: str) -> str:
    return str(SipUri(scheme="sip", user=user, password=None, host=host))
