"""How the ledger is doing, in the numbers that a monitoring system asks for again and again.

Each is found by an index, and nothing is counted further than `MOST`: however long the table is,
asking costs the same few queries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from motia_django import models
from motia_django.ledger import figures, pulse
from motia_django.ledger.due import queued_at
from motia_django.ledger.rows import all_runs, database
from motia_django.ledger.workers import workers
from motia_django.runs import Status, birth_of, lowest_id_at

MOST = figures.MOST
"""Of runs that are looked at, or of a kind that are counted."""
MOST_AGED = 1000
"""Of queued runs that are looked at for how long they have waited: those that were born first."""

Kind = tuple[str, str, int]
"""Step, kind of trigger, and its index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The runs that were born lately."""

    seconds: float
    """How long the window is: less than was asked for if there were more runs than are looked at,
    of which the newest are."""
    runs: Mapping[tuple[str, str], int]
    """How many, by Step and status; `retrying` is the status of those that failed and wait."""
    worked: Mapping[str, Sequence[timedelta]]
    """How long those of each Step worked that succeeded or died, in their last attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The runs that something is the matter with, each counted up to `MOST` in all."""

    backlog: Counter[Kind]
    """Those that could run now: queued, or scheduled and due."""
    dead: Counter[str]
    """By Step."""
    late: int
    """Those that should have been published by now."""


def window(length: timedelta) -> Window:
    """Return what became of the runs that were born in the last `length`."""
    now = timezone.now()
    rows = all_runs().filter(id__gte=lowest_id_at(now - length))
    born = list(figures.newest(rows))
    if len(born) > MOST:
        first = rows.order_by("-id").values_list("id", flat=True)[MOST - 1]
        length = datetime.now(UTC) - birth_of(first)
    runs, worked = figures.told(born[:MOST])
    return Window(seconds=length.total_seconds(), runs=runs, worked=worked)


def waiting() -> Waiting:
    """Count what waits, what is late and what is dead, in one query."""
    now = timezone.now()
    due = (Status.SCHEDULED, Status.QUEUED)
    found: dict[str, Counter[Kind]] = {"backlog": Counter(), "dead": Counter(), "late": Counter()}
    counted = _counted(
        ("backlog", all_runs().filter(status=Status.QUEUED)),
        ("backlog", all_runs().filter(status=Status.SCHEDULED, wake_at__lte=now)),
        ("dead", all_runs().filter(status=Status.DEAD)),
        ("late", all_runs().filter(status__in=due, wake_at__lt=now - pulse.LATE_AFTER)),
    )
    for what, kind, count in counted:
        found[what][kind] += count
    dead: Counter[str] = Counter()
    for (step, _, _), count in found["dead"].items():
        dead[step] += count
    return Waiting(backlog=found["backlog"], dead=dead, late=found["late"].total())


def oldest_queued() -> dict[str, timedelta]:
    """Return for how long the run of each Step has waited for a worker that has for longest.

    Those that wait their turn do not count. Of very many, those that were born first are looked at.
    """
    now = timezone.now()
    queued = all_runs().filter(status=Status.QUEUED, limited=False).order_by("id")
    ages: dict[str, timedelta] = {}
    for row in queued.only(*pulse.QUEUED)[:MOST_AGED]:
        age = max(now - queued_at(row), timedelta())
        ages[row.step] = max(age, ages.get(row.step, age))
    return ages


def seen_workers() -> dict[str, int]:
    """Return how many workers are `alive`, and how many `silent`: hanging, or killed."""
    before = timezone.now() - pulse.SILENT_AFTER
    seen = list(workers().values_list("seen_at", flat=True))
    silent = sum(moment < before for moment in seen)
    return {"alive": len(seen) - silent, "silent": silent}


def _counted(*sets: tuple[str, QuerySet[models.Run]]) -> Iterator[tuple[str, Kind, int]]:
    """Yield, in one query, how many runs of each set there are of each trigger of each Step."""
    parts: list[str] = []
    parameters: list[Any] = []
    for label, rows in sets:
        some = rows.order_by().values_list("step", "trigger", "index")[:MOST].query
        inner, given = some.get_compiler(using=database()).as_sql()
        parts.append(f"SELECT '{label}' AS label, part.* FROM ({inner}) AS part")
        parameters += given
    quote = connections[database()].ops.quote_name
    columns = ", ".join(("label", "step", quote("trigger"), quote("index")))
    union = " UNION ALL ".join(parts)
    statement = f"SELECT {columns}, COUNT(*) FROM ({union}) AS counted GROUP BY {columns}"
    with connections[database()].cursor() as cursor:
        cursor.execute(statement, parameters)
        for what, step, kind, index, count in cursor.fetchall():
            yield what, (step, kind, index), count
