"""How many requests Steps have refused: counted by the hour, kept for a month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max, QuerySet, Sum
from django.utils import timezone

from motia_django import models
from motia_django.ledger.rows import database, inserted

KEPT = timedelta(days=30)

Refusals = Mapping[tuple[datetime, str, int], int]
"""How many, by the beginning of the hour, the Step and the status code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The requests that a Step refused with one status code."""

    step: str
    status: int
    requests: int
    last: datetime
    """The beginning of the last hour in which there were any."""


def hour_of(moment: datetime) -> datetime:
    """Return when the hour of a moment began, in the zone of the moment: ours are of UTC."""
    return moment.replace(minute=0, second=0, microsecond=0)


def add_refusals(counts: Refusals) -> None:
    """Add to what is counted already: all or none, in an order in which nobody meets another."""
    with transaction.atomic(using=database()):
        for (hour, step, status), requests in sorted(counts.items()):
            row = models.Refusal(hour=hour, step=step, status=status, requests=requests)
            if not _added(row) and not inserted(row):
                _added(row)


def refused(length: timedelta, among: Sequence[str] | None = None) -> list[Refused]:
    """Return what was refused in the last `length` and the rest of its first hour, most first.

    `among` are the Steps that are asked for; None means all.
    """
    rows = _rows().filter(hour__gte=hour_of(timezone.now() - length))
    if among is not None:
        rows = rows.filter(step__in=among)
    found = rows.values("step", "status").annotate(many=Sum("requests"), last=Max("hour"))
    told = [
        Refused(step=row["step"], status=row["status"], requests=row["many"], last=row["last"])
        for row in found.order_by()
    ]
    return sorted(told, key=lambda each: (-each.requests, each.step, each.status))


def prune_refusals() -> None:
    """Forget those of hours that are long over."""
    _rows().filter(hour__lt=timezone.now() - KEPT).delete()


def _added(row: models.Refusal) -> bool:
    same = _rows().filter(hour=row.hour, step=row.step, status=row.status)
    return bool(same.update(requests=F("requests") + row.requests))


def _rows() -> QuerySet[models.Refusal]:
    return models.Refusal.objects.using(database())
