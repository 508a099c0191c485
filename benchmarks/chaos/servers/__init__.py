"""Servers of the harness's own, to be stopped, killed, frozen, wiped and started again."""

from __future__ import annotations

from benchmarks.chaos.servers.base import Broker, Database
from benchmarks.chaos.servers.mariadb import MariaDB
from benchmarks.chaos.servers.postgresql import PostgreSQL
from benchmarks.chaos.servers.rabbitmq import RabbitMQ
from benchmarks.chaos.servers.redis import Redis
from benchmarks.chaos.servers.sqlite import SQLite

DATABASES: dict[str, type[Database]] = {
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "sqlite": SQLite,
}
BROKERS: dict[str, type[Broker]] = {"redis": Redis, "rabbitmq": RabbitMQ}
PAIRS = [f"{database}+{broker}" for database in DATABASES for broker in BROKERS]


def missing(pair: str) -> str | None:
    """Say what a pair needs that is not installed here; None if all is there."""
    database, broker = parts(pair)
    return database.missing() or broker.missing()


def parts(pair: str) -> tuple[type[Database], type[Broker]]:
    """Return the two servers of a pair such as `postgresql+redis`."""
    database, _, broker = pair.partition("+")
    return DATABASES[database], BROKERS[broker]


__all__ = ["BROKERS", "DATABASES", "PAIRS", "Broker", "Database", "missing", "parts"]
