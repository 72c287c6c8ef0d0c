"""The operator's folder of background sounds: what is taken, at which level, and what is said of the rest."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from media.frames import Pcm
from media.sound_library import load_sounds
from media.sounds import RMS
from tests.tones import tone


def write(path: Path, pcm: Pcm, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())


def test_files_are_loops_beside_our_own_and_what_cannot_be_played_is_named(tmp_path: Path) -> None:
    write(tmp_path / "Fountain.wav", tone(441, 2.003, 500, 44100), 44100)
    write(tmp_path / "blip.wav", tone(441, 0.3, 500, 16000), 16000)
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / ".hidden").write_text("an editor's")
    (tmp_path / "folder").mkdir()
    library = load_sounds(tmp_path)
    *ours, fountain = library.sounds
    assert all(sound.built_in for sound in ours)
    assert (fountain.name, fountain.built_in) == ("Fountain", False)
    assert 1.85 < fountain.seconds <= 1.92
    assert np.sqrt(np.square(fountain.pcm.astype(float)).mean()) == pytest.approx(RMS, rel=0.02)
    twice = np.tile(fountain.pcm, 2).astype(int)
    assert np.abs(np.diff(twice)).max() <= RMS * 1.5 * 2 * np.pi * 441 / 16000 * 1.1
    assert [problem.partition(":")[0] for problem in library.problems] == ["blip.wav", "notes.txt"]
    assert len({sound.id for sound in library.sounds}) == len(library.sounds)


def test_an_id_follows_from_the_name_alone_and_no_folder_is_no_fault(tmp_path: Path) -> None:
    first = load_sounds(tmp_path / "missing")
    assert not first.problems
    write(tmp_path / "a.wav", tone(441, 1.5, 500, 16000), 16000)
    before = load_sounds(tmp_path)
    write(tmp_path / "a.wav", tone(600, 1.5, 500, 16000), 16000)
    after = load_sounds(tmp_path)
    assert [sound.id for sound in before.sounds] == [sound.id for sound in after.sounds]
    assert [sound.id for sound in after.sounds[:-1]] == [sound.id for sound in first.sounds]
