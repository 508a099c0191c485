"""What the ledger's database says of itself, when a check asks it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.db.migrations.loader import MigrationLoader

from motia_django import ledger, models
from motia_django.checks import scopes
from motia_django.checks.asking import ask
from motia_django.ledger import pulse
from motia_django.runs import Status

_CLOCKS = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM clock_timestamp())",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000",
}
_ISOLATION = {
    "postgresql": "SELECT 'level', current_setting('transaction_isolation')",
    "mysql": "SHOW SESSION VARIABLES"
    " WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The answers of one database; where it could not be asked, what harms nobody."""

    unmigrated: tuple[str, ...] = ()
    """Migrations of this package that it lacks."""
    isolation: str = ""
    """The isolation level of transactions, in lower case."""
    ahead: float = 0.0
    """At least so many seconds its clock is ahead of ours; negative if it is behind."""
    workers: tuple[models.Worker, ...] = ()
    """The workers that are known."""
    strays: pulse.Strays = field(default_factory=pulse.Strays)
    """The runs that wait, or are dead, and that nobody takes."""
    forgotten: Mapping[str, datetime] = field(default_factory=dict)
    """The scopes of keys of requests that no Step has, each with when its last answer expires."""


def facts_of(alias: str) -> Facts:
    """Ask a database; raise whatever keeps it from answering, `TimeoutError` included."""
    if connections[alias].vendor == "sqlite":
        return _facts(alias)  # which is a file, or in the memory of this very connection
    return ask(lambda: _asked_apart(alias))


def _asked_apart(alias: str) -> Facts:
    """Ask over a connection of this thread's own, without the pool that others wait for."""
    own: Any = connections[alias].copy()
    own.settings_dict["OPTIONS"] = {**own.settings_dict["OPTIONS"]}
    own.settings_dict["OPTIONS"].pop("pool", None)
    connections[alias] = own
    try:
        return _facts(alias)
    finally:
        own.close()


def _facts(alias: str) -> Facts:
    connection = connections[alias]
    unmigrated = _unmigrated(connection)
    if unmigrated:
        return Facts(unmigrated=unmigrated)
    return Facts(
        isolation=_isolation(connection),
        ahead=_ahead(connection),
        workers=tuple(ledger.workers()),
        strays=pulse.strays(Status.SCHEDULED, Status.QUEUED, Status.DEAD),
        forgotten=scopes.forgotten(),
    )


def _unmigrated(connection: Any) -> tuple[str, ...]:
    loader = MigrationLoader(connection, ignore_no_migrations=True)
    ours = [node for node in loader.graph.nodes if node[0] == "motia"]
    return tuple(sorted(name for app, name in ours if (app, name) not in loader.applied_migrations))


def _isolation(connection: Any) -> str:
    query = _ISOLATION.get(connection.vendor)
    if query is None:
        return ""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return str(row[1]).lower().replace("-", " ") if row else ""


def _ahead(connection: Any) -> float:
    """Return how far its clock is from ours, less what asking it took: that much is uncertain."""
    query = _CLOCKS.get(connection.vendor)
    if query is None:
        return 0.0
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute(query)
        theirs = float(cursor.fetchone()[0])
        after = time.time()
    if theirs > after:
        return theirs - after
    return min(theirs - before, 0.0)
