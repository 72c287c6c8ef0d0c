"""Recordings sealed at rest: whose keys wrap those of the files, whether they are the right ones, and how they are changed.

The keys are lines as in `secrets/master.key`, in that file or in one of the operator's. Among the recordings lies a proof, sealed with the
key that every sealed recording opens with: a server with other keys does not start, instead of finding out with the first recording that
somebody asks for. When a new key stands on the first line, the key of each recording is wrapped anew, which touches one page of it, and
then the proof; from then on the old key may go.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import structlog

from control_api.encoding import PART
from control_api.folder import DataFolder
from control_api.secrets import SecretBox, SecretsUnreadable, read_box
from media.either import EitherFiles
from media.files import SealBroken

_PROOF = "the keys of recordings"
BATCH = 100

log = structlog.get_logger(__name__)


class BoxKeeper:
    """`media.sealed.KeyKeeper` by a box."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def wrap(self, key: bytes) -> bytes:
        """The key, sealed."""
        return self._box.seal(key.hex()).encode()

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key that was sealed. Raises SealBroken."""
        try:
            return bytes.fromhex(self._box.open(wrapped.decode("ascii")))
        except (SecretsUnreadable, ValueError):
            raise SealBroken("It was sealed with another master key.") from None

    def is_current(self, wrapped: bytes) -> bool:
        """Whether the first key sealed it."""
        return self._box.is_newest(wrapped.decode("ascii", "replace"))


class RecordingVault:
    """The recordings of a data folder, as files, and the keys of the sealed ones."""

    def __init__(self, folder: DataFolder, box: SecretBox, *, sealing: bool) -> None:
        self.files = EitherFiles(BoxKeeper(box), sealing=sealing)
        self._box = box
        self._folder = folder

    async def change_keys(self) -> None:
        """Where a new key stands on the first line, wrap the key of each recording with it. Raises OSError."""
        if old_key_may_go(self._folder, self._box):
            return
        paths = await asyncio.to_thread(lambda: [path for path in self._folder.recordings.iterdir() if path.is_file()])
        changed = 0
        for at in range(0, len(paths), BATCH):
            changed += await asyncio.to_thread(self._rewrap_all, paths[at : at + BATCH])
        _write_proof(self._folder.recordings_proof, self._box)
        log.info("recordings have a new master key; the old one may go", recordings=changed)

    def _rewrap_all(self, paths: Sequence[Path]) -> int:
        return sum(self._rewrap(path) for path in paths)

    def _rewrap(self, path: Path) -> bool:
        try:
            return self.files.rewrap(path)
        except FileNotFoundError:
            return False
        except SealBroken as error:
            log.warning("a sealed recording cannot be opened with any of the keys", error=str(error))
            return False


def open_vault(folder: DataFolder, box: SecretBox, key_file: Path | None, *, sealing: bool) -> RecordingVault:
    """The vault of a data folder whose box is `box`. With `sealing`, new recordings are sealed. Raises SecretsUnreadable, OSError."""
    keys = box if key_file is None else _operators(key_file)
    trouble = wrong_keys(folder, keys, key_file)
    if trouble is not None:
        raise SecretsUnreadable(trouble)
    if sealing and not folder.recordings_proof.exists():
        _write_proof(folder.recordings_proof, keys)
    return RecordingVault(folder, keys, sealing=sealing)


def wrong_keys(folder: DataFolder, keys: SecretBox, key_file: Path | None) -> str | None:
    """The sentence that refuses these keys, because the folder's sealed recordings do not open with them. Raises OSError."""
    proof = folder.recordings_proof
    if not proof.exists():
        return None
    try:
        keys.open(proof.read_text("ascii", "replace"))
    except SecretsUnreadable:
        return (
            f"the sealed recordings in {folder.recordings} do not open with the keys in {key_file or folder.master_key}: put their key "
            f"on a line there, or name its file by recording.key_file (to give them up, delete {proof})"
        )
    return None


def old_key_may_go(folder: DataFolder, keys: SecretBox) -> bool:
    """Whether the folder's sealed recordings open with the first key alone. Raises OSError."""
    proof = folder.recordings_proof
    return not proof.exists() or keys.is_newest(proof.read_text("ascii", "replace"))


def _operators(key_file: Path) -> SecretBox:
    try:
        return read_box(key_file)
    except FileNotFoundError:
        raise SecretsUnreadable(
            f"recording.key_file: {key_file} is not there; a new key is made by: openssl rand -base64 32 | tr +/ -_"
        ) from None


def _write_proof(path: Path, box: SecretBox) -> None:
    """Written aside and then moved into place: there is never half of one."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(box.seal(_PROOF))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
