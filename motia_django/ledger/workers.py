"""Which workers do upkeep, and when each was last seen."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from motia_django import models
from motia_django.ledger.rows import database

FORGOTTEN_AFTER = timedelta(hours=1)
"""Who was killed may never come back under this name, as where hosts change theirs."""


def see(name: str) -> None:
    """Note that a worker is alive; forget those of which there was none for an hour."""
    now = timezone.now()
    workers().update_or_create(
        name=name[:255], defaults={"seen_at": now}, create_defaults={"started_at": now}
    )
    workers().filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()


def forget(name: str) -> None:
    """Note that a worker has ended."""
    workers().filter(name=name[:255]).delete()


def workers() -> QuerySet[models.Worker]:
    """Return the workers that are known."""
    return models.Worker.objects.using(database())
