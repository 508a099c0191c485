"""The items of streams, and the log's entry for each write, in the project's database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import router
from django.db.models import F, QuerySet

from motia_django import models
from motia_django.live import wake
from motia_django.stores.base import MISSING
from motia_django.stores.rows import locked, make, transacted
from motia_django.triggers.stream import StreamChange, StreamEvent

Announce = Callable[[StreamChange], object]
Place = tuple[str, str, str | None]
"""Stream, group, and the item or None for all of the group."""

_NAMES = ("stream", "group", "item")
_NOT_YET = 0
"""The last event of an item that its own transaction is making: nobody else ever sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write did to one item; `MISSING` where it was not there before, or is not after."""

    old: Any
    new: Any


def get(stream: str, group: str, item: str) -> Any:
    """Return an item, or `MISSING`."""
    row = _items().filter(stream=stream, group=group, item=item).values_list("value").first()
    return MISSING if row is None else row[0]


def of_group(stream: str, group: str) -> list[Any]:
    """Return the items of a group, in the order of their ids."""
    rows = _items().filter(stream=stream, group=group).order_by("item")
    return list(rows.values_list("value", flat=True))


def groups(stream: str) -> list[str]:
    """Return the names of the groups that hold an item, sorted."""
    rows = _items().filter(stream=stream).order_by("group")
    return list(rows.values_list("group", flat=True).distinct())


def write(
    stream: str,
    group: str,
    item: str,
    value: Callable[[Any], Any],
    announce: Announce,
) -> Written:
    """Replace an item by `value(old)`, where either may be `MISSING`, and log the event.

    Nobody else's write falls between reading `old` and writing the new one. `announce` is called
    with the event inside the same transaction; followers are woken when it commits.
    """
    return transacted(database(), lambda: _written((stream, group, item), value, announce))


def send(stream: str, group: str, item: str | None, data: Any, announce: Announce) -> None:
    """Log an event that changes no item; `announce` as in `write`."""
    transacted(database(), lambda: _log((stream, group, item), "event", data, announce))


def database() -> str:
    """Return the alias of the database that streams live in."""
    return router.db_for_write(models.StreamItem)


def _written(place: Place, value: Callable[[Any], Any], announce: Announce) -> Written:
    row = _locked(place)
    if row is None:
        if value(MISSING) is MISSING:
            return Written(old=MISSING, new=MISSING)
        make(_items(), dict(zip(_NAMES, place, strict=True)), event=_NOT_YET)
        row = _locked(place)
        assert row is not None
    old = MISSING if row.event == _NOT_YET else row.value
    new = value(old)
    kind = "delete" if new is MISSING else "create" if old is MISSING else "update"
    event = _log(place, kind, old if new is MISSING else new, announce)
    _replace(row, new, event)
    return Written(old=old, new=new)


def _replace(row: models.StreamItem, value: Any, event: int) -> None:
    """Write a locked row anew, or delete it."""
    if value is MISSING:
        row.delete()
        return
    row.value, row.event = value, event
    row.save(update_fields=["value", "event", "updated_at"])


def _log(place: Place, kind: str, data: Any, announce: Announce) -> int:
    """Append an event to the log, start the Steps that watch it, and wake followers on commit."""
    stream, group, item = place
    row = models.StreamEvent(stream=stream, group=group, item=item, kind=kind, data=data)
    row.save(using=database(), force_insert=True)
    announce(
        StreamChange(
            stream_name=stream,
            group_id=group,
            id=item,
            event=StreamEvent(type=kind, data=data),
            timestamp=int(row.created_at.timestamp() * 1000),
        )
    )
    wake.after_commit(row.pk)
    return int(row.pk)


def _locked(place: Place) -> models.StreamItem | None:
    """Return the item's row, if there is one, locked until the transaction ends."""
    rows = _items().filter(**dict(zip(_NAMES, place, strict=True)))
    return locked(rows, _lock).first()


def _lock(rows: QuerySet[models.StreamItem]) -> None:
    rows.update(event=F("event"))


def _items() -> QuerySet[models.StreamItem]:
    """Return the items as they are where they are written: a replica may lag behind."""
    return models.StreamItem.objects.using(database())
