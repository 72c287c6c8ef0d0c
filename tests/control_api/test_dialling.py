"""What may be dialled from a number of the United States."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.dialling import DiallingPolicy, country_of
from control_api.errors import ApiError

OWN = "+12025550100"


def status(policy: DiallingPolicy, to: str, caller: str = OWN) -> int:
    try:
        policy.check(to, caller, {OWN})
    except ApiError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("+12025550123", 200),
        ("+15551234567", 200),
        ("+1", 400),
        ("+123456", 400),
        ("+1234567890123456", 400),
        ("+1202555012a", 400),
        ("+99912345678", 400),
        ("2025550123", 400),
        ("sip:bob@example.com", 400),
        ("911", 403),
        ("112", 403),
        ("+12423221234", 403),
        ("+442079460000", 403),
        ("+19005551234", 403),
        ("+97912345678", 403),
        ("+88161234567", 403),
        (OWN, 403),
    ],
)
def test_the_default_policy(to: str, expected: int) -> None:
    assert status(DiallingPolicy(), to) == expected


@pytest.mark.parametrize(
    ("policy", "to", "expected"),
    [
        (DiallingPolicy(allow_countries=("DE",)), "+4930123456", 200),
        (DiallingPolicy(allow_countries=("de",)), "+4930123456", 200),
        (DiallingPolicy(allow_countries=("DE",)), "+442079460000", 403),
        (DiallingPolicy(allow_countries=("DE",)), "+499001234567", 403),
        (DiallingPolicy(allow_countries=("+881",)), "+88161234567", 200),
        (DiallingPolicy(allow_countries=("+979",)), "+97912345678", 403),
        (DiallingPolicy(allow_own_numbers=True), OWN, 200),
    ],
)
def test_what_the_operator_opens(policy: DiallingPolicy, to: str, expected: int) -> None:
    assert status(policy, to) == expected


def test_the_country_is_that_of_the_calling_number() -> None:
    assert status(DiallingPolicy(), "+4930123456", caller="+493012345") == 200
    assert status(DiallingPolicy(), "+12025550123", caller="+493012345") == 403
    assert status(DiallingPolicy(), "110", caller="+493012345") == 403
    assert [country_of(number) for number in (OWN, "+15551234567", "+99912345", "x")] == ["US", "US", "ZZ", "ZZ"]


def test_an_extension_is_at_home_in_the_region_of_its_trunk() -> None:
    policy = DiallingPolicy()
    policy.check("+4930123456", "101", {OWN}, "DE")
    for to, caller, region in (("+12025550123", "101", "DE"), ("110", "101", "DE"), ("+4930123456", OWN, "DE")):
        with pytest.raises(ApiError) as refused:
            policy.check(to, caller, {OWN}, region)
        assert refused.value.status == 403, to
    assert status(policy, "+4930123456", caller="101") == 403
    assert country_of(OWN, "DE") == "US"


@given(st.text(alphabet="+0123456789#*; a\u0661", max_size=20))
def test_whatever_is_dialled_is_allowed_or_refused(to: str) -> None:
    assert status(DiallingPolicy(), to) in (200, 400, 403)
