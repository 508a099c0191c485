"""What it costs to send messages: a thousand `enqueue`d, beside `delay()` and `group()` of Celery.

    python -m benchmarks.sending

sends as a web process does, without a worker, on Redis and on RabbitMQ.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import contests
from benchmarks.contests import Contest

PACKAGES = ("django", "celery", "kombu", "redis", "amqp", "psycopg")


def measure(repeats: int) -> list[Contest]:
    """Let Celery and us send in turns, light on both brokers, and with the ledger in PostgreSQL."""
    from tests import servers

    brokers = {"Redis": servers.fresh_redis(), "RabbitMQ": servers.fresh_rabbitmq()}
    database = {
        **servers.postgresql_settings("sending"),
        "CONN_MAX_AGE": None,
        "OPTIONS": servers.PREPARED,
    }
    return [
        *(_contest(repeats, name, url, database) for name, url in brokers.items()),
        *(_contest(repeats, name, url, database, "PostgreSQL") for name, url in brokers.items()),
    ]


def _contest(
    repeats: int, broker: str, url: str, database: dict[str, object], *kept: str
) -> Contest:
    """Measure in a process of its own."""
    command: Sequence[str] = (
        sys.executable,
        "-m",
        "benchmarks.contenders.sending.turns",
        str(repeats),
        broker,
        *kept,
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.contenders.sending.settings",
        "BENCHMARK_BROKER": url,
        "BENCHMARK_DATABASE": json.dumps(database),
    }
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return contests.of_values(json.loads(done.stdout))


def main() -> int:
    """Measure and print."""
    return contests.run("sending", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
