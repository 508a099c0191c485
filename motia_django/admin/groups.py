"""The groups of state and of streams, and how many items each has.

No question here reads more of a table than it tells of, however many items there are: the names of
groups are looked up one after another in the index, and no group is counted beyond a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, router
from django.db.models import Model

from motia_django.admin import words

MOST_GROUPS = 100
MOST_ITEMS = 1000

Table = type[Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A group and the number of its items."""

    name: str
    items: int
    is_more: bool
    """Whether there are more items than were counted."""

    @property
    def shown(self) -> str:
        """The name as one reads it."""
        return words.spelled(self.name)


def names(table: Table, column: str, **where: str) -> list[str]:
    """Return the first different values of an indexed column, in their order, up to a bound.

    The columns of `where` must come before it in the index. One is asked for more than the bound,
    so that the caller can tell whether there are more.
    """
    connection = connections[_database(table)]
    if connection.vendor == "mysql":  # it skips through an index by itself, and in no other way
        found = table._default_manager.using(connection.alias).filter(**where).order_by(column)
        return list(found.values_list(column, flat=True).distinct()[: MOST_GROUPS + 1])
    quote = connection.ops.quote_name
    source, column = quote(table._meta.db_table), quote(column)
    tests = "".join(f" AND {quote(name)} = %s" for name in where)
    values = list(where.values())
    sql = (
        f"WITH RECURSIVE found(name) AS (SELECT MIN({column}) FROM {source} WHERE 1 = 1{tests}"
        f" UNION ALL SELECT (SELECT MIN({column}) FROM {source} WHERE {column} > found.name{tests})"
        f" FROM found WHERE found.name IS NOT NULL)"
        f" SELECT name FROM found WHERE name IS NOT NULL LIMIT {MOST_GROUPS + 1}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *values])
        return [name for (name,) in cursor.fetchall()]


def counted(table: Table, column: str, groups: Sequence[str], **where: str) -> list[Counted]:
    """Return the number of items of each of these groups, counted up to a bound, in one query."""
    one = f"COUNT(*) FROM (SELECT 1 AS one FROM {{0}} LIMIT {MOST_ITEMS + 1}) AS counted"
    numbers = _of_each(one, table, column, groups, where)
    return [
        Counted(name=group, items=min(number, MOST_ITEMS), is_more=number > MOST_ITEMS)
        for group, number in zip(groups, numbers, strict=True)
    ]


def newest(table: Table, column: str, groups: Sequence[str], **where: str) -> list[int]:
    """Return the highest id in each of those of these groups that have any, in one query.

    The columns of `where`, this one, and the id must be an index.
    """
    return [id for id in _of_each("MAX(id) FROM {0}", table, column, groups, where) if id]


def count_all(table: Table, column: str, **where: str) -> tuple[list[Counted], bool]:
    """Return the groups with their numbers of items, and whether there are more groups."""
    found = names(table, column, **where)
    return counted(table, column, found[:MOST_GROUPS], **where), len(found) > MOST_GROUPS


def _of_each(
    one: str, table: Table, column: str, groups: Sequence[str], where: Mapping[str, str]
) -> Sequence[Any]:
    """Return what a SELECT says of the rows (`{0}`) of each of these groups, all in one query."""
    if not groups:
        return []
    connection = connections[_database(table)]
    quote = connection.ops.quote_name
    tests = " AND ".join(f"{quote(name)} = %s" for name in [*where, column])
    each = f"(SELECT {one.format(f'{quote(table._meta.db_table)} WHERE {tests}')})"
    values = [value for group in groups for value in (*where.values(), group)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join([each] * len(groups))}", values)
        found: Sequence[Any] = cursor.fetchone()
    return found


def _database(table: Table) -> str:
    return str(router.db_for_read(table))
