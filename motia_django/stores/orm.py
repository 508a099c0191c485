"""State in the project's database: a change, its messages and the caller's rows commit together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, connections, router, transaction
from django.db.models import F, QuerySet

from motia_django.exceptions import StateConflict
from motia_django.models import StateItem
from motia_django.stores.base import MISSING, Change, StateStore

_TRIES = 5
"""How often an item may come and go between looking for it and making it."""


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
            change = self._write(group, key, value)
            announce(change)
        return change

    def items(self, group: str) -> list[tuple[str, Any]]:
        rows = _items().filter(group=group).order_by("id")
        return list(rows.values_list("key", "value"))

    def groups(self) -> list[str]:
        return sorted(_items().order_by().values_list("group", flat=True).distinct())

    def _write(self, group: str, key: str, value: Callable[[Any], Any]) -> Change:
        for _ in range(_TRIES):
            row = _locked(group, key)
            if row is not None:
                return _replaced(row, value)
            new = value(MISSING)
            if new is MISSING or _inserted(group, key, new):
                return Change(group=group, key=key, old=MISSING, new=new)
        raise StateConflict(
            f"state: {group!r}/{key!r} is being made by another transaction, which this one, by its"
            " isolation level, cannot see"
        )


def _replaced(row: StateItem, value: Callable[[Any], Any]) -> Change:
    """Write a locked row anew, or delete it."""
    old, new = row.value, value(row.value)
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


def _locked(group: str, key: str) -> StateItem | None:
    """Return the item's row, locked until the transaction ends.

    A database without row locks (SQLite) is locked whole by an UPDATE that changes nothing: reading
    first would fail as soon as somebody else had written in between.
    """
    rows = _items().filter(group=group, key=key)
    if connections[_database()].features.has_select_for_update:
        return rows.select_for_update().first()
    rows.update(version=F("version"))
    return rows.first()


def _inserted(group: str, key: str, value: Any) -> bool:
    """Insert the item; return False if somebody else has done so first."""
    try:
        with transaction.atomic(using=_database()):
            StateItem.objects.create(group=group, key=key, value=value)
    except IntegrityError:
        return False
    return True
