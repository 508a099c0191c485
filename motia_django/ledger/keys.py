"""The index keys of runs, in a table of their own: written with a run, found by value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from uuid import UUID

from django.db.models import QuerySet

from motia_django import by_hand, keys, models
from motia_django.exceptions import MotiaError
from motia_django.ledger.rows import all_runs, database
from motia_django.registry import registry
from motia_django.runs import INVOKE, Run
from motia_django.steps import Step
from motia_django.triggers import Trigger

MOST_FOUND = 1000
"""So many runs with one key a page shows at most."""
MOST_LOOKED_AT = 10_000
"""Among so many with the key, the newest, it looks for what else was asked for."""
_AT_ONCE = 1000
_LATELY = 1000
_ANY = "1 = 1 ORDER BY run_id"


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
        if not (self._after or by_hand.exists(models.RunKey, database(), _ANY)):
            return
        rows = _keys().filter(run_id__gt=self._after) if self._after else _keys()
        ids = list(rows.order_by("run_id").values_list("run_id", flat=True)[:limit])
        _forget_gone(set(ids))
        self._after = ids[-1] if len(ids) == limit else None


def keys_of(run: Run, given: keys.Keys = ()) -> keys.Keys:
    """Return what a run is found by, as today's config of its Step and its trigger says.

    What its handler has `given` it comes last.
    """
    if run.step not in registry():
        return given
    step = registry().step(run.step)
    index = step.index_of(_trigger(step, run))
    if not index:
        return given
    own = keys.of_input(index, run.input, is_request=run.trigger == "http")
    return tuple(dict.fromkeys((*own, *given))) if given else own


def keep(runs: Iterable[Run], given: Iterable[keys.Keys] = repeat(())) -> None:
    """Insert the keys of new runs, in the caller's transaction; no query if they have none.

    For each there may be what its handler has `given` it.
    """
    rows = [
        models.RunKey(run_id=run.id, name=name, value=value)
        for run, more in zip(runs, given, strict=False)
        for name, value in keys_of(run, more)
    ]
    if rows:
        _keys().bulk_create(rows, batch_size=500)


def add(run_id: UUID, more: keys.Keys) -> None:
    """Let a run be found by more than before; no query if there is no more.

    The caller has written its row in this transaction, so nobody else adds the same meanwhile.
    """
    if not more:
        return
    there = set(_keys().filter(run_id=run_id).values_list("name", "value"))
    new = [
        models.RunKey(run_id=run_id, name=each[0], value=each[1])
        for each in more
        if each not in there
    ]
    _keys().bulk_create(new)


def names() -> set[str]:
    """Return the names of index keys: those of all Steps, and those that runs had lately."""
    newest = models.RunKey.objects.order_by("-id").values("name")[:_LATELY]
    return registry().index_names() | {each["name"] for each in newest}


def forget(run_ids: Iterable[UUID]) -> None:
    """Delete the keys of those of these runs that are gone; one query if they had none.

    (Said in one statement, PostgreSQL reads the whole table of runs for it.)
    """
    _forget_gone(set(_keys().filter(run_id__in=list(run_ids)).values_list("run_id", flat=True)))


def found(asked: str, most: int = MOST_FOUND) -> list[UUID]:
    """Return the newest runs with the key that was asked for: `17`, or `orderId=17`."""
    rows = models.RunKey.objects.filter(**_meant(asked)).order_by("-run_id")
    return list(dict.fromkeys(rows.values_list("run_id", flat=True)[:most]))


def all_with(asked: Sequence[str]) -> list[UUID]:
    """Return all runs that have each of these keys, `orderId=17`, the newest first.

    They are those of where they are written: a replica may lag behind. What stands before the `=`
    is a name here, whether any run has a key of that name or not.
    """
    return [each for ids in _pages(asked, _keys(), are_named=True) for each in ids]


def those_with(
    rows: QuerySet[models.Run], asked: Sequence[str], *, oldest_first: bool = False
) -> Iterator[models.Run]:
    """Yield those of these rows that have each of these keys, however many runs have them."""
    for ids in _pages(asked, oldest_first=oldest_first):
        yield from rows.filter(id__in=ids).order_by("id" if oldest_first else "-id")


def newest_with(rows: QuerySet[models.Run], asked: Sequence[str]) -> tuple[list[UUID], bool]:
    """Return the newest of these rows that have each of these keys, and whether there may be more.

    They are `MOST_FOUND` at most, of the newest `MOST_LOOKED_AT` runs with the first key.
    """
    found: list[UUID] = []
    for number, ids in enumerate(_pages(asked), 1):
        found += rows.filter(id__in=ids).order_by("-id").values_list("id", flat=True)
        if len(found) > MOST_FOUND or number * _AT_ONCE >= MOST_LOOKED_AT:
            return found[:MOST_FOUND], True
    return found, False


def spoken(text: str) -> list[str]:
    """Return the keys that a text asks for: one, or `tenant=acme customer=c1` if none is so."""
    several = text.split()
    if len(several) < 2 or not all("=" in each for each in several) or found(text, most=1):
        return [text]
    return several


def searched(text: str) -> list[str]:
    """Return the keys that a search box asks for: as it was typed, or else without its edges."""
    return [text] if found(text, most=1) else spoken(text.strip())


def _pages(
    asked: Sequence[str],
    keys: QuerySet[models.RunKey] | None = None,
    *,
    oldest_first: bool = False,
    are_named: bool = False,
) -> Iterator[list[UUID]]:
    """Yield all runs that have each of the keys that were asked for, some at a time.

    Their ids, and not a query, since a query of two tables may read one of them from end to end.
    """
    keys = models.RunKey.objects.all() if keys is None else keys
    first, *others = (_named(each) if are_named else _meant(each) for each in asked)
    rows = keys.filter(**first).order_by("run_id" if oldest_first else "-run_id")
    side = "run_id__gt" if oldest_first else "run_id__lt"
    ids = list(rows.values_list("run_id", flat=True)[:_AT_ONCE])
    while ids:
        having = list(dict.fromkeys(ids))
        for each in others:
            also = keys.filter(run_id__in=having, **each)
            known = set(also.values_list("run_id", flat=True))
            having = [run_id for run_id in having if run_id in known]
        yield having
        ids = list(rows.filter(**{side: ids[-1]}).values_list("run_id", flat=True)[:_AT_ONCE])


def _meant(asked: str) -> dict[str, str]:
    """Return the lookups of a key that was asked for, by its name if it has one.

    A value may have a `=` in it as well: it is looked for as a whole only if what stands before
    that is the name of no key. (Or else whoever called himself `orderId=17` would be found, and
    dealt with, together with the order 17.)
    """
    named = _named(asked)
    if named["value"] and _is_name(named):
        return named
    return {"value": keys.kept(asked)}


def _named(asked: str) -> dict[str, str]:
    name, _, value = asked.partition("=")
    return {"name": name.strip(), "value": keys.kept(value)}


def _is_name(named: Mapping[str, str]) -> bool:
    if named["name"] in registry().index_names():
        return True
    return models.RunKey.objects.filter(**named).exists() or named["name"] in names()


def of_runs(run_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Return the keys of those of these runs that have some, each as `orderId=17`."""
    found: dict[UUID, list[str]] = {}
    for each in models.RunKey.objects.filter(run_id__in=list(run_ids)).order_by("name", "id"):
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
