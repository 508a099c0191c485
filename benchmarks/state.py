"""What state costs, beside the bare ORM and the bare Redis client doing the same work by hand.

    python -m benchmarks.state

measures each operation on SQLite, PostgreSQL, MariaDB and Redis. The same work: the value that was
there is read and returned, JSON is read and written with orjson, a list comes in the order of its
keys.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks import contests
from benchmarks.contests import Contest

STORES = ("sqlite", "postgresql", "mariadb", "redis")
PACKAGES = ("django", "redis", "psycopg", "mysqlclient")


def measure(repeats: int) -> list[Contest]:
    """Measure on each store, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return [each for name in STORES for each in _on(name, repeats, folder)]


def _on(name: str, repeats: int, folder: str) -> list[Contest]:
    """Measure in another process; return nothing for a server that is not there, and say so."""
    from tests import servers

    try:
        environment = {**os.environ, "BENCHMARK_DATABASE": json.dumps(_database(name, folder))}
        if name == "redis":
            environment["BENCHMARK_REDIS"] = servers.fresh_redis()
    except servers.ServerUnavailable as error:
        print(f"{name}: left out, for want of {error}", file=sys.stderr)
        return []
    command = [sys.executable, "-m", "benchmarks.contenders.state.turns", str(repeats), name]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return [contests.of_values(each) for each in json.loads(done.stdout)]


def _database(name: str, folder: str) -> dict[str, Any]:
    from tests import servers

    if name == "postgresql":
        own = {"CONN_MAX_AGE": None, "OPTIONS": servers.PREPARED}
        return {**servers.postgresql_settings("benchmark"), **own}
    if name == "mariadb":
        return {**servers.mariadb_settings("benchmark"), "CONN_MAX_AGE": None}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{folder}/{name}.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def main() -> int:
    """Measure and print."""
    return contests.run("state", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
