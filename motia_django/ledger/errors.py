"""Dead runs by the error that killed them: how many, and the first and the last of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connections

from motia_django import models
from motia_django.ledger.rows import all_runs, database
from motia_django.runs import Status

MOST_RUNS = 1000
"""Runs of one error are counted no further than this: a page counts those of a hundred errors."""
MOST_ERRORS = 100
"""No more errors than these are told of; the newest are among them."""
_NEWEST = 200
_LOOKED_AT = 1000
"""Of all errors so many are looked at for those of a few Steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadBy:
    """The dead runs that have the same error."""

    fingerprint: str
    runs: int
    """How many, counted up to one more than `MOST_RUNS`."""
    first: models.Run
    """The one that died first, without its large columns but for the error."""
    last: models.Run
    """The one that died last."""


def dead_by_error(among: Sequence[str] | None = None) -> tuple[list[DeadBy], bool]:
    """Return the errors of dead runs, those that killed last first, and whether there are more.

    Those of the Steps in `among` only; None means all. The table is never read through, however
    many dead runs there are: each error's index entries are jumped over, and counted up to a bound.
    There may be more, too, where not all errors were looked at.
    """
    newest, are_all = _newest(among)
    others: list[str] = []
    is_cut = False
    if not are_all and among is None:
        others = fingerprints(MOST_ERRORS * 2)
    elif not are_all:
        others, is_cut = _all_among(among or ())
    prints = list(dict.fromkeys([*newest, *others]))
    found = dead_by(prints[:MOST_ERRORS])
    groups = [each for each in found if among is None or each.last.step in among]
    return groups, is_cut or len(prints) > MOST_ERRORS


def dead_by(prints: Sequence[str]) -> list[DeadBy]:
    """Return what is known of these errors, those that killed last first; of no dead run, none."""
    found = [each for each in _counted(prints) if each[1]]
    ids = {run_id for _, _, *both in found for run_id in both}
    rows = all_runs().filter(id__in=ids).defer("input", "output", "timeline").in_bulk()
    groups = [
        DeadBy(fingerprint=mark, runs=runs, first=rows[first], last=rows[last])
        for mark, runs, first, last in found
        if first in rows and last in rows
    ]
    return sorted(groups, key=lambda each: (each.last.finished_at, each.last.id), reverse=True)


def fingerprints(most: int) -> list[str]:
    """Return the errors' fingerprints, up to so many, each found from the one before it."""
    with connections[database()].cursor() as cursor:
        cursor.execute(_marks(most))
        return [row[0] for row in cursor.fetchall()]


def _newest(among: Sequence[str] | None) -> tuple[list[str], bool]:
    """Return what killed the newest of the dead runs, and whether there are no others."""
    newest = all_runs().filter(status=Status.DEAD).order_by("-id")
    newest = newest if among is None else newest.filter(step__in=among)
    prints = list(newest.values_list("fingerprint", flat=True)[:_NEWEST])
    return [each for each in prints if each is not None], len(prints) < _NEWEST


def _all_among(among: Sequence[str]) -> tuple[list[str], bool]:
    """Return those of which a run of these Steps died last, and whether not all were looked at."""
    sql = _LAST_STEPS.format(table=_TABLE, marks=_marks(_LOOKED_AT))
    with connections[database()].cursor() as cursor:
        cursor.execute(sql, [Status.DEAD])
        rows = cursor.fetchall()
    return [mark for mark, step in rows if step in among], len(rows) == _LOOKED_AT


def _marks(most: int) -> str:
    """Return the statement that finds this many fingerprints."""
    # MariaDB and MySQL jump by themselves.
    sql = _DISTINCT if connections[database()].vendor == "mysql" else _JUMPING
    return sql.format(table=_TABLE, most=most)


def _counted(prints: Sequence[str]) -> list[tuple[str, int, UUID, UUID]]:
    """Return each fingerprint with its number of dead runs, the first and the last."""
    if not prints:
        return []
    one = _ONE.format(table=_TABLE, most=MOST_RUNS + 1)
    sql = " UNION ALL ".join(f"SELECT {at}, {one}" for at in range(len(prints)))
    with connections[database()].cursor() as cursor:
        cursor.execute(sql, [each for mark in prints for each in (mark, Status.DEAD) * 3])
        rows = cursor.fetchall()
    return [
        (prints[at], count, UUID(str(first)), UUID(str(last)))
        for at, count, first, last in rows
        if count
    ]


_TABLE = models.Run._meta.db_table
_DISTINCT = """
SELECT DISTINCT fingerprint AS mark FROM {table} WHERE fingerprint IS NOT NULL LIMIT {most}
"""
_JUMPING = """
WITH RECURSIVE found(mark) AS (
    SELECT MIN(fingerprint) FROM {table} WHERE fingerprint IS NOT NULL
    UNION ALL
    SELECT (SELECT MIN(fingerprint) FROM {table} WHERE fingerprint > found.mark)
    FROM found WHERE found.mark IS NOT NULL
)
SELECT mark FROM found WHERE mark IS NOT NULL LIMIT {most}
"""
_DEAD = "FROM {table} WHERE fingerprint = %s AND status = %s"
_LAST_STEPS = """
SELECT mark, (SELECT step FROM {table} WHERE fingerprint = mark AND status = %s
              ORDER BY finished_at DESC LIMIT 1) FROM ({marks}) AS few
"""
_ONE = f"""
(SELECT COUNT(*) FROM (SELECT 1 AS one {_DEAD} LIMIT {{most}}) AS counted),
(SELECT id {_DEAD} ORDER BY finished_at LIMIT 1),
(SELECT id {_DEAD} ORDER BY finished_at DESC LIMIT 1)
"""
