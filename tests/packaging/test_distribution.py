"""What is published, the wheel and the source archive: whole, and nothing else in them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from email import message_from_bytes
from pathlib import PurePosixPath
from zipfile import ZipFile

import pytest

from tests.packaging.distribution import ROOT, source_archive, wheel

pytestmark = pytest.mark.timeout(300)

OF_EACH_KIND = {
    "motia_django/__init__.py",
    "motia_django/commands/templates/http_step.py.tpl",
    "motia_django/migrations/0001_initial.py",
    "motia_django/py.typed",
    "motia_django/static/motia_django/admin.css",
    "motia_django/static/motia_django/live.js",
    "motia_django/templates/admin/motia/run/run.html",
}


def of_the_package() -> set[str]:
    """Return the paths of the package's files as they are in this repository."""
    files = (ROOT / "motia_django").rglob("*")
    return {
        file.relative_to(ROOT).as_posix()
        for file in files
        if file.is_file() and "__pycache__" not in file.parts
    }


def in_the_source_archive() -> set[PurePosixPath]:
    """Return the paths of the archive's files, below its one folder."""
    with tarfile.open(source_archive()) as archive:
        files = [PurePosixPath(each.name) for each in archive.getmembers() if each.isfile()]
    assert len({file.parts[0] for file in files}) == 1
    return {file.relative_to(file.parts[0]) for file in files}


def test_the_wheel_holds_every_file_of_the_package_and_no_other() -> None:
    with ZipFile(wheel()) as archive:
        names = [PurePosixPath(each.filename) for each in archive.infolist() if not each.is_dir()]
    notes = [name for name in names if name.parts[0].endswith(".dist-info")]
    held = {str(name) for name in names if name not in notes}
    assert held == of_the_package()
    assert held >= OF_EACH_KIND
    assert "LICENSE" in {name.name for name in notes}


def test_the_source_archive_holds_the_package_and_what_tells_of_it() -> None:
    files = in_the_source_archive()
    package = {str(file) for file in files if file.parts[0] == "motia_django"}
    assert package == of_the_package()
    assert {file.parts[0] for file in files} == {
        "CHANGELOG.md",
        "LICENSE",
        "MANIFEST.in",
        "PKG-INFO",
        "README.md",
        "UPGRADING.md",
        "motia_django",
        "motia_django.egg-info",
        "pyproject.toml",
        "setup.cfg",
    }


def test_an_index_would_take_both_and_show_the_readme() -> None:
    check = [sys.executable, "-m", "twine", "check", "--strict", str(wheel())]
    checked = subprocess.run([*check, str(source_archive())], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("PASSED") == 2, checked.stdout


def test_the_wheel_says_which_python_it_is_for() -> None:
    with ZipFile(wheel()) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    assert metadata["Requires-Python"] == ">=3.11"
