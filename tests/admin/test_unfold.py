"""The same pages under django-unfold: in a process of their own, since it changes the admin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.journey
def test_every_page_is_there_in_unfolds_frame_and_asks_no_more() -> None:
    if os.environ.get("CI") != "true":
        pytest.importorskip("unfold")
    tests = ["tests/admin/test_cost.py", "tests/admin/unfolded.py"]
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--ds", "tests.settings_unfold"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
