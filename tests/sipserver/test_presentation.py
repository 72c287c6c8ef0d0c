"""Who an INVITE says that calls, as the trunks of INTEROP.md want it."""

from __future__ import annotations

from typing import Any

import pytest

from sipserver.legs import Invitation
from sipserver.message import Request
from sipserver.presentation import dialled
from sipserver.protocols import Trunk, TrunkOptions
from sipserver.useragent.placing import placing_of
from tests.sipserver.transcripts import user_agent

US, DE = "+12025550123", "+4930123456"


def invite(to: str = US, caller: str = DE, **options: Any) -> Request:
    trunk = Trunk("t", "o", "registration", "sip.example.com", username="sip-id", options=TrunkOptions(**options))
    return placing_of(Invitation(trunk, to, caller, b"v=0\r\n"), user_agent().identity).request


@pytest.mark.parametrize(
    ("number", "form", "region", "written"),
    [
        (US, "e164", None, US),
        (DE, "e164", "DE", DE),
        (DE, "national", "DE", "030123456"),
        (US, "national", "DE", "0012025550123"),
        (US, "national", "US", "2025550123"),
        (US, "national", None, US),
        (US, "national", "BR", US),
        ("+551130123456", "national", "BR", "1130123456"),
        ("200", "national", "DE", "200"),
        ("200", "raw", None, "200"),
        (US, "raw", "US", US),
    ],
)
def test_numbers_are_written_as_the_trunk_dials_them(number: str, form: Any, region: str | None, written: str) -> None:
    assert dialled(number, TrunkOptions(number_format=form, region=region)) == written


@pytest.mark.parametrize(
    ("form", "number_format", "caller", "written"),
    [
        ("dialled", "e164", DE, DE),
        ("dialled", "national", DE, "030123456"),
        ("e164", "national", DE, DE),
        ("digits", "e164", DE, "4930123456"),
        ("digits", "national", DE, "4930123456"),
        ("national", "e164", DE, "030123456"),
        ("national", "e164", US, "0012025550123"),
        ("digits", "raw", "101", "101"),
    ],
)
def test_identities_may_have_a_form_of_their_own(form: Any, number_format: Any, caller: str, written: str) -> None:
    own = {"identity_format": form, "number_format": number_format, "region": "DE"}
    assert invite(caller=caller, **own).from_.uri == f"sip:{written}@sip.example.com"
    request = invite(caller=caller, from_user="sip-id", identity="ppi", **own)
    assert request.from_.uri == "sip:sip-id@sip.example.com"
    assert request.headers.get("P-Preferred-Identity") == f"<sip:{written}@sip.example.com>"
    called = "0012025550123" if number_format == "national" else US
    assert request.uri == f"sip:{called}@sip.example.com"


def test_without_options_the_number_stands_in_from_alone() -> None:
    request = invite()
    assert request.uri == f"sip:{US}@sip.example.com"
    assert request.from_.uri == f"sip:{DE}@sip.example.com"
    assert [
        name for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Privacy") if name in request.headers
    ] == []


@pytest.mark.parametrize(
    ("identity", "header", "value"),
    [
        ("pai", "P-Asserted-Identity", f"<sip:{DE}@sip.example.com>"),
        ("ppi", "P-Preferred-Identity", f"<sip:{DE}@sip.example.com>"),
        ("diversion", "Diversion", f"<sip:{DE}@sip.example.com>;reason=unconditional;privacy=off"),
    ],
)
def test_the_sip_id_in_from_and_the_number_beside_it(identity: str, header: str, value: str) -> None:
    """sipgate and its kin (INTEROP: retell-sip-integration #15, #17)."""
    request = invite(from_user="1234567e0", identity=identity)
    assert request.from_.uri == "sip:1234567e0@sip.example.com"
    assert request.headers.all(header) == [value]


def test_privacy_hides_the_number_from_all_but_the_trunk() -> None:
    request = invite(identity="pai", privacy=True)
    assert (request.from_.display, request.from_.uri) == ("Anonymous", "sip:anonymous@anonymous.invalid")
    assert request.headers.get("Privacy") == "id"
    assert request.headers.get("P-Asserted-Identity") == f"<sip:{DE}@sip.example.com>"


@pytest.mark.parametrize("from_user", [None, "1234567e0"])
def test_privacy_leaves_the_number_in_no_header_but_the_asserted_one(from_user: str | None) -> None:
    """`Privacy: id` asks the network to withhold the asserted identity alone (RFC 3325 section 9.3): the Contact goes on to the callee."""
    request = invite(identity="pai", privacy=True, from_user=from_user)
    assert [name for name, value in request.headers.items() if DE in value] == ["P-Asserted-Identity"]


def test_headers_of_the_trunk_go_with_each_invite() -> None:
    """Telnyx's token, Bandwidth's account."""
    request = invite(headers=(("X-Telnyx-Token", "abc"), ("X-Account-Id", "42")))
    assert (request.headers.get("X-Telnyx-Token"), request.headers.get("X-Account-Id")) == ("abc", "42")


def test_national_numbers_in_every_place() -> None:
    request = invite(to=DE, caller="+493055555", number_format="national", region="DE", identity="pai")
    assert request.uri.startswith("sip:030123456@")
    assert request.from_.uri.startswith("sip:03055555@")
    assert request.headers.get("P-Asserted-Identity") == "<sip:03055555@sip.example.com>"
