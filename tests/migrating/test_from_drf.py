"""The page on migrating from REST framework: its project, old and new served side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "tests/migrating/from_drf"


@pytest.mark.journey
def test_the_steps_answer_what_the_views_answered() -> None:
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--noconftest"]
    options += ["--ds", "website.settings"]
    command = [sys.executable, "-m", "pytest", *options, "tests/migrating/compared.py"]
    folders = [str(PROJECT), str(ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
