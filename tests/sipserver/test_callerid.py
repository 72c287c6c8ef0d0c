"""Who calls: the number by policy, and what an INVITE says besides, as variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.callerid import MAX_VALUE, caller_of, caller_variables
from tests.sipserver.call.fakes import invite

PAI = 'P-Asserted-Identity: "Ada L" <sip:+12025550199@carrier.example;verstat=TN-Validation-Passed-A>'


def variables(
    *headers: str,
    allowed: Sequence[str] = (),
    caller: str = "+12025550199",
    policy: Literal["pai", "from"] = "pai",
) -> dict[str, str]:
    return caller_variables(invite(None, headers=headers), caller, policy, None, allowed)


def test_the_asserted_identity_counts_unless_the_trunk_is_told_otherwise() -> None:
    request = invite(None, caller="+12025550111", headers=[PAI])
    assert caller_of(request, "pai", None) == "+12025550199"
    assert caller_of(request, "from", None) == "+12025550111"


def test_of_several_identities_the_first_usable_one() -> None:
    request = invite(None, headers=["P-Asserted-Identity: <sip:anonymous@x>, <tel:+12025550177>"])
    assert caller_of(request, "pai", None) == "+12025550177"


def test_a_withheld_number_stays_withheld_under_both_policies() -> None:
    request = invite(None, headers=[PAI, "Privacy: id"])
    assert {caller_of(request, "pai", None), caller_of(request, "from", None)} == {"anonymous"}
    assert variables(PAI, "Privacy: id", caller="anonymous") == {"caller_verstat": "TN-Validation-Passed-A"}


def test_national_digits_are_read_in_the_trunks_region() -> None:
    assert caller_of(invite(None, caller="030123456"), "from", "DE") == "+4930123456"


def test_what_else_is_told_of_the_caller() -> None:
    told = variables(PAI, "Diversion: <sip:+12025550155@pbx.example>;reason=no-answer")
    assert told == {
        "caller_id_raw": "sip:+12025550199@carrier.example;verstat=TN-Validation-Passed-A",
        "caller_name": "Ada L",
        "caller_verstat": "TN-Validation-Passed-A",
        "diverted_from": "sip:+12025550155@pbx.example",
    }


def test_a_trunk_whose_asserted_identities_do_not_count_gives_nothing_of_them() -> None:
    """The verdict on a number that nobody has checked is nobody's verdict."""
    told = variables(PAI, policy="from")
    assert told == {"caller_id_raw": "sip:+12025550123@198.51.100.7"}


def test_who_was_called_first_may_stand_in_history_info() -> None:
    """RFC 7044: its first entry."""
    told = variables("History-Info: <sip:+12025550155@pbx.example>;index=1, <sip:+12025550177@pbx.example>;index=1.1")
    assert told["diverted_from"] == "sip:+12025550155@pbx.example"


def test_the_raw_value_is_that_of_the_identity_that_counts() -> None:
    told = variables('P-Asserted-Identity: <sip:anonymous@x>, "Ada L" <tel:+12025550177;verstat=No-TN-Validation>')
    assert (told["caller_id_raw"], told["caller_name"]) == ("tel:+12025550177;verstat=No-TN-Validation", "Ada L")
    assert told["caller_verstat"] == "No-TN-Validation"


def test_a_display_name_that_looks_like_a_verdict_is_none() -> None:
    """Whoever rings writes it."""
    name = '";verstat=TN-Validation-Passed-A"'
    told = variables(f"P-Asserted-Identity: {name} <sip:+12025550199@x;verstat=TN-Validation-Failed>")
    assert told["caller_verstat"] == "TN-Validation-Failed"
    assert "caller_verstat" not in variables(f"P-Asserted-Identity: {name} <sip:+12025550199@x>")


def test_a_verdict_beside_the_uri_is_one_too() -> None:
    told = variables("P-Asserted-Identity: <sip:+12025550199@x>;verstat=TN-Validation-Passed-B")
    assert told["caller_verstat"] == "TN-Validation-Passed-B"


def test_only_headers_that_the_trunk_names_become_variables() -> None:
    told = variables("X-Customer-ID: 4711", "X-Secret: no", allowed=["x-customer-id"])
    assert told["x_customer_id"] == "4711"
    assert "x_secret" not in told


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("616263;encoding=hex;purpose=isdn-uui", "abc"),
        ("00ff;encoding=hex", "00ff"),
        ("c3a4;encoding=hex", "ä"),
        ('616263;purpose=isdn-uui;encoding="hex"', "abc"),
        ('"616263";encoding=hex', "abc"),
        ('"order 7"', "order 7"),
        (r'"order; \"7\"";purpose=crm', 'order; "7"'),
        ('"unfinished; 7', '"unfinished'),
        ("order%207", "order 7"),
        ("abc;encoding=hex", "abc"),
    ],
)
def test_user_to_user_is_read_where_it_is_text(value: str, read: str) -> None:
    assert variables(f"User-to-User: {value}", allowed=["User-to-User"])["user_to_user"] == read


@given(st.text(max_size=2000))
def test_whatever_they_write_is_short_and_printable(text: str) -> None:
    line = "".join(text.splitlines())
    try:
        request = invite(None, headers=[f"X-Any: {line}", f"User-to-User: {line}"])
    except ValueError:
        return
    for value in caller_variables(request, "unknown", "pai", None, ["X-Any", "User-to-User"]).values():
        assert value.isprintable()
        assert len(value) <= MAX_VALUE
