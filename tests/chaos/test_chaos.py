"""The promises under fire, in the short form; `make chaos` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.servers import missing

ROOT = Path(__file__).resolve().parents[2]
PAIRS = ("postgresql+rabbitmq", "mariadb+redis", "sqlite+redis")
"""Each database, and each broker, with one of the others; the long form is for all six."""

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]


@pytest.mark.parametrize("pair", PAIRS)
def test_every_promise_is_kept_under_fire(pair: str) -> None:
    reason = missing(pair)
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"{pair}: {reason} (compulsory where CI=true)", pytrace=False)
    if reason:
        pytest.skip(f"{pair}: {reason}")
    command = [sys.executable, "-m", "benchmarks.chaos", "--quick", "--pairs", pair]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr
