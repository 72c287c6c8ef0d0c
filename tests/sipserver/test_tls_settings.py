"""TLS in the settings, and what `antiphon doctor` says of its files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from sipserver.commands.certificates import authority_fault, certificate_faults, certificate_state
from sipserver.commands.doctor import examine
from sipserver.settings import ConfigError, load
from tests.sipserver.transport.pki import DAY, Pki

NOW = datetime.now(UTC)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki.make(tmp_path)


def test_tls_is_off_and_needs_its_files_when_it_is_on() -> None:
    assert load(None, {}).sip.tls_bind is None
    with pytest.raises(ConfigError, match="tls_bind needs tls_certificate and tls_key"):
        load(None, {"sip": {"tls_bind": "0.0.0.0:5061", "tls_certificate": "a.pem"}})


def test_a_good_pair_has_no_faults(pki: Pki) -> None:
    pair = pki.issue("sip.example.com", lasts=90 * DAY)
    assert certificate_faults(*pair, NOW) == []
    lasts, says = certificate_state(pair[0], NOW)
    assert lasts
    assert says.startswith("sip.example.com, until 20")
    assert authority_fault(pki.authorities) is None


def test_one_that_ends_soon_or_names_nobody_is_said_to(pki: Pki) -> None:
    lasts, says = certificate_state(pki.issue(lasts=3 * DAY)[0], NOW)
    assert not lasts
    assert says.startswith("no names, until")


def test_what_cannot_be_used_is_a_fault(pki: Pki, tmp_path: Path) -> None:
    certificate, key = pki.issue("sip.example.com")
    other, _ = pki.issue("sip.example.com", file="other")
    expired = pki.issue("sip.example.com", file="old", lasts=-DAY)
    assert certificate_faults(other, key, NOW) == [f"{key}: is not the key of the certificate"]
    (fault,) = certificate_faults(*expired, NOW)
    assert "expired on" in fault
    (fault,) = certificate_faults(certificate, key, NOW - 60 * DAY)
    assert "not valid before" in fault
    assert certificate_faults(tmp_path / "absent", key, NOW) == [f"{tmp_path / 'absent'}: No such file or directory"]
    assert certificate_faults(certificate, certificate, NOW) == [f"{certificate}: is not PEM that can be read"]
    assert authority_fault(key) == f"{key}: is not PEM that can be read"


def test_a_key_with_a_password_is_a_fault(pki: Pki, tmp_path: Path) -> None:
    certificate, _ = pki.issue("sip.example.com")
    locked = tmp_path / "locked.key"
    locked.write_bytes(pki.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    assert certificate_faults(certificate, locked, NOW) == [f"{locked}: has a password, which a server cannot type"]


def test_the_doctor_looks_at_the_files_where_tls_is_on(pki: Pki, tmp_path: Path) -> None:
    certificate, key = pki.issue("sip.example.com", lasts=90 * DAY)
    sip = {"tls_bind": "127.0.0.1:0", "tls_certificate": str(certificate), "tls_key": str(key), "tls_ca": str(key)}
    settings = load(None, {"sip": sip, "server": {"data_dir": str(tmp_path)}})
    found = {finding.what: finding for finding in examine(settings)}
    assert found["TLS certificate"].verdict == "ok"
    assert found["TLS authorities"].verdict == "fault"
    assert found["SIP tls"].verdict == "ok"
    plain = load(None, {"server": {"data_dir": str(tmp_path)}})
    assert not [finding for finding in examine(plain) if "TLS" in finding.what or "tls" in finding.what]
