"""How the ledger is doing: what fails, what waits for too long, how much there is of it.

Nothing here counts further than `MOST`, so that a page of it stays quick however long the table is.
What takes `among` looks at the runs of these Steps only; None means all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.models import Count, Q, QuerySet, Subquery, UUIDField
from django.db.models.functions import Coalesce
from django.utils import timezone

from motia_django import models
from motia_django.ledger import errors, waits
from motia_django.ledger.rows import all_runs, database, united
from motia_django.ledger.waits import Waiting
from motia_django.ledger.workers import workers
from motia_django.registry import registry
from motia_django.runs import ANSWERED, Status, lowest_id_at

MOST = 10_000
SILENT_AFTER = timedelta(seconds=30)
"""A worker's upkeep gives a sign of life each ten seconds."""
LATE_AFTER = timedelta(seconds=15)
"""What was due so long ago, upkeep should have published."""
_LATELY = timedelta(hours=1)
_MOST_SAMPLED = 20_000
_MOST_ERRORS = 500
_MINUTES = 60


Among = Sequence[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Longest:
    """The runs that have waited for longest: for a worker, and for their turn."""

    for_worker: Waiting | None
    for_turn: Waiting | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """The runs that were born in one minute."""

    begins: datetime
    runs: int
    dead: int


def dead(among: Among = None) -> int:
    """Return how many runs are dead, counted up to `MOST`."""
    return _counted(_runs(among).filter(status=Status.DEAD))


def dead_and_answered(among: Among = None) -> tuple[int, int]:
    """Return how many runs are `dead`, and of how many of them whoever called them was told.

    These are not redriven, only discarded.
    """
    some = _runs(among).filter(status=Status.DEAD).order_by()[:MOST]
    told = Count("id", filter=Q(trigger__in=ANSWERED))
    found = some.aggregate(dead=Count("id"), answered=told)
    return found["dead"], found["answered"]


def late(among: Among = None) -> int:
    """Return how many runs should have been published by now, counted up to `MOST`."""
    before = timezone.now() - LATE_AFTER
    due = (Status.SCHEDULED, Status.QUEUED)
    return _counted(_runs(among).filter(wake_at__lt=before, status__in=due))


def longest_queued(among: Among = None, *, but: Sequence[str] = ()) -> Longest:
    """Return which runs have waited for longest, and since when; not those of Steps in `but`."""
    found = waits.waits(among, but=but)
    return Longest(for_worker=_longest(found.for_worker), for_turn=_longest(found.for_turn))


Place = tuple[str, str, str]
"""A trigger by its Step, its kind and its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """How many runs there are that nobody here takes."""

    steps: Mapping[str, int] = field(default_factory=dict)
    """Of each Step that is not there."""
    triggers: Mapping[Place, int] = field(default_factory=dict)
    """Of each trigger that its Step does not have."""


def strays(*statuses: Status) -> Strays:
    """Return how many runs of these statuses nobody here takes.

    What an answer was given to does not count. Of very many, those born first are looked at.
    """
    found: Counter[tuple[str, str, int, str]] = Counter()
    for status in statuses:
        rows = all_runs().filter(status=status).exclude(trigger__in=ANSWERED).order_by("id")
        found.update(rows.values_list("step", "trigger", "index", "source")[:MOST])
    there, steps, triggers = registry(), Counter[str](), Counter[Place]()
    for (step, kind, index, source), times in found.items():
        if step not in there:
            steps[step] += times
        elif not there.takes(step, kind, index, source):
            triggers[step, kind, source] += times
    return Strays(steps=dict(sorted(steps.items())), triggers=dict(sorted(triggers.items())))


def _longest(found: Sequence[Waiting]) -> Waiting | None:
    return min(found, key=lambda each: each[1], default=None)


def failing(among: Among = None) -> dict[str, int]:
    """Return the Steps that failed in the last hour, most often first: runs dead or to be retried.

    However long ago they were born; of very many, the newest are looked at.
    """
    died = _runs(among).filter(status=Status.DEAD)
    marks = errors.fingerprints(_MOST_ERRORS)
    # By its error each is found in the index by when it ended, and not one of all others is read.
    found = died.filter(fingerprint__in=marks) if len(marks) < _MOST_ERRORS else _newest_of(died)
    tried = _newest_of(_runs(among).filter(status=Status.SCHEDULED, attempt__gt=0))
    since = timezone.now() - _LATELY
    lately = [
        rows.filter(finished_at__gte=since).only("id", "step")[:MOST] for rows in (found, tried)
    ]
    failures = Counter(run.step for run in _at_once(lately))
    return dict(sorted(failures.items(), key=lambda each: (-each[1], each[0])))


def _newest_of(rows: QuerySet[models.Run]) -> QuerySet[models.Run]:
    """Return rows without the oldest, if there are very many: no index tells when they ended."""
    rows = rows.order_by("-id")
    edge = Subquery(rows.values("id")[_MOST_SAMPLED : _MOST_SAMPLED + 1])
    return rows.filter(id__gt=Coalesce(edge, UUID(int=0), output_field=UUIDField()))


def known_workers() -> tuple[list[models.Worker], list[models.Worker]]:
    """Return the workers that live, and those that ended without saying so, or hang."""
    before = timezone.now() - SILENT_AFTER
    known = list(workers().order_by("name"))
    alive = [each for each in known if each.seen_at >= before]
    return alive, [each for each in known if each not in alive]


def live_workers() -> list[models.Worker]:
    """Return the workers that have given a sign of life just now."""
    return known_workers()[0]


def last_ticks(keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], models.Run]:
    """Return the newest run of each of these cron triggers that ever ran, without large columns.

    A trigger is named by its Step and its index. (One query for fifty of them, which looks for
    each by the index, as no `OR` and no `GROUP BY` would.)
    """
    found: dict[tuple[str, int], models.Run] = {}
    for begin in range(0, len(keys), 50):
        newest = [
            all_runs()
            .filter(step=step, trigger="cron", index=index)
            .order_by("-id")
            .only("id", "step", "index", "status", "created_at")[:1]
            for step, index in keys[begin : begin + 50]
        ]
        found |= {(run.step, run.index): run for run in _at_once(newest)}
    return found


def _at_once(queries: Iterable[QuerySet[models.Run]]) -> Iterable[models.Run]:
    """Return the rows of queries for the same columns, each of which has its own limit, by one."""
    questions = []
    for each in queries:
        with suppress(EmptyResultSet):  # it looks for one of none
            questions.append(each.query.get_compiler(database()).as_sql())
    return all_runs().raw(*united(questions)) if questions else ()


def last_hour(among: Among = None) -> list[Minute]:
    """Return the runs born in each minute of the last hour, oldest minute first.

    Where there were very many, only the last minutes are told of that could be counted.
    """
    now = timezone.now()
    rows = _runs(among).filter(id__gte=lowest_id_at(datetime.now(UTC) - _LATELY)).order_by("-id")
    born = list(rows.values_list("created_at", "status")[:_MOST_SAMPLED])
    last = now.replace(second=0, microsecond=0)
    known = _MINUTES
    if len(born) == _MOST_SAMPLED:
        known = int((last - born[-1][0]) / timedelta(minutes=1)) or 1
    runs = Counter(moment.replace(second=0, microsecond=0) for moment, _ in born)
    failed = Counter(
        moment.replace(second=0, microsecond=0) for moment, status in born if status == Status.DEAD
    )
    minutes = [last - timedelta(minutes=ago) for ago in reversed(range(known))]
    return [Minute(begins=each, runs=runs[each], dead=failed[each]) for each in minutes]


def _runs(among: Among) -> QuerySet[models.Run]:
    return all_runs() if among is None else all_runs().filter(step__in=among)


def _counted(rows: QuerySet[models.Run]) -> int:
    return rows.order_by()[:MOST].count()
