"""The master key, what is sealed with it, keys of the API, and signed links."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from control_api import admin
from control_api.admin import NoSuchKey
from control_api.folder import DataFolder, FolderInUse
from control_api.keytext import is_well_formed, new_key
from control_api.secrets import SecretBox, SecretsUnreadable, open_box
from control_api.signing import LinkSigner

SECOND = 1_000_000


def folder(root: Path) -> DataFolder:
    made = DataFolder(root / "data")
    made.prepare()
    return made


def test_every_folder_that_is_written_into_is_there(tmp_path: Path) -> None:
    place = folder(tmp_path)
    for made in (place.recordings, place.hold_music, place.background_sounds, place.traces, place.master_key.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_the_master_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    place = folder(tmp_path)
    sealed = open_box(place.master_key).seal("s3cret")
    assert stat.S_IMODE(place.master_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.root.stat().st_mode) == 0o700
    assert [path.name for path in place.master_key.parent.iterdir()] == ["master.key"]
    assert open_box(place.master_key).open(sealed) == "s3cret"


def test_a_new_key_above_the_old_one_opens_what_was_sealed_before(tmp_path: Path) -> None:
    place = folder(tmp_path)
    old = open_box(place.master_key)
    sealed, link = old.seal("x"), LinkSigner("https://a", old.signing_keys()).link("/p", 9 * SECOND)
    place.master_key.write_bytes(Fernet.generate_key() + b"\n" + place.master_key.read_bytes())
    new = open_box(place.master_key)
    assert new.open(sealed) == "x"
    signature = link.partition("signature=")[2]
    assert LinkSigner("https://a", new.signing_keys()).opens("/p", "9", signature, 9 * SECOND)
    with pytest.raises(SecretsUnreadable):
        old.open(new.seal("y"))


def test_a_damaged_master_key_is_told(tmp_path: Path) -> None:
    place = folder(tmp_path)
    for content in (b"", b"not a key\n"):
        place.master_key.write_bytes(content)
        with pytest.raises(SecretsUnreadable, match=str(place.master_key)):
            open_box(place.master_key)


@given(st.text())
def test_what_is_sealed_opens_again(text: str) -> None:
    box = SecretBox([KEY])
    try:
        assert box.open(box.seal(text)) == text
    except UnicodeEncodeError:
        assert any("\ud800" <= character <= "\udfff" for character in text)


KEY = Fernet.generate_key()


def test_a_keys_checksum_finds_every_single_mistake() -> None:
    text = new_key()
    assert (len(text), is_well_formed(text)) == (53, True)
    for place, right in enumerate(text):
        for wrong in "aB3_-":
            if wrong != right:
                assert not is_well_formed(text[:place] + wrong + text[place + 1 :])


@given(st.text())
def test_no_text_breaks_the_check_of_keys(text: str) -> None:
    assert not is_well_formed(text)


@given(st.text(), st.text(), st.text())
def test_no_text_opens_a_link_or_breaks_the_check(path: str, expires: str, signature: str) -> None:
    assert not LinkSigner("https://a", [b"key"]).opens(path, expires, signature, 0)


def test_a_link_ends_with_its_time() -> None:
    signer = LinkSigner("https://calls.example.com", [b"key"])
    link = signer.link("/v1/calls/1/recording", 10 * SECOND)
    assert link == signer.link("/v1/calls/1/recording", 10 * SECOND)
    expires, signature = link.partition("?expires=")[2].split("&signature=")
    assert signer.opens("/v1/calls/1/recording", expires, signature, 10 * SECOND)
    assert not signer.opens("/v1/calls/1/recording", expires, signature, 11 * SECOND)
    assert not signer.opens("/v1/calls/2/recording", expires, signature, 0)
    assert not signer.opens("/v1/calls/1/recording", "11", signature, 0)


def test_keys_are_made_listed_and_revoked_on_the_folder(tmp_path: Path) -> None:
    text = admin.create_key(tmp_path / "new", "laptop", "admin")
    admin.create_key(tmp_path / "new", "ci", "read")
    assert is_well_formed(text)
    newest, oldest = admin.list_keys(tmp_path / "new")
    assert [(key.name, key.scope) for key in (oldest, newest)] == [("laptop", "admin"), ("ci", "read")]
    admin.revoke_key(tmp_path / "new", oldest.id)
    with pytest.raises(NoSuchKey):
        admin.revoke_key(tmp_path / "new", oldest.id)
    assert [key.revoked_at is None for key in admin.list_keys(tmp_path / "new")] == [True, False]


def test_a_folder_is_held_by_one_server(tmp_path: Path) -> None:
    place = folder(tmp_path)
    held = place.lock()
    with pytest.raises(FolderInUse):
        place.lock()
    held.release()
    place.lock().release()
