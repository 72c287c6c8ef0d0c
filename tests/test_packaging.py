"""The wheel: four packages, their data, nothing else; and nobody else's packages under our names."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sipserver import __version__
from sipserver.cli import main

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"sipserver", "media", "inference", "control_api"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_top_level_is_four_packages_and_the_metadata(names: list[str]) -> None:
    assert {name.split("/")[0] for name in names} == PACKAGES | {f"antiphon-{__version__}.dist-info"}


def test_every_module_and_every_data_file_is_inside(names: list[str]) -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in names
    for path in (ROOT / "config").rglob("*"):
        if path.is_file():
            assert f"sipserver/data/{path.relative_to(ROOT / 'config')}" in names


def test_migrations_are_inside_and_tests_are_not(names: list[str]) -> None:
    assert any(name.startswith("control_api/store/migrations/versions/") for name in names)
    assert not [name for name in names if "test_" in name or "conftest" in name or name.endswith(".pyc")]


def test_the_metadata_names_licence_and_entry_point(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = f"antiphon-{__version__}.dist-info"
        metadata = archive.read(f"{info}/METADATA").decode()
        assert "License-Expression: Apache-2.0\n" in metadata
        assert f"{info}/licenses/LICENSE" in archive.namelist()
        assert f"{info}/licenses/NOTICE" in archive.namelist()
        assert "antiphon = sipserver.cli:main" in archive.read(f"{info}/entry_points.txt").decode()


def test_an_installation_finds_its_data(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, away from the source tree, as pip does it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    look = (
        "import sipserver.packaged as p; print(p.__file__); print(p.data_path('example.toml')); "
        "print(p.agent('front_desk')['name'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    module, example, name = done.stdout.splitlines()
    assert module == str(tmp_path / "sipserver" / "packaged.py")
    assert example == str(tmp_path / "sipserver" / "data" / "example.toml")
    assert name == "Front desk"


def test_the_entry_point_is_the_command_line(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    installed = importlib.metadata.Distribution.at(tmp_path / f"antiphon-{__version__}.dist-info")
    [entry] = installed.entry_points
    assert (entry.group, entry.name) == ("console_scripts", "antiphon")
    assert entry.load() is main


def test_no_other_distribution_ships_one_of_our_names() -> None:
    """The four names are plain words: whoever else ships one would be imported instead of us, or we instead of them."""
    owners = importlib.metadata.packages_distributions()
    for package in PACKAGES:
        assert set(owners.get(package, ())) <= {"antiphon"}, f"{package} is also shipped by {owners[package]}"
