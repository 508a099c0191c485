"""How each Step has done lately: how many runs, how many failed, how long they took, what waits.

It reads so many rows at most, the newest, however many there are; and says so if that was not all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connections
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.utils import timezone

from motia_django import models
from motia_django.ledger.rows import all_runs, database
from motia_django.runs import Status, lowest_id_at

MOST = 10_000
"""Of runs that are looked at for figures, and of runs that wait that are counted."""

Row = tuple[str, str, int, timedelta | None]
"""Step, status, attempt, and how long that attempt worked."""
_RETRYING = "retrying"
_TOLD = (Status.SUCCEEDED, Status.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one Step."""

    runs: int = 0
    """Those that were born in the window."""
    succeeded: int = 0
    dead: int = 0
    retrying: int = 0
    """Those whose last attempt failed, and that are to be tried again."""
    p50: timedelta | None = None
    """Half of the runs worked no longer, in their last attempt; None if none came to an end."""
    p95: timedelta | None = None
    waiting: int = 0
    """Those that could run now: queued, or scheduled and due. Whenever they were born."""

    @property
    def failed(self) -> int:
        """How many are dead or to be tried again."""
        return self.dead + self.retrying

    @property
    def failure_rate(self) -> float | None:
        """The share of failures, from 0 to 1, of those that failed or succeeded."""
        told = self.failed + self.succeeded
        return self.failed / told if told else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The figures of Steps over a window."""

    by_step: dict[str, Figures] = field(default_factory=dict)
    is_cut: bool = False
    """Whether only the newest `MOST` runs of the window were looked at."""
    is_backlog_cut: bool = False
    """Whether more than `MOST` runs wait, so that not all were counted."""

    def of(self, step: str) -> Figures:
        """Return the figures of one Step; zeros if there was nothing."""
        return self.by_step.get(step, Figures())


def measure(window: timedelta, step: str | None = None) -> Measured:
    """Return the figures of all Steps, or of one, over the last `window`; in three queries.

    A run counts if it was born in the window.
    """
    rows = all_runs() if step is None else all_runs().filter(step=step)
    now = timezone.now()
    born = list(newest(rows.filter(id__gte=lowest_id_at(datetime.now(UTC) - window))))
    waiting = _waiting(rows, now)
    statuses, lengths = told(born[:MOST])
    names = {name for name, _status in statuses} | set(waiting)
    return Measured(
        by_step={name: _figures(name, statuses, lengths[name], waiting[name]) for name in names},
        is_cut=len(born) > MOST,
        is_backlog_cut=waiting.total() >= MOST,
    )


def newest(rows: QuerySet[models.Run]) -> Iterable[Row]:
    """Return what figures need of the newest rows: one more than are looked at.

    The database takes the times' difference: to make two of Python's times of each row took most of
    the time.
    """
    worked = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    columns = rows.order_by("-id").annotate(worked=worked)
    return columns.values_list("step", "status", "attempt", "worked")[: MOST + 1]


def _waiting(rows: QuerySet[models.Run], now: datetime) -> Counter[str]:
    """Return how many runs of each Step wait for a worker, counted up to `MOST`."""
    due = rows.filter(status=Status.SCHEDULED, wake_at__lte=now)
    return _counted(rows.filter(status=Status.QUEUED)) + _counted(due)


def _counted(rows: QuerySet[models.Run]) -> Counter[str]:
    """Return how many there are of each Step, among so many of them, counted by the database."""
    some = rows.order_by().values_list("step")[:MOST].query
    inner, parameters = some.get_compiler(using=database()).as_sql()
    with connections[database()].cursor() as cursor:
        cursor.execute(f"SELECT step, COUNT(*) FROM ({inner}) AS counted GROUP BY step", parameters)
        return Counter(dict(cursor.fetchall()))


def told(
    rows: Iterable[Row],
) -> tuple[Counter[tuple[str, str]], dict[str, list[timedelta]]]:
    """Return how often each Step has each status, and how long its runs worked."""
    statuses: Counter[tuple[str, str]] = Counter()
    lengths: dict[str, list[timedelta]] = defaultdict(list)
    for step, status, attempt, worked in rows:
        statuses[step, _RETRYING if status == Status.SCHEDULED and attempt else status] += 1
        if worked is not None and status in _TOLD:
            lengths[step].append(worked)
    return statuses, lengths


def _figures(
    step: str, statuses: Counter[tuple[str, str]], lengths: list[timedelta], waiting: int
) -> Figures:
    lengths.sort()
    return Figures(
        runs=sum(statuses[step, status] for status in (*Status, _RETRYING)),
        succeeded=statuses[step, Status.SUCCEEDED],
        dead=statuses[step, Status.DEAD],
        retrying=statuses[step, _RETRYING],
        p50=_percentile(lengths, 50),
        p95=_percentile(lengths, 95),
        waiting=waiting,
    )


def _percentile(ordered: Sequence[timedelta], percent: int) -> timedelta | None:
    """Return the smallest length that so many percent do not exceed (the nearest rank)."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return max(ordered[rank - 1], timedelta())  # a clock may have been set back
