"""What became no run, counted by the hour, kept for a month: requests refused, messages unheard."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from django.db import transaction
from django.db.models import F, Max, QuerySet, Sum, Value
from django.utils import timezone

from motia_django import by_hand, models
from motia_django.ledger.rows import database, inserted

KEPT = timedelta(days=30)
MOST_TOPICS = 100
"""Topics of one hour that are counted each by itself: code may make them of its data."""

Kind = Literal["refused", "unheard"]
_TABLES: Mapping[Kind, tuple[type[models.Refusal | models.Unheard], str, str]] = {
    "refused": (models.Refusal, "status", "requests"),
    "unheard": (models.Unheard, "topic", "messages"),
}
"""The table of each kind, the column of what is told apart there, and that of how many."""


class Tallied(NamedTuple):
    """What is counted."""

    kind: Kind
    hour: datetime
    """When it began."""
    step: str
    what: int | str
    """The status code that refused a request; the topic of a message that nobody heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The requests that a Step refused with one status code."""

    step: str
    status: int
    requests: int
    last: datetime
    """The beginning of the last hour in which there were any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """The messages that a Step sent to one topic on which no Step listened."""

    step: str
    """Empty if they were sent outside of Steps."""
    topic: str
    """Empty for those beyond the first hundred topics of an hour."""
    messages: int
    last: datetime
    """The beginning of the last hour in which there were any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """What became no run, the most first."""

    refused: Sequence[Refused]
    unheard: Sequence[Unheard]


def hour_of(moment: datetime) -> datetime:
    """Return when the hour of a moment began, in the zone of the moment: ours are of UTC."""
    return moment.replace(minute=0, second=0, microsecond=0)


def add_tallies(counts: Mapping[Tallied, int]) -> None:
    """Add to what is counted already: all or none, in an order in which nobody meets another."""
    with transaction.atomic(using=database()):
        for each, number in sorted(_folded(counts).items()):
            if not _added(each, number) and not inserted(_row(each, number)):
                _added(each, number)


def tallied(length: timedelta, among: Sequence[str] | None = None) -> Tallies:
    """Return what became no run in the last `length` and the rest of its first hour, by one query.

    `among` are the Steps that are asked for; None means all, and code outside of them.
    """
    since = hour_of(timezone.now() - length)
    found = _summed("refused", since, among).union(_summed("unheard", since, among), all=True)
    rows = sorted(found, key=lambda row: (-row["number"], row["step"], row["code"], row["name"]))
    return Tallies(
        refused=[
            Refused(step=row["step"], status=row["code"], requests=row["number"], last=row["last"])
            for row in rows
            if row["code"]
        ],
        unheard=[
            Unheard(step=row["step"], topic=row["name"], messages=row["number"], last=row["last"])
            for row in rows
            if not row["code"]
        ],
    )


def prune_tallies() -> None:
    """Forget those of hours that are long over."""
    for table, _, _ in _TABLES.values():
        by_hand.delete(table, database(), "hour < %s", timezone.now() - KEPT)


def _summed(kind: Kind, since: datetime, among: Sequence[str] | None) -> QuerySet[Any]:
    """Return the query for one kind, in the columns of both."""
    rows = _rows(kind).filter(hour__gte=since)
    if among is not None:
        rows = rows.filter(step__in=among)
    is_refused = kind == "refused"
    code, name = (F("status"), Value("")) if is_refused else (Value(0), F("topic"))
    grouped = rows.annotate(code=code, name=name).values("step", "code", "name").order_by()
    summed: QuerySet[Any] = grouped.annotate(number=Sum(_TABLES[kind][2]), last=Max("hour"))
    return summed


def _folded(counts: Mapping[Tallied, int]) -> Mapping[Tallied, int]:
    """Have topics beyond the first of an hour counted as one, without a name."""
    known: defaultdict[datetime, set[int | str]] = defaultdict(set)
    hours = {each.hour for each in counts if each.kind == "unheard"}
    for hour, topic in _rows("unheard").filter(hour__in=hours).values_list("hour", "topic"):
        known[hour].add(topic)
    folded: Counter[Tallied] = Counter()
    for each, number in counts.items():
        folded[_as_counted(each, known[each.hour])] += number
    return folded


def _as_counted(tallied: Tallied, topics: set[int | str]) -> Tallied:
    """Return it without a topic if that is one too many, and with it among the topics else."""
    if tallied.kind == "unheard":
        if tallied.what not in topics and len(topics) >= MOST_TOPICS:
            return tallied._replace(what="")
        topics.add(tallied.what)
    return tallied


def _row(tallied: Tallied, number: int) -> models.Refusal | models.Unheard:
    table, what, counter = _TABLES[tallied.kind]
    values: dict[str, Any] = {what: tallied.what, counter: number}
    return table(hour=tallied.hour, step=tallied.step, **values)


def _added(tallied: Tallied, number: int) -> bool:
    _, what, counter = _TABLES[tallied.kind]
    same = _rows(tallied.kind).filter(hour=tallied.hour, step=tallied.step, **{what: tallied.what})
    return bool(same.update(**{counter: F(counter) + number}))


def _rows(kind: Kind) -> QuerySet[Any]:
    return _TABLES[kind][0]._default_manager.using(database())
