"""Projects without time zones: in a process of its own, which has their clock from its start."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = [
    "tests/without_zones.py",
    "tests/admin/test_cost.py::test_no_page_asks_much_or_counts_without_end",  # it shows every page
    "tests/test_batches.py",
]
OF_ROWS = "tests/beat/test_database.py::test_the_row_remembers_when_it_last_ran"


@pytest.mark.django_db
def test_all_that_knows_the_time_works_without_zones() -> None:
    tests = [*TESTS, OF_ROWS] if find_spec("django_celery_beat") else TESTS
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, "--ds", "tests.settings_without_zones"]
    done = subprocess.run([*command, *tests], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
