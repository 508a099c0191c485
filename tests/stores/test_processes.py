"""Eight processes at one item of state: none of their writes is lost, each is heard once.

MOTIA_TEST_INCREMENTS=1000 makes it eight thousand increments on each store.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import fresh_redis, mariadb_settings, postgresql_settings
from tests.servers.run_directory import next_number
from tests.stores.counting import FEW, PROCESSES

ROOT = Path(__file__).resolve().parents[2]
INCREMENTS = int(os.environ.get("MOTIA_TEST_INCREMENTS", "40"))
REPEATABLE_READ = {"postgresql": 2, "mariadb": "repeatable read"}
"""What `isolation_level` in OPTIONS calls it; 2 is psycopg's IsolationLevel.REPEATABLE_READ."""


@pytest.mark.skipif(
    "MOTIA_TEST_DATABASE" in os.environ, reason="it has databases of its own, whatever the tests'"
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "store",
    [
        "sqlite",
        "postgresql",
        "mariadb",
        "postgresql, repeatable read",
        "mariadb, repeatable read",
        "redis",
    ],
)
def test_no_write_of_eight_processes_is_lost_and_each_is_heard_once(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name, _, level = store.partition(", ")
    if name != "sqlite":
        request.getfixturevalue(f"{name}_server")
    given = {
        "database": database(name, tmp_path, REPEATABLE_READ[name] if level else None),
        "redis": fresh_redis() if name == "redis" else None,
        "increments": INCREMENTS,
    }
    command = [sys.executable, "-m", "tests.stores.counting", json.dumps(given)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.returncode, done.stderr[-5000:]
    found = json.loads(done.stdout)
    assert found["alone"] == [PROCESSES * INCREMENTS] * 2
    assert found["watched"] == [PROCESSES * FEW] * 2
    assert found["heard"] == [[number, number + 1] for number in range(PROCESSES * FEW)]
    for way in ("in transactions", "by version"):
        succeeded, counted = found[way]
        assert succeeded == counted > 0
    if not level:
        assert found["in transactions"] == [PROCESSES * FEW] * 2


def database(name: str, folder: Path, isolation: Any) -> dict[str, Any]:
    """Return the entry of DATABASES for a database of the test's own."""
    options = {} if isolation is None else {"isolation_level": isolation}
    number = next_number("counting")
    if name == "postgresql":
        return {**postgresql_settings(f"counting_{number}"), "OPTIONS": options}
    if name == "mariadb":
        return {**mariadb_settings(f"counting_{number}"), "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "db.sqlite3"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 60},
    }
