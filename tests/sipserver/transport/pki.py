"""Certificates for tests: an authority of its own, and what it signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sipserver.transport.credentials import TlsFiles

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pki:
    """An authority whose files lie in a folder: `ca.pem`, and for each `name` `name.pem` and `name.key`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> Pki:
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Test authority")
        builder = _builder(name, name, key, DAY).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        certificate = builder.sign(key, hashes.SHA256())
        (folder / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        return cls(folder, key, certificate)

    @property
    def authorities(self) -> Path:
        return self.folder / "ca.pem"

    def issue(
        self, *names: str, file: str = "server", lasts: timedelta = DAY, self_signed: bool = False
    ) -> tuple[Path, Path]:
        """A certificate for names, addresses and `sip:` URIs, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("somebody")
        issuer = subject if self_signed else self.certificate.subject
        builder = _builder(subject, issuer, key, lasts)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        certificate = builder.sign(key if self_signed else self.key, hashes.SHA256())
        paths = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def files(self, *names: str, file: str = "server", verify_clients: bool = False, **options: object) -> TlsFiles:
        """What a transport takes."""
        certificate, key = self.issue(*names, file=file, **options)  # type: ignore[arg-type]
        return TlsFiles(certificate, key, self.authorities, verify_clients)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * DAY)
        .not_valid_after(now + lasts)
    )


def _general(name: str) -> x509.GeneralName:
    if ":" in name and not name[0].isdigit():
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
