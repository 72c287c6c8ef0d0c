"""What `antiphon doctor` says of the TLS files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

SOON = timedelta(days=14)
"""A certificate that ends within this time should have been renewed by whatever renews it."""


def certificate_faults(certificate: Path, key: Path, now: datetime) -> list[str]:
    """What keeps this pair from being used, a sentence each."""
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError) as error:
        return [f"{certificate}: {_why(error)}"]
    own = chain[0]
    faults = []
    if own.not_valid_after_utc <= now:
        faults.append(f"{certificate}: expired on {own.not_valid_after_utc:%Y-%m-%d}")
    if own.not_valid_before_utc > now:
        faults.append(f"{certificate}: not valid before {own.not_valid_before_utc:%Y-%m-%d}")
    return [*faults, *_key_faults(own, key)]


def certificate_state(certificate: Path, now: datetime) -> tuple[bool, str]:
    """Of a certificate without faults: whether it lasts well beyond now, and whom it names until when."""
    own = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    until = own.not_valid_after_utc
    return until - now > SOON, f"{', '.join(_names(own)) or 'no names'}, until {until:%Y-%m-%d}"


def authority_fault(authorities: Path) -> str | None:
    """What keeps a file of authorities from being used."""
    try:
        x509.load_pem_x509_certificates(authorities.read_bytes())
    except (OSError, ValueError) as error:
        return f"{authorities}: {_why(error)}"
    return None


def today() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def _key_faults(own: x509.Certificate, key: Path) -> list[str]:
    try:
        private = load_pem_private_key(key.read_bytes(), None)
    except TypeError:
        return [f"{key}: has a password, which a server cannot type"]
    except (OSError, ValueError) as error:
        return [f"{key}: {_why(error)}"]
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != own.public_key().public_bytes(*form):
        return [f"{key}: is not the key of the certificate"]
    return []


def _names(own: x509.Certificate) -> list[str]:
    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "is not PEM that can be read"
