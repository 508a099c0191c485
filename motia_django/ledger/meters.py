"""How the ledger is doing, in the numbers that a monitoring system asks for again and again.

Each is found by an index, and nothing is counted further than `MOST`: however long the table is,
asking costs the same few queries.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import QuerySet, Value
from django.utils import timezone

from motia_django import models
from motia_django.ledger import figures, pulse, turns, waits
from motia_django.ledger.rows import all_runs, database
from motia_django.ledger.workers import workers
from motia_django.runs import Status, birth_of, lowest_id_at

MOST = figures.MOST
"""Of runs that are looked at, or of a kind that are counted."""

_QUEUED, _IN_TURN = "queued", "in turn"

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
    """Those that could run now: queued, or scheduled and due; not those that wait their turn."""
    in_turn: Counter[str]
    """Those that are queued and wait their turn, by Step."""
    dead: Counter[str]
    """By Step."""
    late: int
    """Those that should have been published by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """For how long the runs of each Step have waited that have for longest."""

    for_worker: dict[str, timedelta]
    for_turn: dict[str, timedelta]


def window(length: timedelta) -> Window:
    """Return what became of the runs that were born in the last `length`."""
    rows = all_runs().filter(id__gte=lowest_id_at(datetime.now(UTC) - length))
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
    found: defaultdict[str, Counter[Kind]] = defaultdict(Counter)
    counted = _counted(
        (_QUEUED, all_runs().filter(status=Status.QUEUED)),
        ("due", all_runs().filter(status=Status.SCHEDULED, wake_at__lte=now)),
        ("dead", all_runs().filter(status=Status.DEAD)),
        ("late", all_runs().filter(status__in=due, wake_at__lt=now - pulse.LATE_AFTER)),
    )
    for what, kind, count in counted:
        found[what][kind] += count
    return Waiting(
        backlog=found[_QUEUED] + found["due"],
        in_turn=_by_step(found[_IN_TURN]),
        dead=_by_step(found["dead"]),
        late=found["late"].total(),
    )


def _by_step(counts: Counter[Kind]) -> Counter[str]:
    by_step: Counter[str] = Counter()
    for (step, _, _), count in counts.items():
        by_step[step] += count
    return by_step


def longest_waits() -> Ages:
    """Return for how long the runs of each Step have waited that have for longest."""
    found, now = waits.waits(), timezone.now()
    return Ages(for_worker=_ages(found.for_worker, now), for_turn=_ages(found.for_turn, now))


def _ages(found: Sequence[waits.Waiting], now: datetime) -> dict[str, timedelta]:
    ages: dict[str, timedelta] = {}
    for row, since in found:
        age = max(now - since, timedelta())
        ages[row.step] = max(age, ages.get(row.step, age))
    return ages


def seen_workers() -> dict[str, int]:
    """Return how many workers are `alive`, and how many `silent`: hanging, or killed."""
    before = timezone.now() - pulse.SILENT_AFTER
    seen = list(workers().values_list("seen_at", flat=True))
    silent = sum(moment < before for moment in seen)
    return {"alive": len(seen) - silent, "silent": silent}


def _counted(*sets: tuple[str, QuerySet[models.Run]]) -> Iterator[tuple[str, Kind, int]]:
    """Yield, in one query, how many runs of each set there are of each trigger of each Step.

    Queued ones that wait their turn are told apart.
    """
    parts: list[str] = []
    parameters: list[Any] = []
    for label, rows in sets:
        told = rows.annotate(called=turns.is_called() if label == _QUEUED else Value(True))
        some = told.order_by().values_list("step", "trigger", "index", "called")[:MOST].query
        inner, given = some.get_compiler(using=database()).as_sql()
        parts.append(f"SELECT '{label}' AS label, part.* FROM ({inner}) AS part")
        parameters += given
    quote = connections[database()].ops.quote_name
    named = ", ".join(("label", "step", quote("trigger"), quote("index"), quote("called")))
    union = " UNION ALL ".join(parts)
    statement = f"SELECT {named}, COUNT(*) FROM ({union}) AS counted GROUP BY {named}"
    with connections[database()].cursor() as cursor:
        cursor.execute(statement, parameters)
        for what, step, kind, index, called, count in cursor.fetchall():
            yield what if called else _IN_TURN, (step, kind, index), count
