"""What a follower is told first: how things are, or what it has missed; exact to the event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any, NamedTuple

from django.db.models import IntegerField, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from motia_django import models
from motia_django.live import frames, log
from motia_django.live.access import Subscription
from motia_django.live.frames import Frame
from motia_django.live.items import there
from motia_django.live.positions import Position
from motia_django.live.threads import in_thread

MOST_MISSED = 2000
"""Events up to which a backlog is told; who has missed more is told how things are."""

_ITEM, _MISSED, _SEEN = range(3)


@dataclass(frozen=True, slots=True)
class Picture:
    """The frames that begin a subscription, and the events that they make up for."""

    frames: Sequence[tuple[Frame, Position | None]]
    """Each with where its hearer has got to; None while nothing can be resumed from it."""
    position: Position


class Camera:
    """Takes pictures in a thread, for one event loop: one for all who wait for the same.

    Thousands who come back at once mostly follow the same. What somebody asks for may be shared by
    whoever asks until it is begun, since it shows what was committed by then.
    """

    def __init__(self) -> None:
        self._waited_for: dict[_Motif, asyncio.Future[Picture]] = {}

    async def picture(
        self, subscriptions: Sequence[Subscription], base: Position, since: Position | None
    ) -> Picture:
        """Return a picture that is begun after this call; otherwise as the function does."""
        motif = tuple(subscriptions), since
        taken = self._waited_for.get(motif)
        if taken is None:
            taken = asyncio.ensure_future(in_thread(self._take, motif, base))
            self._waited_for[motif] = taken
        return await asyncio.shield(taken)

    def _take(self, motif: _Motif, base: Position) -> Picture:
        del self._waited_for[motif]  # from now on one would be too late to share it
        subscriptions, since = motif
        return picture(subscriptions, base, since)


_Motif = tuple[tuple[Subscription, ...], Position | None]


class _Row(NamedTuple):
    part: int
    id: int
    """That of the event; of an item, of the newest that tells of it."""
    stream: str
    group: str
    item: str | None
    kind: str
    data: str


def picture(
    subscriptions: Sequence[Subscription], base: Position, since: Position | None = None
) -> Picture:
    """Return what these subscriptions are told first, `base` being known of the log already.

    `since` is where the follower had got to: then it is told what it has missed, if that is still
    in the log. Everything is read by one statement, so that it is of one moment on any database,
    and the picture's position says exactly which events are in it.
    """
    if since is not None:
        backlog = _backlog(subscriptions, base, since)
        if backlog is not None:
            return backlog
    rows = list(_rows(_items(subscriptions), *_seen(base)))
    position = base.with_seen(row.id for row in rows if row.part == _SEEN)
    return Picture(_syncs(subscriptions, rows, position), position)


def _backlog(
    subscriptions: Sequence[Subscription], base: Position, since: Position
) -> Picture | None:
    """Return what was missed since a position; None if that cannot be told any more."""
    wanted = _any(_of(each) for each in subscriptions)
    if log.missed(wanted, since, MOST_MISSED + 1) > MOST_MISSED:
        return None
    rows = list(_rows(*_missed(wanted, since), *_seen(base)))
    position = base.with_seen(row.id for row in rows if row.part == _SEEN)
    # Looked at last: what has been pruned by now may have been gone when the rows were read.
    if since.upto > position.upto or since.oldest_missing < log.oldest():
        return None
    missed = sorted((row for row in rows if row.part == _MISSED), key=lambda row: row.id)
    position = position.union(since)
    return Picture(list(_told(missed, since, position)), position)


def _told(
    missed: Sequence[_Row], since: Position, end: Position
) -> Iterator[tuple[Frame, Position]]:
    """Yield the frames of a backlog; the last one's position is the picture's."""
    position = since
    for row, following in pairwise([*missed, None]):
        assert row is not None
        if following is None:
            position = end
        elif row.id <= since.upto:
            position = position.with_seen([row.id])
        else:
            position = Position(row.id, end.holes.below(row.id))
        tail = frames.changed(row.stream, row.group, row.item, row.kind, row.data)
        yield Frame(tail), position


def _syncs(
    subscriptions: Sequence[Subscription], rows: Iterable[_Row], position: Position
) -> list[tuple[Frame, Position | None]]:
    """Return a sync for each subscription; only after the last one can anything be resumed."""
    items: dict[tuple[str, str], dict[str | None, _Row]] = {}
    for row in sorted(rows, key=lambda row: row.item or ""):
        if row.part == _ITEM:
            items.setdefault((row.stream, row.group), {})[row.item] = row
    *others, last = (Frame(_sync(each, items)) for each in subscriptions)
    return [*((each, None) for each in others), (last, position)]


def _sync(subscription: Subscription, items: dict[tuple[str, str], dict[str | None, _Row]]) -> str:
    stream, group, item = subscription.key
    of_group = items.get((stream, group), {})
    if item is None:
        data = f"[{','.join(each.data for each in _newest(of_group, subscription.bound))}]"
    else:
        data = of_group[item].data if item in of_group else "null"
    return frames.sync(stream, group, item, data)


def _newest(rows: dict[str | None, _Row], bound: int | None) -> Iterable[_Row]:
    """Return so many of a group's rows in their order: other subscriptions may have read more."""
    if bound is None or len(rows) <= bound:
        return rows.values()
    oldest = sorted(row.id for row in rows.values())[-bound]
    return [row for row in rows.values() if row.id >= oldest]


def _of(subscription: Subscription) -> Q:
    """Return the condition that a row of either table belongs to this."""
    stream, group, item = subscription.key
    whole = Q(stream=stream, group=group)
    return whole if item is None else whole & Q(item=item)


def _told_at_first(subscription: Subscription) -> Q:
    """Return the condition that an item is in the sync: of a group perhaps those written last."""
    bound = subscription.bound
    if subscription.id is not None or bound is None:
        return _of(subscription)
    newest = _stored().filter(_of(subscription)).order_by("-event").values("event")
    oldest = Coalesce(Subquery(newest[bound - 1 : bound]), Value(0))
    return _of(subscription) & Q(event__gte=oldest)


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions)


def _stored() -> QuerySet[models.StreamItem]:
    return there(models.StreamItem.objects.using(log.database()))


def _items(subscriptions: Iterable[Subscription]) -> QuerySet[Any, Any]:
    rows = _stored().filter(_any(_told_at_first(each) for each in subscriptions)).order_by()
    return rows.annotate(
        part=Value(_ITEM, IntegerField()), kind=Value(""), raw=log.raw("value")
    ).values_list("part", "event", "stream", "group", "item", "kind", "raw")


def _missed(wanted: Q, since: Position) -> Iterator[QuerySet[Any, Any]]:
    for rows in _beyond(since):
        yield (
            rows.filter(wanted)
            .annotate(part=Value(_MISSED, IntegerField()), raw=log.raw("data"))
            .values_list("part", "id", "stream", "group", "item", "kind", "raw")
        )


def _seen(base: Position) -> Iterator[QuerySet[Any, Any]]:
    for rows in _beyond(base):
        yield rows.annotate(part=Value(_SEEN, IntegerField()), raw=Value("")).values_list(
            "part", "id", "stream", "group", "item", "kind", "raw"
        )


def _beyond(position: Position) -> Iterator[QuerySet[models.StreamEvent]]:
    yield log.events().filter(id__gt=position.upto).order_by()
    if position.holes:
        yield log.events().filter(position.holes.wanted()).order_by()


def _rows(first: QuerySet[Any, Any], *others: QuerySet[Any, Any]) -> Iterator[_Row]:
    return (_Row(*row) for row in first.union(*others, all=True))
