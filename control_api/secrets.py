"""Secrets at rest: sealed with the master key of the data folder.

The key file has one Fernet key on each line. The first one seals; all of them open, so that a key is changed by putting a new
line above the old one. From the same keys come those that sign links.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretsUnreadable(Exception):
    """The master key is missing, damaged, or not the one with which a secret was sealed."""


class SecretBox:
    """Seals and opens texts."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises SecretsUnreadable for what is no list of Fernet keys."""
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise SecretsUnreadable(f"The master key cannot be used: {error}.") from None
        self._keys = tuple(keys)

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return len(self._keys)

    def seal(self, text: str) -> str:
        """The text, encrypted and authenticated."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises SecretsUnreadable."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretsUnreadable("A secret was sealed with another master key.") from None

    def is_newest(self, sealed: str) -> bool:
        """Whether it was sealed with the first key, thus opens when the others are gone."""
        try:
            Fernet(self._keys[0]).decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def seal_optional(self, text: str | None) -> str | None:
        return None if text is None else self.seal(text)

    def open_optional(self, sealed: str | None) -> str | None:
        return None if sealed is None else self.open(sealed)

    def signing_keys(self) -> tuple[bytes, ...]:
        """Keys for signatures, of the same age and order; they tell nothing about the master keys."""
        return tuple(hmac.digest(key, b"antiphon signed links", hashlib.sha256) for key in self._keys)


def open_box(master_key: Path) -> SecretBox:
    """The box of a data folder; at the first start its key is made. Raises SecretsUnreadable, OSError."""
    if not master_key.exists():
        _make_key(master_key)
    return read_box(master_key)


def read_box(key_file: Path) -> SecretBox:
    """The box of a file of keys that is there. Raises SecretsUnreadable, OSError."""
    try:
        return SecretBox(key_file.read_bytes().split())
    except SecretsUnreadable as error:
        raise SecretsUnreadable(f"{key_file}: {error}") from None


def _make_key(path: Path) -> None:
    """Written aside and then linked into place: two first starts agree on one key, and no half of a key is ever seen."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError:
        return
    finally:
        aside.unlink()
