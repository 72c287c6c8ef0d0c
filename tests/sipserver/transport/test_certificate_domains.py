"""Whom a certificate speaks for: RFC 5922 section 7."""

from __future__ import annotations

import pytest

from sipserver.transport.domains import speaks_for


def certificate(*names: tuple[str, str]) -> dict[str, object]:
    return {"subject": ((("commonName", "sip.example.com"),),), "subjectAltName": names}


@pytest.mark.parametrize(
    ("names", "host", "speaks"),
    [
        ([("DNS", "sip.example.com")], "sip.example.com", True),
        ([("DNS", "SIP.Example.COM")], "sip.example.com.", True),
        ([("DNS", "example.com")], "sip.example.com", False),
        ([("DNS", "sip.example.com.evil.example")], "sip.example.com", False),
        # A sip: URI without user names a domain, and then no DNS name counts (section 7.1).
        ([("URI", "sip:example.com"), ("DNS", "sip.example.com")], "example.com", True),
        ([("URI", "SIP:example.com"), ("DNS", "sip.example.com")], "sip.example.com", False),
        ([("URI", "sip:alice@example.com"), ("DNS", "sip.example.com")], "example.com", False),
        ([("URI", "sip:alice@example.com"), ("DNS", "sip.example.com")], "sip.example.com", True),
        ([("URI", "sips:example.com")], "example.com", False),
        ([("URI", "https://example.com")], "example.com", False),
        # Wildcards: one whole label on the left.
        ([("DNS", "*.example.com")], "sip.example.com", True),
        ([("DNS", "*.example.com")], "a.sip.example.com", False),
        ([("DNS", "*.example.com")], "example.com", False),
        ([("DNS", "s*.example.com")], "sip.example.com", False),
        ([("DNS", "sip.*.com")], "sip.example.com", False),
        ([("DNS", "*.*.com")], "sip.example.com", False),
        ([("DNS", "*.com")], "example.com", False),
        ([("DNS", "*")], "localhost", False),
        # Addresses only where an address was asked for, and names never then.
        ([("IP Address", "192.0.2.1")], "192.0.2.1", True),
        ([("IP Address", "2001:DB8:0:0:0:0:0:1")], "[2001:db8::1]", True),
        ([("IP Address", "192.0.2.1")], "192.0.2.2", False),
        ([("DNS", "192.0.2.1")], "192.0.2.1", False),
        ([], "sip.example.com", False),
    ],
)
def test_a_certificate_speaks_for_its_domains(names: list[tuple[str, str]], host: str, speaks: bool) -> None:
    assert speaks_for(certificate(*names), host) is speaks


def test_no_certificate_speaks_for_nobody() -> None:
    assert not speaks_for(None, "sip.example.com")
    assert not speaks_for({}, "sip.example.com")
