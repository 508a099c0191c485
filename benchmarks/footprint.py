"""What one run costs PostgreSQL: statements, bytes of its journal (WAL), bytes on disk.

    python -m benchmarks.footprint

Runs are born one by one, claimed and finished, each in a transaction of its own, whose `BEGIN` and
`COMMIT` are not counted. The journal is without the full images of pages that PostgreSQL adds after
each checkpoint. What is counted is the same on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any

from benchmarks import contests
from benchmarks.contests import Contest

PACKAGES = ("django", "psycopg")
RUNS = 2000
INPUTS = {
    "an input of 20 bytes": {"order": "order-17"},
    "an input of 2 kB": {"text": Random(1).randbytes(1000).hex()},
    "an index key": {"orderId": "order-17"},
}

Figures = dict[str, dict[str, float]]
"""By unit and by what was done."""


def measure(repeats: int) -> Sequence[Contest]:
    """Let runs live; there is nothing to repeat where all is counted."""
    _set_up()
    found = []
    for work, payload in INPUTS.items():
        for unit, figures in _lived(payload).items():
            values = {name: [value] * repeats for name, value in figures.items()}
            found.append(Contest(work=f"one run with {work}", unit=unit, figures=values))
    return found


def _set_up() -> None:
    from tests.servers import fresh_postgresql

    os.environ["DATABASE_URL"] = fresh_postgresql()
    os.environ["DJANGO_SETTINGS_MODULE"] = "sample_project.settings"
    os.environ.update(CELERY_BROKER_URL="memory://", DEBUG="0")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _lived(payload: Any) -> Figures:
    """Return what it cost to bear, claim and finish runs with such an input, and to keep them."""
    from motia_django import models

    models.Run.objects.all().delete()
    _ask("VACUUM FULL motia_run")
    runs = [_run(payload) for _ in range(RUNS)]
    claimed: list[Any] = []
    journal: dict[str, float] = {}
    statements: dict[str, float] = {}
    acts: dict[str, Callable[[int], object]] = {
        "birth": lambda at: _born(runs[at]),
        "claim": lambda at: claimed.append(_claimed(runs[at])),
        "finish": lambda at: _finished(claimed[at]),
    }
    for name, act in acts.items():
        with _counted(journal, statements, name):
            for at in range(RUNS):
                act(at)
    return {"statements": statements, "bytes of WAL": journal, "bytes on disk": _sizes()}


@contextmanager
def _counted(journal: dict[str, float], statements: dict[str, float], name: str) -> Iterator[None]:
    """Count what is done for each of the runs."""
    from django.db import connection

    number = 0

    def count(execute: Callable[..., Any], *args: Any) -> Any:
        nonlocal number
        number += 1
        return execute(*args)

    before = _ask("SELECT pg_current_wal_insert_lsn()")
    with connection.execute_wrapper(count):
        yield
    statements[name] = number / RUNS
    journal[name] = float(_ask("SELECT pg_current_wal_insert_lsn() - %s", [before])) / RUNS


def _sizes() -> dict[str, float]:
    """Return what a finished run takes, without the gaps that its changes leave in the table."""
    _ask("VACUUM FULL ANALYZE motia_run")
    return {
        "table": float(_ask("SELECT pg_table_size('motia_run')")) / RUNS,
        "indexes": float(_ask("SELECT pg_indexes_size('motia_run')")) / RUNS,
    }


def _ask(sql: str, values: Sequence[Any] = ()) -> Any:
    """Return the one value that a statement gives, or None if it gives nothing."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchone()[0] if cursor.description else None


def _born(run: Any) -> None:
    from motia_django import ledger

    ledger.keep([run])


def _claimed(run: Any) -> Any:
    from motia_django import ledger

    keys: Any = {"worker": "celery@host", "lease": timedelta(minutes=5), "may_be_undone": True}
    return ledger.claim(run.id, step=run.step, **keys)


def _finished(run: Any) -> None:
    from django.utils import timezone

    from motia_django import ledger
    from motia_django.delivery import Delivery
    from motia_django.runs import Outcome, Status

    now = timezone.now()
    outcome = Outcome(status=Status.SUCCEEDED, value={"ok": True}, started_at=now, finished_at=now)
    ledger.finish(run, outcome, Delivery())


def _run(payload: Any) -> Any:
    from benchmarks.ledger_size import new_run

    return new_run(payload)


def main() -> int:
    """Be the command."""
    return contests.run("footprint", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
