"""Which workers do upkeep, when each was last seen, and which queues it consumes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from motia_django import by_hand, models, payloads
from motia_django.ledger.rows import database

FORGOTTEN_AFTER = timedelta(hours=1)
"""Who was killed may never come back under this name, as where hosts change theirs."""
_TABLE = models.Worker._meta.db_table
_SIGNING = f"UPDATE {_TABLE} SET seen_at = %s, queues = %s WHERE name = %s"
_ENTERING = f"INSERT INTO {_TABLE} (started_at, seen_at, queues, name) VALUES (%s, %s, %s, %s)"


def see(name: str, queues: Sequence[str] | None = None) -> None:
    """Note that a worker is alive, and the Celery queues that it consumes, None if not known.

    Those of which there was no sign for an hour are forgotten.
    """
    now = timezone.now()
    told = None if queues is None else payloads.dumps(queues)
    if not by_hand.execute(database(), _SIGNING, now, told, name[:255]):
        # Should another of its name sign just now, that is as good.
        with suppress(IntegrityError), transaction.atomic(using=database()):
            by_hand.execute(database(), _ENTERING, now, now, told, name[:255])
    by_hand.delete(models.Worker, database(), "seen_at < %s", now - FORGOTTEN_AFTER)


def forget(name: str) -> None:
    """Note that a worker has ended."""
    by_hand.delete(models.Worker, database(), "name = %s", name[:255])


def workers() -> QuerySet[models.Worker]:
    """Return the workers that are known."""
    return models.Worker.objects.using(database())
