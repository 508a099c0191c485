"""State in the project's database: a change, its messages and the caller's rows commit together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections, router, transaction
from django.db.models import F, QuerySet

from motia_django.models import StateItem
from motia_django.stores.base import MISSING, Change, StateStore

_NEW = 0
"""The version of an item that its own transaction is making: nobody else ever sees it."""


class OrmState(StateStore):
    """One row for each item, in the table `motia_state`; the row's lock makes a write atomic."""

    def get(self, group: str, key: str) -> Any:
        row = _items().filter(group=group, key=key).values_list("value").first()
        return MISSING if row is None else row[0]

    def write(
        self,
        group: str,
        key: str,
        value: Callable[[Any], Any],
        announce: Callable[[Change], object],
    ) -> Change:
        with transaction.atomic(using=_database()):
            change = _written(group, key, value)
            announce(change)
        return change

    def items(self, group: str) -> list[tuple[str, Any]]:
        rows = _items().filter(group=group).order_by("id")
        return list(rows.values_list("key", "value"))

    def groups(self) -> list[str]:
        return sorted(_items().order_by().values_list("group", flat=True).distinct())


def _written(group: str, key: str, value: Callable[[Any], Any]) -> Change:
    row = _locked(group, key).first()
    if row is None:
        if value(MISSING) is MISSING:
            return Change(group=group, key=key, old=MISSING, new=MISSING)
        _make(group, key)
        row = _locked(group, key).get()
    return _replaced(row, value)


def _replaced(row: StateItem, value: Callable[[Any], Any]) -> Change:
    """Write a locked row anew, or delete it."""
    old = MISSING if row.version == _NEW else row.value
    new = value(old)
    if new is MISSING:
        row.delete()
    else:
        row.value, row.version = new, row.version + 1
        row.save(update_fields=["value", "version", "updated_at"])
    return Change(group=row.group, key=row.key, old=old, new=new)


def _database() -> str:
    return router.db_for_write(StateItem)


def _items() -> QuerySet[StateItem]:
    """Return the items as they are where they are written: a replica may lag behind."""
    return StateItem.objects.using(_database())


def _locked(group: str, key: str) -> QuerySet[StateItem]:
    """Return the item's row, if there is one, to be locked until the transaction ends.

    A database without row locks (SQLite) is locked whole by an UPDATE that changes nothing: reading
    first would fail as soon as somebody else had written in between.
    """
    rows = _items().filter(group=group, key=key)
    if connections[_database()].features.has_select_for_update:
        return rows.select_for_update()
    rows.update(version=F("version"))
    return rows


def _make(group: str, key: str) -> None:
    """Insert a new row for the item and lock it, or lock the one that somebody else has inserted.

    An INSERT that fails is not as good: MySQL leaves all who come too late with a lock that they
    share, and when each wants it for himself, all but one fail.
    """
    features = connections[_database()].features
    names = ["group", "key"]
    _items().bulk_create(
        [StateItem(group=group, key=key, version=_NEW)],
        update_conflicts=True,
        update_fields=names,
        unique_fields=names if features.supports_update_conflicts_with_target else None,
    )
