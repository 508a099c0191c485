"""The ledger as history: read by people, pruned by age, erased by id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, QuerySet
from django.db.models.functions import Left
from django.utils import timezone

from motia_django import by_hand, models
from motia_django.ledger import keys
from motia_django.ledger.rows import LONGEST_SOURCE, all_runs, database, run_of
from motia_django.runs import UNFINISHED, Run, Status, lowest_id_at

_ANSWER = re.compile(r'\{"status":\s?(\d{3})[,}]')
_LONGEST_BEGINNING = 16
_FINAL = tuple(each for each in Status if each.final)
_AT_ONCE = 500
_OLD = "status = %s AND id < %s AND finished_at < %s ORDER BY id"
"""What finds those that may be pruned, in the order in which the index has them."""


def find(run_id: UUID) -> Run | None:
    """Return a run by its id."""
    row = all_runs().filter(id=run_id).first()
    return run_of(row) if row is not None else None


def rows(**filters: Any) -> QuerySet[models.Run]:
    """Return the rows that people look at, newest first, narrowed by Django's field lookups."""
    return models.Run.objects.filter(**filters).order_by("-id")


def trace(trace_id: str) -> QuerySet[models.Run]:
    """Return the rows of a trace, in the order of their birth."""
    return models.Run.objects.filter(trace_id=trace_id).order_by("created_at", "id")


def answered_with(run_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the status codes of those of these runs that have answered a request.

    An answer is kept with its status first, so that the rest, which can be large, is not read.
    """
    begins = Left("output", _LONGEST_BEGINNING, output_field=CharField())
    found = all_runs().filter(id__in=list(run_ids), trigger="http", output__isnull=False)
    begun = ((run_id, _ANSWER.match(text)) for run_id, text in found.values_list("id", begins))
    return {run_id: int(match[1]) for run_id, match in begun if match}


def unfinished(run: Run) -> UUID | None:
    """Return an unfinished run that the same trigger of the same Step has started, if any."""
    waiting = _of_trigger(run.step, run.trigger, run.index).filter(wake_at__isnull=False)
    found = waiting.filter(status__in=UNFINISHED).order_by("wake_at")
    return found.values_list("id", flat=True).first()


def has_ticked(step: str, index: int, source: str, *, before: datetime) -> bool:
    """Return whether a tick of this cron trigger, with this very expression, came before that."""
    ticks = _of_trigger(step, "cron", index).filter(source=source[:LONGEST_SOURCE])
    return ticks.filter(id__lt=lowest_id_at(before)).exists()


def prune(status: Status, days: float, *, limit: int) -> int:
    """Delete up to `limit` runs that finished so long ago with this status; return how many."""
    before = timezone.now() - timedelta(days=days)
    if not by_hand.exists(models.Run, database(), _OLD, status, lowest_id_at(before), before):
        return 0
    ids = list(prunable(status, days).order_by("id").values_list("id", flat=True)[:limit])
    # By id, and still of that status: a dead run may have been redriven meanwhile.
    gone = all_runs().filter(id__in=ids, status=status)
    if not ids:
        return 0
    with transaction.atomic(using=database()):
        deleted = gone._raw_delete(database())
        keys.forget(ids)
    return deleted


def erase(run_ids: Sequence[UUID]) -> int:
    """Delete those of these runs that are finished, a few hundred at most; return how many."""
    with transaction.atomic(using=database()):
        gone = all_runs().filter(id__in=run_ids, status__in=_FINAL)
        deleted = gone._raw_delete(database())
        keys.forget(run_ids)
    return deleted


def with_caused(run_ids: Sequence[UUID]) -> list[UUID]:
    """Return these runs and all that they have caused, in whatever trace."""
    return _with_next(run_ids, "parent_id__in", "id")


def with_causes(run_ids: Sequence[UUID]) -> list[UUID]:
    """Return these runs and all that have led to them."""
    return _with_next(run_ids, "id__in", "parent_id")


def standings(run_ids: Sequence[UUID]) -> Iterator[tuple[UUID, str, Status]]:
    """Yield the id, the Step and the status of those of these runs that are there."""
    for run_id, step, status in _of_many("id__in", run_ids, "id", "step", "status"):
        yield run_id, step, Status(status)


def prunable(status: Status, days: float) -> QuerySet[models.Run]:
    """Return the runs that finished so long ago with this status, and need not keep their key."""
    now = timezone.now()
    before = now - timedelta(days=days)
    old = all_runs().filter(status=status, id__lt=lowest_id_at(before), finished_at__lt=before)
    return old.exclude(unique_key__isnull=False, unique_until__gt=now)


def _with_next(run_ids: Sequence[UUID], lookup: str, column: str) -> list[UUID]:
    """Return these runs, those that a column of what a lookup finds by them names, and so on."""
    found = dict.fromkeys(run_ids)
    latest = list(found)
    while latest:
        named = (run_id for (run_id,) in _of_many(lookup, latest, column) if run_id)
        latest = [run_id for run_id in dict.fromkeys(named) if run_id not in found]
        found |= dict.fromkeys(latest)
    return list(found)


def _of_many(lookup: str, run_ids: Sequence[UUID], *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield columns of the runs that a lookup finds by some of these ids, of however many."""
    for start in range(0, len(run_ids), _AT_ONCE):
        some = run_ids[start : start + _AT_ONCE]
        yield from all_runs().filter(**{lookup: some}).values_list(*columns)


def _of_trigger(step: str, kind: str, index: int) -> QuerySet[models.Run]:
    return all_runs().filter(step=step, trigger=kind, index=index)
