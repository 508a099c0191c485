"""Which workers do upkeep, when each was last seen, and which queues it consumes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from motia_django import models
from motia_django.ledger.rows import database

FORGOTTEN_AFTER = timedelta(hours=1)
"""Who was killed may never come back under this name, as where hosts change theirs."""


def see(name: str, queues: Sequence[str] | None = None) -> None:
    """Note that a worker is alive, and the Celery queues that it consumes, None if not known.

    Those of which there was no sign for an hour are forgotten.
    """
    now = timezone.now()
    signed = {"seen_at": now, "queues": queues}
    workers().update_or_create(
        name=name[:255], defaults=signed, create_defaults={"started_at": now, **signed}
    )
    workers().filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()


def forget(name: str) -> None:
    """Note that a worker has ended."""
    workers().filter(name=name[:255]).delete()


def workers() -> QuerySet[models.Worker]:
    """Return the workers that are known."""
    return models.Worker.objects.using(database())
