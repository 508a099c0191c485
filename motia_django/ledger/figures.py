"""How each Step has done lately: how many runs, how many failed, how long they took, what waits.

It reads so many rows at most, the newest, however many there are; and says so if that was not all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from motia_django import models
from motia_django.ledger.rows import all_runs
from motia_django.runs import Status, lowest_id_at

MOST = 10_000
"""Of runs that are looked at for figures, and of runs that wait that are counted."""


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
    """Return the figures of all Steps, or of one, over the last `window`; in two queries or three.

    A run counts if it was born in the window.
    """
    rows = all_runs() if step is None else all_runs().filter(step=step)
    now = timezone.now()
    born = rows.filter(id__gte=lowest_id_at(now - window)).order_by("-id")
    columns = ("step", "status", "attempt", "started_at", "finished_at")
    read = list(born.values_list(*columns)[: MOST + 1])
    waiting = _waiting(rows, now)
    steps: dict[str, list[Any]] = defaultdict(list)
    for name, *facts in read[:MOST]:
        steps[name].append(facts)
    return Measured(
        by_step={name: _figures(steps.get(name, ()), waiting[name]) for name in {*steps, *waiting}},
        is_cut=len(read) > MOST,
        is_backlog_cut=waiting.total() >= MOST,
    )


def _waiting(rows: QuerySet[models.Run], now: datetime) -> Counter[str]:
    """Return how many runs of each Step wait for a worker."""
    queued = rows.filter(status=Status.QUEUED)
    due = rows.filter(status=Status.SCHEDULED, wake_at__lte=now)
    waiting: Counter[str] = Counter()
    for found in (queued, due):
        waiting.update(found.order_by().values_list("step", flat=True)[: MOST - waiting.total()])
    return waiting


def _figures(rows: Iterable[Sequence[Any]], waiting: int) -> Figures:
    statuses: Counter[str] = Counter()
    retrying = 0
    lengths: list[timedelta] = []
    for status, attempt, started_at, finished_at in rows:
        statuses[status] += 1
        retrying += status == Status.SCHEDULED and attempt > 0
        if status in (Status.SUCCEEDED, Status.DEAD) and started_at and finished_at:
            lengths.append(max(finished_at - started_at, timedelta()))
    lengths.sort()
    return Figures(
        runs=statuses.total(),
        succeeded=statuses[Status.SUCCEEDED],
        dead=statuses[Status.DEAD],
        retrying=retrying,
        p50=_percentile(lengths, 50),
        p95=_percentile(lengths, 95),
        waiting=waiting,
    )


def _percentile(ordered: Sequence[timedelta], percent: int) -> timedelta | None:
    """Return the smallest length that so many percent do not exceed (the nearest rank)."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return ordered[rank - 1]
