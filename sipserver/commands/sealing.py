"""What `antiphon doctor` says of recordings at rest: whether they are sealed, with which keys, and whether those are the right ones."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from control_api.folder import DataFolder
from control_api.sealing import old_key_may_go, wrong_keys
from control_api.secrets import SecretBox, SecretsUnreadable, read_box
from sipserver.settings import Settings

Verdict = Literal["ok", "note", "fault"]


def sealing_state(settings: Settings) -> tuple[Verdict, str]:
    """The verdict, and the sentence for it. Changes nothing."""
    folder, key_file = DataFolder(settings.server.data_dir), settings.recording.key_file
    keys = key_file or folder.master_key
    if key_file is None and not keys.exists():
        return (
            ("ok", f"sealed with {keys}, made at the first start")
            if settings.recording.encrypt
            else _in_the_clear(False)
        )
    try:
        box = read_box(keys)
        trouble = wrong_keys(folder, box, key_file)
        sealed_before = folder.recordings_proof.exists()
    except FileNotFoundError:
        return "fault", f"recording.key_file: {keys} is not there"
    except (OSError, SecretsUnreadable) as error:
        return "fault", str(error)
    if trouble is not None:
        return "fault", trouble
    return _sealed(keys, folder, box) if settings.recording.encrypt else _in_the_clear(sealed_before)


def _in_the_clear(sealed_before: bool) -> tuple[Verdict, str]:
    earlier = "; those that were sealed before can be opened" if sealed_before else ""
    return "ok", f"new ones are not sealed (recording.encrypt is off){earlier}"


def _sealed(keys: Path, folder: DataFolder, box: SecretBox) -> tuple[Verdict, str]:
    if keys.stat().st_mode & 0o077:
        return "note", f"sealed with {keys}, which others than its owner may read: chmod 600"
    if box.keys > 1:
        rest = "the further lines may go" if old_key_may_go(folder, box) else "the further lines are still needed"
        return "ok", f"sealed with the first key in {keys}; {rest}"
    return "ok", f"sealed with {keys}"
