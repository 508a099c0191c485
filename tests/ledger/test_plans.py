"""What the ledger asks all the time reads no table from end to end, on any database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.plans import DATABASES

HOT = (
    "claim",
    "claim at once",
    "claim in turn",
    "is anything due",
    "what is due",
    "what lost its worker",
    "keys of no run",
    "prune",
    "the metrics' window",
    "the metrics' counts",
    "the metrics' oldest",
    "the runs of an index key",
    "the runs of a flow",
)
ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", DATABASES)
def test_each_hot_query_finds_its_rows_by_an_index(
    name: str, request: pytest.FixtureRequest
) -> None:
    if name != "sqlite":
        request.getfixturevalue(f"{name}_server")
    command = [sys.executable, "-m", "benchmarks.plans", "--rows", "30000", "--databases", name]
    looked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not looked.returncode, looked.stdout + looked.stderr
    for doing in HOT:
        assert f"  {doing}: " in looked.stdout
