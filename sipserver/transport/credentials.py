"""Certificates from files, for both directions of TLS, read anew when they have been changed: no restart for a renewal."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

Signature = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. `certificate` with its chain and `key` are shown to whoever asks, as server and as client.

    `authorities` are trusted besides those of the system when we check servers, and alone, where they are given, when
    `verify_clients` asks the peers that connect for certificates of theirs.
    """

    certificate: Path
    key: Path
    authorities: Path | None = None
    verify_clients: bool = False


class Credentials:
    """Contexts for new connections. Those that are open keep what they were made with (TLS 1.2 at least, both ways)."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises OSError, with the file and what is wrong with it."""
        self._files = files
        self._signature = self._look()
        self._server, self._client = server_context(files), client_context(files)

    def server(self) -> ssl.SSLContext:
        """For a connection that a peer makes."""
        self._refresh()
        return self._server

    def client(self) -> ssl.SSLContext:
        """For a connection that we make. Who the server is, `domains.speaks_for` has to judge afterwards."""
        self._refresh()
        return self._client

    def _refresh(self) -> None:
        """Read changed files. While they do not fit together, as in the middle of a renewal, the last ones that did are kept."""
        try:
            signature = self._look()
            if signature == self._signature:
                return
            self._signature = signature
            self._server, self._client = server_context(self._files), client_context(self._files)
        except OSError as error:
            log.error("tls_files_not_usable", error=str(error))
        else:
            log.info("tls_files_read_again", certificate=str(self._files.certificate))

    def _look(self) -> Signature:
        """What tells a file from its successor."""
        paths = (self._files.certificate, self._files.key, self._files.authorities)
        found = [path.stat() for path in paths if path is not None]
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in found)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for the side that is connected to. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _prepare(context, files)
    if files.verify_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        if files.authorities is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for the side that connects. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # RFC 5922 has rules of its own for the name; the chain is checked all the same.
    context.check_hostname = False
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    _prepare(context, files)
    return context


def _prepare(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    _named(files.certificate, lambda: context.load_cert_chain(files.certificate, files.key, password=_no_password))
    authorities = files.authorities
    if authorities is not None:
        _named(authorities, lambda: context.load_verify_locations(cafile=authorities))


def _named(path: Path, load: Callable[[], None]) -> None:
    """Errors of OpenSSL do not say which file they are about."""
    try:
        load()
    except ssl.SSLError as error:
        raise OSError(f"{path}: {error.reason or 'not usable'} (TLS certificate, key or authorities)") from None
    except FileNotFoundError as error:
        raise OSError(f"{path}, or its key: {error.strerror}") from None


def _no_password() -> str:
    """OpenSSL would ask on the terminal for the password of a key that has one; a server cannot wait for that."""
    return ""
