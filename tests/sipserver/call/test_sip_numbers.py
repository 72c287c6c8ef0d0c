"""Numbers as trunks write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.message import Request
from sipserver.numbers import ANONYMOUS, UNKNOWN, called_numbers, caller_number, e164, masked, region_of
from tests.sipserver.call.fakes import CALLEE, invite


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+12025550123", None, "+12025550123"),
        ("12025550123", None, "+12025550123"),
        ("12025550123", "US", "+12025550123"),
        ("2025550123", "US", "+12025550123"),
        ("0012025550123", None, "+12025550123"),
        ("0301234567", "DE", "+49301234567"),
        ("00493012345678", "US", "+493012345678"),
        ("4930123456", "US", "+4930123456"),
        ("+4930123456", "US", "+4930123456"),
        # Not assigned to anybody, and dialled all the same.
        ("+19995550123", None, "+19995550123"),
        ("+99912345678", None, "+99912345678"),
        # Extensions, service numbers and names are none.
        ("100", "US", None),
        ("112", "DE", None),
        ("+112", None, None),
        ("+0123456789", None, None),
        ("+1234567890123456", None, None),
        ("020100000000000", "DE", None),
        ("00999", None, None),
        ("anonymous", None, None),
        ("", None, None),
        ("١٢٣٤٥٦٧٨٩", None, None),
    ],
)
def test_e164(text: str, region: str | None, number: str | None) -> None:
    assert e164(text, region) == number


@given(
    st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9]{1,20}", fullmatch=True)),
    st.sampled_from([None, "US", "DE", "??"]),
)
def test_e164_never_raises_and_is_stable(text: str, region: str | None) -> None:
    number = e164(text, region)
    if number is not None:
        assert number[0] == "+"
        assert 7 <= len(number) - 1 <= 15
        assert number[1:].isdecimal()
        assert e164(number, "US") == number


def test_regions() -> None:
    assert (region_of("+12025550123"), region_of("+4930123456"), region_of("100")) == ("US", "DE", None)


# -- who is called -------------------------------------------------------------------------------------------------------------


def called(uri: str, to: str | None = None) -> tuple[str, ...]:
    request = invite(None)
    request.uri = uri
    request.headers.set("To", to or f"<{uri}>")
    return called_numbers(request)


def test_the_request_uri_comes_first_then_to() -> None:
    assert called("sip:+12025550100@192.0.2.1", "<sip:+12025550101@trunk>") == (CALLEE, "+12025550101")


def test_a_number_without_plus_is_tried_both_ways() -> None:
    assert called("sip:12025550100@192.0.2.1") == (CALLEE, "12025550100")


def test_extensions_and_names_stay_as_written() -> None:
    assert called("sip:100@192.0.2.1") == ("100",)
    assert called("sip:front%20desk@192.0.2.1") == ("front desk",)


def test_telephone_uris_and_parameters_in_the_user() -> None:
    assert called("tel:+1-202-555-0100") == (CALLEE,)
    assert called("sip:+12025550100;npdi=yes@192.0.2.1;user=phone") == (CALLEE,)


def test_nobody_is_called_by_a_uri_without_user() -> None:
    assert called("sip:192.0.2.1") == ()
    assert called("urn:service:sos") == ()


# -- who calls -----------------------------------------------------------------------------------------------------------------


def caller(from_: str, *headers: str, region: str | None = "US") -> str:
    request = invite(None, headers=headers)
    request.headers.set("From", from_)
    return caller_number(request, region)


PAI = "P-Asserted-Identity: "


def test_from() -> None:
    assert caller("<sip:+12025550123@trunk>;tag=a") == "+12025550123"
    assert caller('"Ada" <sip:2025550123@trunk>;tag=a') == "+12025550123"
    assert caller("<tel:+1-202-555-0123>;tag=a") == "+12025550123"
    assert caller("<sip:alice@trunk>;tag=a") == "alice"
    assert caller("<sip:2025550123@trunk>;tag=a", region=None) == "2025550123"


def test_the_asserted_identity_comes_before_from() -> None:
    assert caller("<sip:line17@trunk>;tag=a", PAI + "<sip:+12025550123@trunk>") == "+12025550123"


def test_of_several_identities_the_first_number_counts() -> None:
    many = PAI + '"A, B" <sip:alice@trunk>, <tel:+12025550123>'
    assert caller("<sip:line17@trunk>;tag=a", many) == "+12025550123"


def test_an_identity_that_is_no_number_leaves_from() -> None:
    assert caller("<sip:+12025550123@trunk>;tag=a", PAI + "<sip:alice@trunk>") == "+12025550123"
    assert caller("<sip:+12025550123@trunk>;tag=a", PAI + "((nonsense") == "+12025550123"


@pytest.mark.parametrize(
    ("from_", "headers"),
    [
        ('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a', ()),
        ("<sip:Anonymous@trunk>;tag=a", (PAI + "<sip:+12025550123@trunk>",)),
        ("<sip:x@anonymous.invalid>;tag=a", ()),
        ("<sip:+12025550123@trunk>;tag=a", ("Privacy: id",)),
        ("<sip:+12025550123@trunk>;tag=a", (PAI + "<sip:+12025550123@trunk>", "Privacy: critical; ID")),
    ],
)
def test_who_withholds_its_number_stays_anonymous(from_: str, headers: tuple[str, ...]) -> None:
    assert caller(from_, *headers) == ANONYMOUS


def test_privacy_none_withholds_nothing() -> None:
    assert caller("<sip:+12025550123@trunk>;tag=a", "Privacy: none") == "+12025550123"


def test_a_caller_without_user_is_unknown() -> None:
    assert caller("<sip:pbx.example.com>;tag=a") == UNKNOWN


@given(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40))
def test_whatever_identity_is_asserted_nothing_raises(value: str) -> None:
    request: Request = invite(None)
    request.headers.add("P-Asserted-Identity", value)
    assert caller_number(request)


# -- what is shown -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+12025550123", "+12*******23"), ("12025550123", "120******23"), ("100", "100"), ("anonymous", "anonymous")],
)
def test_masked(number: str, shown: str) -> None:
    assert masked(number) == shown
