"""The demo's folder: one demo at a time, and only a demo's own files are removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipserver.demo.folder import PICTURE, WEBHOOK, FolderBusy, demo_folder


def test_what_an_earlier_demo_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "antiphon.db").write_text("old")
    for name in (PICTURE, WEBHOOK, "thesis.txt"):
        (tmp_path / name).write_text("old")
    with demo_folder(tmp_path) as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["demo.lock", "thesis.txt"]


def test_two_demos_at_once_are_refused_and_harm_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "demo"
    with demo_folder(folder):
        (folder / PICTURE).write_text("of the first")
        with pytest.raises(FolderBusy, match=r"another demo runs in .*--folder"), demo_folder(folder):
            pass
        assert (folder / PICTURE).read_text() == "of the first"
    with demo_folder(folder):
        assert not (folder / PICTURE).exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError), demo_folder(tmp_path / "file" / "demo"):
        pass
