"""The event log that followers are told from: read in order, pruned by age."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import ExpressionWrapper, F, Q, QuerySet, TextField
from django.utils import timezone

from motia_django import by_hand, models
from motia_django.live.holes import Holes
from motia_django.live.positions import MOST_WRITTEN, Position

LATE = timedelta(minutes=15)
"""How long after it began a transaction may commit and its events still be heard live."""
YOUNG = timedelta(minutes=1)
"""How long, where so many have failed that a position cannot name them all."""

_WINDOW = 1000
"""Events from the log's end that are looked at for holes."""
_BRAND_NEW = 10
"""An oldest id up to which the log is taken for new, its very first events still to come."""
_COLUMNS = ("id", "stream", "group", "item", "kind", "raw", "created_at")

_TABLE = models.StreamEvent._meta.db_table
_OLDEST_IS_OLD = (
    f"id = (SELECT MIN(id) FROM {_TABLE}) AND id < (SELECT MAX(id) FROM {_TABLE})"
    " AND created_at < %s"
)
"""And there are newer ones."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log."""

    id: int
    stream: str
    group: str
    item: str | None
    kind: str
    data: str
    """JSON text, never parsed on its way."""
    created_at: datetime


def database() -> str:
    """Return the alias of the database that the log is written to."""
    return router.db_for_write(models.StreamEvent)


def events() -> QuerySet[models.StreamEvent]:
    """Return the log as it is where it is written: a replica may lag behind."""
    return models.StreamEvent.objects.using(database())


def raw(column: str) -> ExpressionWrapper[Any]:
    """Return a column of JSON as the text that it is."""
    return ExpressionWrapper(F(column), output_field=TextField())


def after(upto: int, holes: Holes, limit: int) -> list[Event]:
    """Return up to `limit` events with a higher id than `upto`, and as many that fill `holes`.

    They are in the order of their ids. (Two queries: asked for both in one, PostgreSQL may walk the
    whole log.)
    """
    late = _read(events().filter(holes.wanted()), limit) if holes else iter(())
    return [*late, *_read(events().filter(id__gt=upto), limit)]


def missed(wanted: Q, since: Position, limit: int) -> int:
    """Return how many events, up to `limit`, are `wanted` and not covered by `since`."""
    missing = Q(id__gt=since.upto) | since.holes.wanted()
    return len(events().filter(wanted, missing).values_list("id")[:limit])


def recent(window: int = _WINDOW) -> Position:
    """Return the position at the log's end, where every id that is lately missing is a hole.

    That is, among the last events, up to `window`, and those of the time in which one may be late.
    """
    rows = list(events().order_by("-id").values_list("id", "created_at")[:window])
    position = _known(rows, LATE)
    return position if len(position.holes) <= MOST_WRITTEN else _known(rows, YOUNG)


def newest() -> int:
    """Return the highest id of the log; 0 if it is empty."""
    return events().order_by("-id").values_list("id", flat=True).first() or 0


def oldest() -> int:
    """Return the lowest id of the log; 0 if it is empty."""
    return events().order_by("id").values_list("id", flat=True).first() or 0


def written(event: int) -> datetime | None:
    """Return when an event was written; None if the log has none with this id."""
    return events().filter(id=event).values_list("created_at", flat=True).first()


def prune(seconds: float, *, limit: int) -> int:
    """Delete up to `limit` events that are older than so many seconds; return how many.

    What is left has no gap made by this: it begins at the first event that is young. The newest
    event stays, however old: it says how far the log has got, and its id is not given out again.
    """
    before = timezone.now() - timedelta(seconds=seconds)
    if not by_hand.exists(models.StreamEvent, database(), _OLDEST_IS_OLD, before):
        return 0
    rows = events().order_by("id").values_list("id", "created_at")
    old = list(_while_older(rows[:limit], before))
    if old and old[-1] == newest():
        old.pop()
    return events().filter(id__lte=old[-1])._raw_delete(database()) if old else 0


def _known(rows: Sequence[tuple[int, datetime]], late: timedelta) -> Position:
    """Return the position after these, the newest first, if nothing comes later than that."""
    if not rows:
        return Position()
    since = timezone.now() - late
    young = [event for event, created_at in rows if created_at >= since]
    older = [event for event, created_at in rows if created_at < since]
    first = rows[-1][0]
    floor = older[0] if older else first - 1 if first > _BRAND_NEW else 0
    return Position(floor).with_seen(young or [rows[0][0]])


def _while_older(rows: Iterable[tuple[int, datetime]], before: datetime) -> Iterator[int]:
    for event, created_at in rows:
        if created_at >= before:
            return
        yield event


def _read(found: QuerySet[models.StreamEvent], limit: int | None = None) -> Iterator[Event]:
    rows = found.annotate(raw=raw("data")).order_by("id").values_list(*_COLUMNS)
    return (Event(*row) for row in rows[:limit])
