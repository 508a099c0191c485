"""Batches: made, taken by one worker at a time, counted with what is done, finished or stopped."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from motia_django import by_hand, models
from motia_django.ledger.rows import database
from motia_django.ledger.selections import Selection

HOLD = timedelta(seconds=15)
"""After which a batch whose worker has gone silent may be taken by another."""
KEPT_FOR = timedelta(days=90)
_AT_ONCE = 20
_MOST_REASONS = 20
OTHER = "(other reasons)"
_WAITING = "finished_at IS NULL AND (held_until IS NULL OR held_until < %s)"


def open_batch(
    deed: str,
    selection: Selection,
    *,
    by: str,
    reason: str = "",
    per_second: int | None = None,
    total: int = 0,
) -> models.Batch:
    """Let the workers do something to these runs; none begins before this is committed."""
    kept: Any = selection.to_json()
    return batches().create(
        deed=deed,
        selection=kept,
        by=by[:255],
        reason=reason,
        per_second=per_second,
        total=total,
    )


def are_batches_waiting() -> bool:
    """Return whether any batch waits that nobody works on just now: usually there is none."""
    return by_hand.exists(models.Batch, database(), _WAITING, timezone.now())


def waiting_batches() -> list[models.Batch]:
    """Return the batches that nobody works on just now, the one that has waited longest first."""
    free = Q(held_until=None) | Q(held_until__lt=timezone.now())
    waited = F("worked_at").asc(nulls_first=True)
    waiting = batches().filter(free, finished_at=None).defer("selection")
    return list(waiting.order_by(waited, "id")[:_AT_ONCE])


def take_batch(batch: models.Batch) -> bool:
    """Take a batch as it was read; return False if somebody else has had it since, or it ended."""
    now = timezone.now()
    values = {"fence": batch.fence + 1, "held_until": now + HOLD}
    values |= {"started_at": batch.started_at or now}
    if not _held(batch).update(**values):
        return False
    for name, value in values.items():
        setattr(batch, name, value)
    return True


def advance_batch(batch: models.Batch, reasons: Counter[str], done: int, cursor: UUID) -> bool:
    """Write how far a batch is, in the transaction in which it was done.

    Return False, so that it is undone, if the batch was stopped or is another's by now.
    """
    now = timezone.now()
    values = {
        "done": batch.done + done,
        "refused": batch.refused + reasons.total(),
        "reasons": _bounded(Counter(batch.reasons) + reasons),
        "cursor": cursor,
        "worked_at": now,
        "held_until": now + HOLD,
    }
    if not _held(batch).update(**values):
        return False
    for name, value in values.items():
        setattr(batch, name, value)
    return True


def leave_batch(batch: models.Batch, *, finished: bool) -> None:
    """Give a batch back, finished or for any worker to go on with."""
    now = timezone.now()
    _held(batch).update(held_until=None, finished_at=now if finished else None)


def stop_batch(batch_id: int, by: str) -> bool:
    """End a batch where it is, whoever works on it; return False if it had ended already."""
    going_on = batches().filter(id=batch_id, finished_at=None)
    return bool(going_on.update(finished_at=timezone.now(), stopped_by=by[:255]))


def prune_batches(limit: int) -> None:
    """Delete batches that ended long ago, up to `limit` of them."""
    before = timezone.now() - KEPT_FOR
    if by_hand.exists(models.Batch, database(), "finished_at < %s", before):
        old = batches().filter(finished_at__lt=before)
        ids = list(old.values_list("id", flat=True)[:limit])
        batches().filter(id__in=ids).delete()


def batches() -> QuerySet[models.Batch]:
    """Return all batches, where they are written."""
    return models.Batch.objects.using(database())


def _held(batch: models.Batch) -> QuerySet[models.Batch]:
    return batches().filter(id=batch.id, fence=batch.fence, finished_at=None)


def _bounded(reasons: Counter[str]) -> dict[str, int]:
    """Return the most frequent reasons; the others as one."""
    other = reasons.pop(OTHER, 0)
    kept = dict(reasons.most_common(_MOST_REASONS))
    other += reasons.total() - sum(kept.values())
    return {**kept, OTHER: other} if other else kept
