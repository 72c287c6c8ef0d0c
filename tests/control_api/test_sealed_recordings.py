"""Sealed recordings: nothing of them can be read from the disk, and everything that the API serves of them is what it always was."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cryptography.fernet import Fernet

from control_api.encoder_process import EncoderProcess
from control_api.encoding import Encoder, Keyed
from control_api.folder import DataFolder
from control_api.housekeeping import Housekeeping
from control_api.sealing import RecordingVault, open_vault
from control_api.secrets import SecretsUnreadable, open_box, read_box
from control_api.services import DAY
from control_api.store import outbox
from media.sealed import KEY_BYTES, is_sealed
from media.wav import WavWriter, repair
from sipserver.commands.sealing import sealing_state
from sipserver.settings import Settings, load
from tests.control_api.installation import START, Installation, run
from tests.control_api.test_after_call import ended_call, must_claim, recording_job

SECONDS = 3
CODECS = {"wav": "pcm_s16le", "mp3": "mp3", "ogg": "opus"}
SIGNS = (b"RIFF", b"WAVEfmt", b"ID3", b"LAME", b"OggS", b"OpusHead", b"Lavf")
"""What a file begins with, or tells of itself, that is not sealed."""


@pytest.fixture(scope="module")
def process() -> Iterator[EncoderProcess]:
    made = EncoderProcess()
    yield made
    made.close()


def vault_of(root: Path, *, sealing: bool = True, key_file: Path | None = None) -> RecordingVault:
    folder = DataFolder(root)
    folder.prepare()
    return open_vault(folder, open_box(folder.master_key), key_file, sealing=sealing)


def record(vault: RecordingVault, path: Path) -> None:
    """A tone on the left, silence on the right; the right place of each sample can be told."""
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(8000 * SECONDS) / 8000)
    writer = WavWriter(path, vault.files)
    writer.put(0, np.stack([tone, np.zeros_like(tone)], axis=1).astype(np.int16))
    writer.close()


async def recorded_call(i: Installation, vault: RecordingVault) -> str:
    """A call that is over, and has what comes after it."""
    call_id = await ended_call(i)
    record(vault, Path(i.log.recording_path(call_id)))
    await recording_job(i).handle(await must_claim(i, outbox.RECORDING))
    return call_id


def content(vault: RecordingVault, path: Path) -> bytes:
    file = vault.files.open(path)
    try:
        return file.read(0, file.size())
    finally:
        file.close()


def in_the_clear(recordings: Path) -> list[str]:
    """Files in which something can be read."""
    files = [path for path in recordings.iterdir() if path.suffix != ".proof"]
    return [path.name for path in files if any(sign in path.read_bytes() for sign in SIGNS)]


def ffprobe(octets: bytes, folder: Path) -> dict[str, str]:
    path = folder / "served"
    path.write_bytes(octets)
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,channels:format=duration", "-of", "json"]
    done = subprocess.run([*command, str(path)], capture_output=True, check=True)
    assert done.stderr == b""
    found = json.loads(done.stdout)
    return {**found["streams"][0], **found["format"]}


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_what_the_api_serves_is_read_by_ffprobe_and_nothing_on_the_disk_is(
    process: EncoderProcess, tmp_path: Path
) -> None:
    vault, seen = vault_of(tmp_path / "data"), list[tuple[Keyed, Keyed]]()

    def transcode(wav: Keyed, target: Keyed, name: str) -> None:
        process.transcode(wav, target, name)
        assert in_the_clear(target.path.parent) == []
        seen.append((wav, target))

    async def test(i: Installation) -> None:
        call_id = await recorded_call(i, vault)
        whole = {}
        async with i.client() as client:
            for name, codec in CODECS.items():
                answer = await client.get(f"/v1/calls/{call_id}/recording?format={name}")
                assert (answer.status_code, len(answer.content)) == (200, int(answer.headers["content-length"]))
                found, whole[name] = ffprobe(answer.content, tmp_path), answer.content
                assert (found["codec_name"], found["channels"]) == (codec, 2)
                assert float(found["duration"]) == pytest.approx(SECONDS, abs=0.2)
            # A player that seeks: any part is what stands there, over the borders of pages too.
            for first, last in ((0, 3), (4000, 4200), (8127, 8128), (len(whole["wav"]) - 5, len(whole["wav"]) + 9)):
                ranged = {"Range": f"bytes={first}-{last}"}
                part = await client.get(f"/v1/calls/{call_id}/recording?format=wav", headers=ranged)
                assert (part.status_code, part.content) == (206, whole["wav"][first : last + 1])
        files = sorted(i.folder.recordings.glob(f"{call_id}.*"))
        assert [path.suffix for path in files] == [".mp3", ".ogg", ".wav"]
        assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 3
        assert in_the_clear(i.folder.recordings) == []
        # Who encodes has the keys of two files, another pair each time, and no other key.
        keys = [file.key for pair in seen for file in pair]
        assert (len(seen), len(set(keys)), {len(key or b"") for key in keys}) == (2, 3, {KEY_BYTES})
        assert "key" not in repr(seen[0][0])

    run(tmp_path / "data", test, encoder=Encoder(transcode, files=vault.files))


def test_recordings_of_both_kinds_are_served_whatever_is_set_now(process: EncoderProcess, tmp_path: Path) -> None:
    before, after = vault_of(tmp_path, sealing=False), vault_of(tmp_path, sealing=True)

    async def test(i: Installation) -> None:
        call_id = await recorded_call(i, before)
        path = i.folder.recordings / f"{call_id}.wav"
        # The recording was made before; what is encoded from it now is sealed.
        assert (is_sealed(path), is_sealed(path.with_suffix(".mp3"))) == (False, True)
        off = Encoder(process.transcode, files=vault_of(tmp_path, sealing=False).files)
        ogg = await off.encode(path, "ogg")
        assert (is_sealed(ogg), is_sealed(await off.encode(path, "mp3"))) == (False, True)
        async with i.client() as client:
            for name, begins in (("wav", b"RIFF"), ("mp3", b"ID3"), ("ogg", b"OggS")):
                answer = await client.get(f"/v1/calls/{call_id}/recording?format={name}")
                assert (answer.status_code, answer.content[: len(begins)]) == (200, begins)
        i.clock.at = START + 40 * DAY
        await Housekeeping(i.store, i.folder.recordings, i.clock, retention_days=30, vault=after).tidy()
        assert [path.name for path in i.folder.recordings.iterdir()] == ["keys.proof"]

    run(tmp_path, test, encoder=Encoder(process.transcode, files=after.files))


def test_a_new_master_key_takes_over_and_the_old_one_goes(process: EncoderProcess, tmp_path: Path) -> None:
    vault = vault_of(tmp_path)

    async def test(i: Installation) -> None:
        call_id = await recorded_call(i, vault)
        path, keys = i.folder.recordings / f"{call_id}.wav", i.folder.master_key
        sound, times = content(vault, path), [file.stat().st_mtime_ns for file in _of(path)]
        assert sealing_state(settings(tmp_path)) == ("ok", f"sealed with {keys}")
        keys.write_bytes(Fernet.generate_key() + b"\n" + keys.read_bytes())
        assert "are still needed" in sealing_state(settings(tmp_path))[1]
        # As on a disk of its own.
        (i.folder.recordings / "lost+found").mkdir()
        both = vault_of(tmp_path)
        await Housekeeping(i.store, i.folder.recordings, i.clock, vault=both).tidy()
        assert "may go" in sealing_state(settings(tmp_path))[1]
        keys.write_bytes(keys.read_bytes().split()[0])
        new = vault_of(tmp_path)
        assert content(new, path) == sound
        # Nothing of it looks as if it had to be encoded again.
        assert [file.stat().st_mtime_ns for file in _of(path)] == times

    run(tmp_path, test, encoder=Encoder(process.transcode, files=vault.files))


def _of(path: Path) -> list[Path]:
    return [path, path.with_suffix(".mp3")]


def settings(root: Path, **recording: str) -> Settings:
    return load(None, {"server": {"data_dir": root}, "recording": {"encrypt": "true", **recording}})


def test_with_another_master_key_nothing_starts(tmp_path: Path) -> None:
    vault, folder = vault_of(tmp_path), DataFolder(tmp_path)
    record(vault, folder.recordings / "call.wav")
    theirs = folder.master_key.read_bytes()
    folder.master_key.write_bytes(Fernet.generate_key())
    for sealing in (True, False):
        with pytest.raises(
            SecretsUnreadable, match=r"do not open with the keys in .*master\.key: put their key on a line"
        ):
            vault_of(tmp_path, sealing=sealing)
    assert sealing_state(settings(tmp_path))[0] == "fault"
    folder.master_key.write_bytes(folder.master_key.read_bytes() + b"\n" + theirs)
    assert repair(folder.recordings / "call.wav", vault_of(tmp_path).files) == 8000 * SECONDS


def test_a_recording_that_none_of_the_keys_opens_is_said_and_serves_nothing(tmp_path: Path) -> None:
    stranger = vault_of(tmp_path / "other")

    async def test(i: Installation) -> None:
        call_id = await ended_call(i)
        record(stranger, Path(i.log.recording_path(call_id)))
        async with i.client() as client:
            for name in CODECS:
                answer = await client.get(f"/v1/calls/{call_id}/recording?format={name}")
                assert (answer.status_code, answer.json()["error"]) == (410, "The recording is damaged.")
        await vault.change_keys()

    vault = vault_of(tmp_path / "data")
    run(tmp_path / "data", test, encoder=Encoder(lambda *_: None, files=vault.files))


def test_the_operators_key_file_is_asked_for_and_never_made(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    with pytest.raises(
        SecretsUnreadable, match=r"recording\.key_file: .*keys is not there; a new key is made by: openssl"
    ):
        vault_of(tmp_path / "data", key_file=keys)
    assert sealing_state(settings(tmp_path / "data", key_file=str(keys))) == (
        "fault",
        f"recording.key_file: {keys} is not there",
    )
    assert not keys.exists()
    # As openssl makes it.
    keys.write_bytes(
        subprocess.run("openssl rand -base64 32 | tr +/ -_", shell=True, check=True, capture_output=True).stdout
    )
    keys.chmod(0o644)
    vault = vault_of(tmp_path / "data", key_file=keys)
    path = tmp_path / "data" / "recordings" / "call.wav"
    record(vault, path)
    assert sealing_state(settings(tmp_path / "data", key_file=str(keys)))[0] == "note"
    keys.chmod(0o600)
    assert sealing_state(settings(tmp_path / "data", key_file=str(keys))) == ("ok", f"sealed with {keys}")
    assert content(vault, path)[:4] == b"RIFF"
    read_box(keys)
    # Without the setting it is the master key that does not fit.
    with pytest.raises(SecretsUnreadable, match=r"name its file by recording\.key_file"):
        vault_of(tmp_path / "data")


def test_what_was_never_sealed_asks_for_no_key(tmp_path: Path) -> None:
    vault_of(tmp_path, sealing=False)
    assert list((tmp_path / "recordings").iterdir()) == []
    off = load(None, {"server": {"data_dir": tmp_path}})
    assert sealing_state(off) == ("ok", "new ones are not sealed (recording.encrypt is off)")
    vault_of(tmp_path)
    assert sealing_state(off)[1].endswith("those that were sealed before can be opened")
