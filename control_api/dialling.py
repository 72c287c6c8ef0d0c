"""What may be dialled: nothing abroad, nothing that costs extra, no help line, unless the operator said so."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from control_api.errors import ApiError, invalid

_INTERNATIONAL = re.compile(r"\+[0-9]{7,15}", re.ASCII)
_EXTENSION = re.compile(r"(?![0-9]{7})[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30})", re.ASCII)
_EXPENSIVE = {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST}
_PREMIUM_CODES = {979}
"""The international premium rate service (ITU-T E.169.2)."""


@dataclass(frozen=True, slots=True)
class DiallingPolicy:
    """`allow_countries`: ISO 3166 codes, or calling codes with a plus for what is no country (`+881`, satellites)."""

    allow_countries: tuple[str, ...] = ()
    allow_own_numbers: bool = False
    max_queue: int = 1000

    def check(self, to: str, caller: str, own_numbers: Container[str], region: str | None = None) -> None:
        """Raises ApiError: 400 for what cannot be dialled, 403, naming the setting, for what may not be.

        `caller` is the number that the call is placed from, E.164 or an extension; `region` is its trunk's, the home country
        of an extension.
        """
        country = country_of(caller, region)
        if phonenumbers.connects_to_emergency_number(to, country):
            raise ApiError(403, "Emergency numbers are not dialled.")
        number = _parse(to)
        if to in own_numbers and not self.allow_own_numbers:
            raise ApiError(
                403, "This is a number of this installation; the setting dialling.allow_own_numbers allows it."
            )
        if number.country_code in _PREMIUM_CODES or phonenumbers.number_type(number) in _EXPENSIVE:
            raise ApiError(403, "Premium rate numbers are not dialled.")
        self._check_country(number, country)

    def _check_country(self, number: PhoneNumber, own: str) -> None:
        country = _country(number)
        allowed = {entry.upper() for entry in self.allow_countries}
        if country != own and not {country, f"+{number.country_code}"} & allowed:
            place = country if country.isalpha() and country != "ZZ" else f"+{number.country_code}"
            raise ApiError(403, f"Calls to {place} are not allowed; the setting dialling.allow_countries allows them.")


def is_extension(to: str, caller: str, region: str | None = None) -> bool:
    """Whether this is a name or a short number within a PBX: neither a number of the telephone network nor a help line."""
    return _EXTENSION.fullmatch(to) is not None and not phonenumbers.connects_to_emergency_number(
        to, country_of(caller, region)
    )


def country_of(number: str, region: str | None = None) -> str:
    """The ISO 3166 code of an E.164 number's country; `001` for what belongs to none, `ZZ` for what is not known.

    An extension says nothing of its country: it is in its trunk's `region`, where that is set.
    """
    if region is not None and not number.startswith("+"):
        return region
    try:
        return _country(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return "ZZ"


def _parse(to: str) -> PhoneNumber:
    """Unassigned ranges pass, for new ones come faster than releases of the numbering plan."""
    if to.startswith("+") and not _INTERNATIONAL.fullmatch(to):
        raise invalid(("to", "must have 7 to 15 digits after the plus sign"))
    if not to.startswith("+"):
        raise invalid(("to", "must be written in E.164, with a plus sign: this number's trunk takes no other form"))
    try:
        return phonenumbers.parse(to)
    except phonenumbers.NumberParseException:
        raise invalid(("to", "begins with no known country code")) from None


def _country(number: PhoneNumber) -> str:
    """An unassigned number has no country of its own; its calling code's first country stands for it."""
    found = phonenumbers.region_code_for_number(number)
    return found or phonenumbers.region_code_for_country_code(number.country_code or 0)
