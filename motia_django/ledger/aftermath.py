"""What the deaths of runs have started: by `onDead`, or by who was told of them by a signal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery

from motia_django import models
from motia_django.registry import registry
from motia_django.runs import Status

MOST_DEATHS = 10_000
"""No more runs than these are looked at."""
_AT_ONCE = 500
_MOST_STEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What the deaths of some runs have started."""

    looked_at: int
    """How many of these runs are dead, as far as they were looked at."""
    are_all: bool
    """Whether all of them were."""
    deaths: int
    """How many of the dead have started runs."""
    started: Mapping[str, Counter[str]]
    """Those, by Step: how many of each status."""
    hidden: int
    """How many they have started besides, of Steps that are not to be named."""

    def told(self, word: Callable[[str], object] = str) -> str:
        """Return what was started, the most first: `CrmDied (12: 11 succeeded, 1 queued)`."""
        steps = sorted(self.started.items(), key=lambda each: (-each[1].total(), each[0]))
        told = [f"{step} ({_counted(statuses, word)})" for step, statuses in steps[:_MOST_STEPS]]
        return ", ".join([*told, "…"] if len(steps) > _MOST_STEPS else told)


def of_death(row: models.Run) -> QuerySet[models.Run]:
    """Return the rows of what the death of a run has started, the oldest first.

    None, unless it is dead; of a run that has died before, also what `onDead` did then.
    """
    if row.status != Status.DEAD or row.finished_at is None:
        return models.Run.objects.none()
    return _started({row.id: row.step}).order_by("id")


def of_deaths(
    run_ids: Sequence[UUID], *, steps: Container[str] | None = None, seconds: float = 5.0
) -> Aftermath:
    """Return what the deaths of these runs have started: of up to `MOST_DEATHS`, for so long.

    Where `steps` says which Steps may be named, runs of others are only counted. Runs that are not
    dead are passed over.
    """
    deadline, looked_at, at = time.monotonic() + seconds, 0, 0
    parents: set[UUID] = set()
    started: dict[str, Counter[str]] = {}
    while at < min(len(run_ids), MOST_DEATHS) and (not at or time.monotonic() < deadline):
        some = run_ids[at : at + _AT_ONCE]
        found = models.Run.objects.filter(
            id__in=some, status=Status.DEAD, finished_at__isnull=False
        )
        dead: dict[UUID, str] = dict(found.values_list("id", "step"))
        counted = _started(dead).order_by().values_list("parent_id", "step", "status")
        for parent, step, status, runs in counted.annotate(runs=Count("id")):
            parents.add(parent)
            started.setdefault(step, Counter())[status] += runs
        at, looked_at = at + len(some), looked_at + len(dead)
    unnamed = [step for step in started if steps is not None and step not in steps]
    hidden = sum(started.pop(step).total() for step in unnamed)
    return Aftermath(
        looked_at=looked_at,
        are_all=at >= len(run_ids),
        deaths=len(parents),
        started=started,
        hidden=hidden,
    )


def _started(dead: Mapping[UUID, str]) -> QuerySet[models.Run]:
    """Return what the deaths of these runs, each with its Step, have started in their traces."""
    cause = models.Run.objects.filter(id=OuterRef("parent_id"), trace_id=OuterRef("trace_id"))
    rows = models.Run.objects.filter(parent_id__in=list(dead))
    rows = rows.alias(died_at=Subquery(cause.values("finished_at")[:1]))
    return rows.filter(_told(dead) | Q(created_at__gte=F("died_at")), died_at__isnull=False)


def _told(dead: Mapping[UUID, str]) -> Q:
    """Match the messages by `onDead` of these runs, by the topics of today."""
    by_topic: dict[str, list[UUID]] = {}
    for run_id, step in dead.items():
        topic = registry().step(step).on_dead if step in registry() else ""
        if topic:
            by_topic.setdefault(topic, []).append(run_id)
    found = Q(pk=None)
    for topic, ids in by_topic.items():
        found |= Q(trigger="queue", source=topic, parent_id__in=ids)
    return found


def _counted(statuses: Counter[Any], word: Callable[[str], object]) -> str:
    each = ", ".join(f"{runs:,} {word(status)}" for status, runs in statuses.most_common())
    return each if len(statuses) == 1 else f"{statuses.total():,}: {each}"
