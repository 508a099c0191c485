"""Requests that went well, entered into the history: many in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from motia_django import models, payloads
from motia_django.conf import settings
from motia_django.ledger import keys, statements
from motia_django.ledger.rows import LONGEST_SOURCE, database, kept, without_credentials
from motia_django.registry import registry
from motia_django.runs import Outcome, Run

_VARYING = (
    "id",
    "step",
    "index",
    "source",
    "status",
    "trace_id",
    "parent_span",
    "input",
    "output",
    "timeline",
    "created_at",
    "started_at",
    "finished_at",
)
_ALIKE = {
    "trigger": "'http'",
    "attempt": "1",
    "fence": "0",
    "publishes": "0",
    "depth": "0",
    "error": "''",
    "worker": "''",
}
"""What is the same for all of them, in SQL; the other columns are null, or have a default."""


def record_answered(answered: Sequence[tuple[Run, Outcome]]) -> None:
    """Insert requests that a Step has answered, all or none, as `record` does one by one."""
    with transaction.atomic(using=database()):
        record_within(answered)


def record_within(answered: Sequence[tuple[Run, Outcome]]) -> None:
    """Insert them in the transaction that is open: with all that is done in it, or not at all."""
    connection = connections[database()]
    rows = [list(_values(connection, *each)) for each in answered]
    statements.insert_values(_VARYING, rows, **_ALIKE)
    keys.keep([run for run, _ in answered], [outcome.keys for _, outcome in answered])


def _values(connection: BaseDatabaseWrapper, run: Run, outcome: Outcome) -> Iterator[Any]:
    """Yield what varies of a row, in order."""
    moment = connection.ops.adapt_datetimefield_value
    yield models.Run._meta.pk.get_db_prep_value(run.id, connection)
    yield run.step
    yield run.index
    yield run.source[:LONGEST_SOURCE]
    yield str(outcome.status)
    yield run.trace_id
    yield run.parent_span
    yield _text(run, run.input)
    yield _text(run, outcome.value)
    yield payloads.dumps(outcome.timeline) if outcome.timeline else "[]"
    yield moment(run.created_at)
    yield moment(outcome.started_at)
    yield moment(outcome.finished_at)


def _text(run: Run, value: Any) -> str | None:
    """Return a payload as its column holds it: masked, and cut if it is large."""
    if value is None:
        return None
    limit = settings().max_payload
    text = payloads.masked_text(without_credentials(run, value), registry().masks(run.step))
    is_small = len(text) * 4 <= limit or len(text.encode()) <= limit
    return text if is_small else payloads.dumps(kept(run, value))
