"""The items of streams, and the log's entry for each write, in the project's database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import groupby
from typing import Any

from django.db import connections, router
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from motia_django import by_hand, models
from motia_django.live import wake
from motia_django.payloads import Json
from motia_django.portions import portions
from motia_django.stores.base import MISSING
from motia_django.stores.rows import locked, make, put, transacted
from motia_django.triggers.stream import StreamChange, StreamEvent

Announce = Callable[[Sequence[StreamChange]], object]
Place = tuple[str, str, str | None]
"""Stream, group, and the item or None for all of the group."""
Told = tuple[str | None, str, Any]
"""An event of the log: of which item, which kind, what data, as `Json`."""


class Kept(Enum):
    """Stands for the time at which an item expires already."""

    KEPT = 1


KEPT = Kept.KEPT
Until = datetime | Kept | None
"""When an item expires; None if it stays."""

_NAMES = ("stream", "group", "item")
_NOT_YET = 0
"""The last event of an item that its own transaction is making: nobody else ever sees it."""
_AT_ONCE = 1000
"""Most items that one statement writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write did to one item; `MISSING` where it was not there before, or is not after."""

    old: Any
    new: Any

    @property
    def happened(self) -> bool:
        """Whether there was, or is, an item at all: a deletion of nothing is no change."""
        return self.old is not MISSING or self.new is not MISSING

    @property
    def kind(self) -> str:
        """What followers call it."""
        return "delete" if self.new is MISSING else "create" if self.old is MISSING else "update"

    @property
    def told(self) -> Any:
        """The item as followers are told of it: as it is now, or as it was."""
        return self.old if self.new is MISSING else self.new


def get(stream: str, group: str, item: str) -> Any:
    """Return an item, or `MISSING`."""
    row = there(_items()).filter(stream=stream, group=group, item=item).values_list("value").first()
    return MISSING if row is None else row[0]


def of_group(stream: str, group: str) -> list[Any]:
    """Return the items of a group, in the order of their ids."""
    rows = there(_items()).filter(stream=stream, group=group).order_by("item")
    return list(rows.values_list("value", flat=True))


def groups(stream: str) -> list[str]:
    """Return the names of the groups that hold an item, sorted."""
    rows = there(_items()).filter(stream=stream).order_by("group")
    return list(rows.values_list("group", flat=True).distinct())


def write(
    stream: str,
    group: str,
    item: str,
    value: Callable[[Any], Any],
    announce: Announce,
    until: Until = None,
) -> Written:
    """Replace an item by `value(old)`, where either may be `MISSING`, and log the event.

    Nobody else's write falls between reading `old` and writing the new one. `announce` is called
    with the event inside the same transaction; followers are woken when it commits. One that has
    expired is not there, and its end is logged first.
    """
    return transacted(database(), lambda: _written((stream, group, item), value, announce, until))


def write_many(
    stream: str,
    group: str,
    values: Mapping[str, Any],
    announce: Announce,
    until: datetime | None = None,
) -> dict[str, Written]:
    """Replace several items of a group, all or none, and log the events in the order of the ids.

    An item whose value is `MISSING` is deleted. All else is as in `write`.
    """

    def work() -> dict[str, Written]:
        # Two who write the same items do so in the same order, and do not wait in a circle.
        ids = sorted(values)
        done: dict[str, Written] = {}
        for first in range(0, len(ids), _AT_ONCE):
            some = {item: values[item] for item in ids[first : first + _AT_ONCE]}
            done |= _all_written((stream, group), some, announce, until)
        return {item: done[item] for item in values}

    return transacted(database(), work) if values else {}


def end_expired(limit: int, announce: Announce) -> int:
    """Delete items that have expired, up to `limit`, as `write` does; return how many."""
    if not by_hand.exists(models.StreamItem, database(), "expires_at <= %s", timezone.now()):
        return 0
    return transacted(database(), lambda: _ended(limit, announce))


def send(stream: str, group: str, item: str | None, data: Any, announce: Announce) -> None:
    """Log an event that changes no item; `announce` as in `write`."""
    transacted(
        database(), lambda: _log((stream, group), [(item, "event", Json.of(data))], announce)
    )


def there(rows: QuerySet[models.StreamItem]) -> QuerySet[models.StreamItem]:
    """Return those of these items that have not expired."""
    return rows.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


def database() -> str:
    """Return the alias of the database that streams live in."""
    return router.db_for_write(models.StreamItem)


def _written(
    place: Place, value: Callable[[Any], Any], announce: Announce, until: Until
) -> Written:
    stream, group, item = place
    row = _locked(place)
    if row is None:
        if value(MISSING) is MISSING:
            return Written(old=MISSING, new=MISSING)
        make(_items(), dict(zip(_NAMES, place, strict=True)), event=_NOT_YET)
        row = _locked(place)
        assert row is not None
    end, old = _found(row)
    written = Written(old=old, new=value(old))
    event = _log((stream, group), [*end, *_told(item, written)], announce)[-1]
    if until is not KEPT or old is MISSING:
        row.expires_at = until if isinstance(until, datetime) else None
    _replace(row, written.new, event)
    return written


def _all_written(
    place: tuple[str, str], values: Mapping[str, Any], announce: Announce, until: datetime | None
) -> dict[str, Written]:
    """Do in a few statements what `_written` does for each of these, which are sorted."""
    kept = [item for item, value in values.items() if value is not MISSING]
    _put(place, [{"item": item, "event": _NOT_YET} for item in kept], _NAMES)
    rows = {row.item: row for row in _all_locked(place, values)}
    found = {item: _found(rows.get(item)) for item in values}
    done = {item: Written(old=found[item][1], new=value) for item, value in values.items()}
    told = [one for item in values for one in (*found[item][0], *_told(item, done[item]))]
    events = dict(zip((item for item, *_ in told), _log(place, told, announce), strict=True))
    newest = {item: data for item, _, data in told}
    new: list[dict[str, Any]] = [
        {"item": item, "value": newest[item], "event": events[item], "expires_at": until}
        for item in kept
    ]
    for some in portions(new, lambda each: len(each["value"].text), _AT_ONCE):
        _put(place, some, ("value", "event", "expires_at", "updated_at"))
    ends = [row.pk for item, row in rows.items() if values[item] is MISSING]
    if ends:
        _items().filter(pk__in=ends).delete()
    return done


def _put(place: tuple[str, str], new: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> None:
    """Insert these items, or write these fields of those that are there."""
    if new:
        stream, group = place
        rows = [models.StreamItem(stream=stream, group=group, **each) for each in new]
        put(_items(), rows, _NAMES, fields)


def _ended(limit: int, announce: Announce) -> int:
    """End what has expired, group by group, but for what somebody else has locked."""
    expired = _items().filter(expires_at__lte=timezone.now()).order_by("expires_at")
    if connections[database()].features.has_select_for_update_skip_locked:
        expired = expired.select_for_update(skip_locked=True)
    else:
        expired = locked(expired, _lock)
    rows = sorted(expired[:limit], key=lambda row: (row.stream, row.group, row.item))
    for place, some in groupby(rows, key=lambda row: (row.stream, row.group)):
        _log(place, [_end_of(row) for row in some], announce)
    _items().filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _found(row: models.StreamItem | None) -> tuple[list[Told], Any]:
    """Return what a locked row holds, or `MISSING`; and before it, if it has expired, its end."""
    if row is None or row.event == _NOT_YET:
        return [], MISSING
    has_expired = row.expires_at is not None and row.expires_at <= timezone.now()
    return ([_end_of(row)], MISSING) if has_expired else ([], row.value)


def _end_of(row: models.StreamItem) -> Told:
    return row.item, "delete", Json.of(row.value)


def _told(item: str | None, written: Written) -> list[Told]:
    return [(item, written.kind, Json.of(written.told))] if written.happened else []


def _replace(row: models.StreamItem, value: Any, event: int) -> None:
    """Write a locked row anew, or delete it."""
    if value is MISSING:
        row.delete()
        return
    row.value, row.event = value, event
    row.save(update_fields=["value", "event", "expires_at", "updated_at"])


def _log(place: tuple[str, str], told: Sequence[Told], announce: Announce) -> list[int]:
    """Append events to the log: of which item, which kind, what data; return their ids.

    Start the Steps that watch them, and wake followers on commit.
    """
    if not told:
        return []
    stream, group = place
    rows = [
        models.StreamEvent(stream=stream, group=group, item=item, kind=kind, data=data)
        for item, kind, data in told
    ]
    _insert(rows)
    announce([_change(row) for row in rows])
    events = [int(row.pk) for row in rows]
    wake.after_commit(events)
    return events


def _insert(rows: Sequence[models.StreamEvent]) -> None:
    """Insert rows, which know their ids then; MySQL tells them only of one at a time."""
    if len(rows) > 1 and connections[database()].features.can_return_rows_from_bulk_insert:
        for some in portions(rows, lambda row: len(row.data.text), _AT_ONCE):
            models.StreamEvent.objects.using(database()).bulk_create(some)
        return
    for row in rows:
        row.save(using=database(), force_insert=True)


def _change(row: models.StreamEvent) -> StreamChange:
    """Return an event of the log as Steps are told of it."""
    return StreamChange(
        stream_name=row.stream,
        group_id=row.group,
        id=row.item,
        event=StreamEvent(type=row.kind, data=row.data.value),
        timestamp=int(row.created_at.timestamp() * 1000),
    )


def _locked(place: Place) -> models.StreamItem | None:
    """Return the item's row, if there is one, locked until the transaction ends."""
    rows = _items().filter(**dict(zip(_NAMES, place, strict=True)))
    return locked(rows, _lock).first()


def _all_locked(place: tuple[str, str], ids: Iterable[str]) -> QuerySet[models.StreamItem]:
    """Return the rows of those of these items that are there, locked in the order of their ids."""
    stream, group = place
    rows = _items().filter(stream=stream, group=group, item__in=list(ids)).order_by("item")
    return locked(rows, _lock)


def _lock(rows: QuerySet[models.StreamItem]) -> None:
    rows.update(event=F("event"))


def _items() -> QuerySet[models.StreamItem]:
    """Return the items as they are where they are written: a replica may lag behind."""
    return models.StreamItem.objects.using(database())
