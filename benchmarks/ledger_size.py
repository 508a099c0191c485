"""What the ledger and the console cost over 10 million finished runs, beside 10 thousand.

    python -m benchmarks.ledger_size

fills two databases of one PostgreSQL: both have the same last two weeks of 10 thousand runs, one
has 10 million finished runs before them. Then each piece of work is done in both in turns, in one
process. It takes some 20 GB of disk for as long as it runs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Any

from benchmarks import contests
from benchmarks.contests import Contest, Goal

SMALL, LARGE = "10 thousand", "10 million"
RUNS = 10_000
OLDER = int(os.environ.get("LEDGER_SIZE", "10_000_000"))
"""How many finished runs the larger one has besides; fewer to try the benchmark."""
PACKAGES = ("django", "psycopg")
TIMES = 50
"""How often a small piece of work is done in one turn."""
PAGES = 5
BATCH = 100
INPUT = {"orderId": "order-1", "amount": 5}
GOAL = Goal(ours=LARGE, beside=SMALL, as_fast=1 / 1.3)

Work = Callable[[], float]
"""Does the work in the database that is the default one, and returns the milliseconds it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One of the two, and what is done in it."""

    connection: Any
    work: Mapping[str, Work]

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Make it the default one."""
        from django.db import connections

        before = connections["default"]
        connections["default"] = self.connection
        try:
            yield
        finally:
            connections["default"] = before

    def turn(self, name: str) -> float:
        """Do one piece of work."""
        with self.chosen():
            return self.work[name]()


def measure(repeats: int) -> Sequence[Contest]:
    """Fill both, and do all that there is to do in turns."""
    _set_up()
    databases = {SMALL: _database(0), LARGE: _database(OLDER)}
    found = []
    for name in databases[SMALL].work:
        turns = {size: partial(each.turn, name) for size, each in databases.items()}
        for turn in turns.values():
            turn()
        figures = contests.in_turns(turns, repeats)
        print(f"{name}: {[median(each) for each in figures.values()]}", file=sys.stderr)
        found.append(Contest(work=name, unit="ms", figures=figures, goals=[GOAL]))
    for each in databases.values():
        _drop(each.connection)
    return found


def _set_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "sample_project.settings"
    os.environ.update(CELERY_BROKER_URL="memory://", DEBUG="0")
    os.environ["DATABASE_URL"] = "postgresql:///chosen-later"
    import django

    django.setup()


def _database(older: int) -> Database:
    """Make a database with this many older runs, and return what is to be done in it."""
    from django.core.management import call_command
    from django.db import connections

    from benchmarks import history

    connection = connections.create_connection("default")
    connection.settings_dict = {**connection.settings_dict, **_settings()}
    database = Database(connection=connection, work={})
    with database.chosen():
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE motia_run SET UNLOGGED")
        began = time.monotonic()
        history.fill(RUNS)
        if older:
            history.deepen(older)
        print(f"{RUNS + older:,} runs in {time.monotonic() - began:.0f} s", file=sys.stderr)
        return Database(connection=connection, work={**_ledger_work(), **_pages()})


def _pages() -> dict[str, Work]:
    """Return the lists of the console, each asked for as its superuser does."""
    from benchmarks import console

    return {
        f"console: {name}": partial(_quickest, ask)
        for name, ask in console.pages().items()
        if "changelist" in name or "groups" in name
    }


def _settings() -> dict[str, Any]:
    """Return what Django is to know of a new database."""
    from tests.servers import django_settings, fresh_postgresql

    return django_settings(fresh_postgresql())


def _drop(connection: Any) -> None:
    """Give the disk back."""
    import psycopg

    from tests.servers import postgresql_url

    name = connection.settings_dict["NAME"]
    connection.close()
    with psycopg.connect(postgresql_url(), autocommit=True) as server:
        server.execute(f"DROP DATABASE {name}")


def _quickest(ask: Callable[[], Any]) -> float:
    """Return the milliseconds that a page takes, as quick as the machine lets it be."""
    return min(_took(ask) for _ in range(PAGES))


def _took(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


def _ledger_work() -> dict[str, Work]:
    """Return what the ledger does for runs, and for upkeep."""
    return {
        "enqueue: insert one run": _inserted,
        "claim": _claimed,
        "finish": _finished,
        f"take_due: {BATCH} runs": _taken,
        "take_due: nothing is due": _nothing_taken,
        f"prune: {BATCH} runs": partial(_pruned, 7),
        "prune: nothing is old enough": partial(_pruned, 1000),
    }


def _inserted() -> float:
    from motia_django import ledger

    return median(_took(partial(ledger.keep, [new_run(INPUT)])) for _ in range(TIMES))


def _claimed() -> float:
    return median(took for took, _ in _claims())


def _finished() -> float:
    from django.utils import timezone

    from motia_django import ledger
    from motia_django.delivery import Delivery
    from motia_django.runs import Outcome, Status

    now = timezone.now()
    outcome = Outcome(status=Status.SUCCEEDED, value={"ok": True}, started_at=now, finished_at=now)
    return median(
        _took(partial(ledger.finish, run, outcome, Delivery())) for _, run in list(_claims())
    )


def _claims() -> Iterator[tuple[float, Any]]:
    """Claim new runs, and yield what each claim took, and the run."""
    from motia_django import ledger

    runs = [new_run(INPUT) for _ in range(TIMES)]
    ledger.keep(runs)
    for run in runs:
        claimed: list[Any] = []
        took = _took(lambda run=run, into=claimed: into.append(_claim(run)))  # type: ignore[misc]
        yield took, claimed[0]


def _claim(run: Any) -> Any:
    from motia_django import ledger

    keys: Any = {"worker": "celery@host", "lease": timedelta(minutes=5), "may_be_undone": True}
    return ledger.claim(run.id, step=run.step, **keys)


def _taken() -> float:
    from motia_django import ledger

    runs = [new_run(INPUT) for _ in range(BATCH)]
    ledger.keep(runs, due=True)
    taken: list[Any] = []
    took = _took(lambda: taken.extend(ledger.take_due(BATCH)))
    assert {each.id for each in taken} == {each.id for each in runs}
    return took


def _nothing_taken() -> float:
    from motia_django import ledger

    return median(_took(partial(ledger.take_due, BATCH)) for _ in range(TIMES))


def _pruned(days: float) -> float:
    """Prune as upkeep does, of each status once, and undo it."""
    from django.db import transaction

    from motia_django import ledger
    from motia_django.runs import UNFINISHED, Status

    statuses = [each for each in Status if each not in UNFINISHED]
    with transaction.atomic():
        took = sum(_took(partial(ledger.prune, each, days, limit=BATCH)) for each in statuses)
        transaction.set_rollback(True)
    return took


def new_run(payload: Any) -> Any:
    """Return a run that waits in the queue, not in the ledger yet."""
    from django.utils import timezone

    from motia_django.runs import Run, Status, new_run_id
    from motia_django.tracing import new_trace_id

    now = timezone.now()
    return Run(
        id=new_run_id(),
        step="ProcessPayment",
        trigger="queue",
        source="payment.requested",
        input=payload,
        trace_id=new_trace_id(),
        status=Status.QUEUED,
        created_at=now,
        wake_at=now + timedelta(hours=1),
    )


def main() -> int:
    """Be the command."""
    return contests.run("ledger_size", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
