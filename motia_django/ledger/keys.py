"""The index keys of runs, in a table of their own: written with a run, found by value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Q, QuerySet

from motia_django import keys, models
from motia_django.exceptions import MotiaError
from motia_django.ledger.rows import all_runs, database
from motia_django.registry import registry
from motia_django.runs import INVOKE, Run
from motia_django.steps import Step
from motia_django.triggers import Trigger

MOST_FOUND = 1000


class KeySweep:
    """Goes through the keys again and again, piece by piece, and deletes those of no run.

    Workers of a release that knows no keys leave them behind when they prune, during a rolling
    deployment or after a way back.
    """

    def __init__(self) -> None:
        self._after: UUID | None = None
        """The last run whose keys were looked at; None at the beginning."""

    def piece(self, limit: int) -> None:
        """Look at the next keys, up to `limit`; begin anew after the last ones."""
        rows = _keys().filter(run_id__gt=self._after) if self._after else _keys()
        ids = list(rows.order_by("run_id").values_list("run_id", flat=True)[:limit])
        _forget_gone(set(ids))
        self._after = ids[-1] if len(ids) == limit else None


def keys_of(run: Run) -> keys.Keys:
    """Return what a run is found by, as today's config of its Step and its trigger says."""
    if run.step not in registry():
        return ()
    step = registry().step(run.step)
    names = step.index_names(_trigger(step, run))
    return keys.of_input(names, run.input, is_request=run.trigger == "http") if names else ()


def keep(runs: Sequence[Run]) -> None:
    """Insert the keys of new runs, in the caller's transaction; no query if they have none."""
    rows = [
        models.RunKey(run_id=run.id, name=name, value=value)
        for run in runs
        for name, value in keys_of(run)
    ]
    if rows:
        _keys().bulk_create(rows, batch_size=500)


def renew(run: Run, before: Run) -> None:
    """Let a run be found by what it has become, no longer by what it was before."""
    if keys_of(run) or keys_of(before):
        _keys().filter(run_id=run.id)._raw_delete(database())
        keep([run])


def forget(run_ids: Iterable[UUID]) -> None:
    """Delete the keys of those of these runs that are gone; one query if they had none.

    (Said in one statement, PostgreSQL reads the whole table of runs for it.)
    """
    _forget_gone(set(_keys().filter(run_id__in=list(run_ids)).values_list("run_id", flat=True)))


def found(asked: str, most: int | None = MOST_FOUND) -> list[UUID]:
    """Return the newest runs with the key that was asked for: `17`, or `orderId=17`.

    Of `most` None all are returned, as they are where they are written: a replica may lag behind.
    Their ids, and not a query, since a query of two tables may read one of them from end to end.
    """
    name, equals, rest = asked.partition("=")
    whole, value = keys.kept(asked), keys.kept(rest)
    rows = (_keys() if most is None else models.RunKey.objects).order_by("-run_id")
    if equals and value:
        named = Q(name=name.strip(), value=value)
        rows = rows.filter(Q(value=whole) | named, value__in=[whole, value])
    else:
        rows = rows.filter(value=whole)
    return list(dict.fromkeys(rows.values_list("run_id", flat=True)[:most]))


def of_runs(run_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Return the keys of those of these runs that have some, each as `orderId=17`."""
    found: dict[UUID, list[str]] = {}
    for each in models.RunKey.objects.filter(run_id__in=list(run_ids)).order_by("name"):
        found.setdefault(each.run_id, []).append(str(each))
    return found


def _forget_gone(keyed: set[UUID]) -> None:
    """Delete the keys of those of these runs, which have some, that are gone."""
    there = set(all_runs().filter(id__in=keyed).values_list("id", flat=True))
    if keyed - there:
        _keys().filter(run_id__in=keyed - there)._raw_delete(database())


def _trigger(step: Step, run: Run) -> Trigger | None:
    if run.trigger == INVOKE:
        return step.triggers[run.index] if run.index < len(step.triggers) else None
    try:
        return step.trigger(run.trigger, run.index, run.source)
    except MotiaError:
        return None


def _keys() -> QuerySet[models.RunKey]:
    return models.RunKey.objects.using(database())
