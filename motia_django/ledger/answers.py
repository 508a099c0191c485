"""Answers by their `Idempotency-Key`: claimed before the handler runs, kept, and given again.

The row of a claim is committed at once, so that whoever comes next finds it. The answer is written
in the transaction of the handler, if that has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from motia_django import by_hand, models
from motia_django.ledger.rows import database, inserted

MOST = 10_000
"""Of answers that are looked at."""
_TRIES = 5


def claim_answer(
    key: str, *, step: str, scope: str, request: str, holder: UUID, lease: float, ttl: float
) -> models.Answer | None:
    """Claim a key for `lease` seconds; return None if it is ours, else what there is of it.

    `key` and `request` are digests. An answer is kept for `ttl` seconds from now.
    """
    now = timezone.now()
    until = {
        "locked_until": now + timedelta(seconds=lease),
        "expires_at": now + timedelta(seconds=max(ttl, lease)),
    }
    mine = models.Answer(key=key, step=step, scope=scope, request=request, holder=holder, **until)
    for _ in range(_TRIES):
        found = _rows().filter(key=key).first()
        if found is None:
            if inserted(mine):
                return None
        elif found.expires_at <= now:
            _rows().filter(key=key, holder=found.holder).delete()
        elif found.status is None and found.locked_until <= now and found.request == request:
            if _held(key, found.holder).update(holder=holder, **until):
                return None
        else:
            return found
    return mine  # others are quicker, each time: one of them has it


def keep_answer(
    key: str, holder: UUID, *, status: int, headers: Sequence[Sequence[str]], body: bytes
) -> bool:
    """Keep the answer to be given again; return False if the key is no longer this holder's."""
    return bool(_held(key, holder).update(status=status, headers=headers, body=body))


def release_answer(key: str, holder: UUID) -> None:
    """Let the next request with this key begin anew, unless an answer is kept."""
    _held(key, holder).delete()


def scopes_of_answers() -> dict[tuple[str, str | None], datetime]:
    """Return the Steps and scopes that answers are kept of, each with when the last expires.

    Of very many, those that expire first are looked at, and those that expire last.
    """
    kept = _rows().filter(expires_at__gt=timezone.now(), status__isnull=False)
    found: dict[tuple[str, str | None], datetime] = {}
    for order in ("expires_at", "-expires_at"):
        for step, scope, until in kept.order_by(order).values_list("step", "scope", "expires_at")[
            :MOST
        ]:
            found[step, scope] = max(until, found.get((step, scope), until))
    return found


def prune_answers(limit: int) -> int:
    """Delete up to `limit` answers whose time is over; return how many."""
    now = timezone.now()
    if not by_hand.exists(models.Answer, database(), "expires_at <= %s", now):
        return 0
    expired = _rows().filter(expires_at__lte=now)
    keys = list(expired.order_by("expires_at").values_list("key", flat=True)[:limit])
    deleted, _by_model = expired.filter(key__in=keys).delete()
    return deleted


def _held(key: str, holder: UUID) -> QuerySet[models.Answer]:
    """The row of a claim that has no answer yet, if it is this holder's."""
    return _rows().filter(key=key, holder=holder, status=None)


def _rows() -> QuerySet[models.Answer]:
    return models.Answer.objects.using(database())
