"""The source archive, and the wheel made from it: built once for all processes of a test run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import motia_django
from tests.servers.run_directory import locked, run_directory

ROOT = Path(__file__).resolve().parents[2]

_NOT_SOURCE = shutil.ignore_patterns(
    ".*", "__pycache__", "build", "dist", "*.egg-info", "node_modules"
)


def wheel() -> Path:
    """Return the wheel, made of nothing but what is in the source archive."""
    return _built("*.whl")


def source_archive() -> Path:
    """Return the source archive."""
    return _built("*.tar.gz")


def _built(pattern: str) -> Path:
    directory = run_directory()
    with locked(directory / "distribution.lock"):
        if not list(directory.glob(pattern)):
            _build(directory)
    [found] = directory.glob(pattern)
    return found


def _build(directory: Path) -> None:
    """Build both from a copy, by the setuptools of this environment: no network is asked.

    The copy has no history, which the version is made of: it is told.
    """
    known = {**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION": motia_django.__version__}
    with TemporaryDirectory() as folder:
        source, made = Path(folder) / "source", Path(folder) / "made"
        shutil.copytree(ROOT, source, ignore=_NOT_SOURCE)
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made)]
        done = subprocess.run([*build, str(source)], env=known, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        for file in made.iterdir():
            shutil.move(file, directory)
