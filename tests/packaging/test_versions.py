"""The versions: our own, and the lowest ones of what we need, with which `make grid` tries all."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import motia_django
from tests.packaging.distribution import ROOT

SCRIPT = import_module("scripts.lowest_versions")
lowest, requirements = SCRIPT.lowest, SCRIPT.requirements
ANY_VERSION = {"drf-spectacular-sidecar"}
"""Only files that browsers load, whose versions are dates."""


_ASKS = (
    "import sys; from setuptools import build_meta as it;"
    " it.prepare_metadata_for_build_wheel(sys.argv.pop())"
)


def git(where: Path, *words: str) -> None:
    """Run git in a repository, whoever runs the tests."""
    known = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    subprocess.run(["git", *known, *words], cwd=where, check=True, capture_output=True)


def version_of(where: Path) -> str:
    """Return the version that a build of what is there has."""
    with TemporaryDirectory() as folder:
        asks = [sys.executable, "-c", _ASKS, folder]
        subprocess.run(asks, cwd=where, check=True, capture_output=True)
        [built] = Path(folder).glob("*.dist-info")
        return metadata.Distribution.at(built).version


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What says how to build, without the package, and without a history."""
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "motia_django").mkdir()
    return tmp_path


def test_a_version_is_the_tag_of_its_release(source: Path) -> None:
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "All there is")
    assert version_of(source).startswith("0.1.dev1+g")
    git(source, "tag", "v0.4.0")
    assert version_of(source) == "0.4.0"
    git(source, "commit", "--quiet", "--allow-empty", "--message", "More")
    assert version_of(source).startswith("0.4.1.dev1+g")


def test_what_is_built_without_a_history_is_no_release(source: Path) -> None:
    assert version_of(source) == "0.1.dev0"


def test_the_package_says_the_version_that_is_installed() -> None:
    assert motia_django.__version__ == metadata.version("motia-django")


def test_every_package_that_users_need_has_a_lowest_version() -> None:
    names = {re.split(r"[\[<>=]", each)[0] for each in requirements()}
    assert names - set(lowest(requirements())) == ANY_VERSION


def test_two_extras_cannot_name_different_lowest_versions() -> None:
    assert lowest(["a[x]>=1.2", "b<3", "a>=1.2", "c>=4,<5"]) == {"a": "1.2", "c": "4"}
    with pytest.raises(ValueError, match=r"^a: the lowest version is 1\.2, and also 1\.3$"):
        lowest(["a>=1.2", "a>=1.3"])
