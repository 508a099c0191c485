"""What operators say of single schedules, beside their files: paused, or due at other times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from motia_django import models
from motia_django.ledger.rows import database

Key = tuple[str, int]
"""A Step's name, and the index of its trigger."""


def overrides() -> Mapping[Key, models.Override]:
    """Return what is on record of each schedule that an operator has ever touched."""
    return {(each.step, each.index): each for each in _rows()}


def override_of(step: str, index: int) -> models.Override | None:
    """Return what is on record of one schedule."""
    return _rows().filter(step=step, index=index).first()


def pause_schedule(key: Key, *, by: str, reason: str, in_row: bool) -> bool:
    """Let no tick be born that is due from now on; return False if it was paused already."""
    row = _row(key)
    now = timezone.now()
    values = {"paused_at": now, "resumed_at": None, "in_row": in_row}
    told = {"paused_by": by[:255], "pause_reason": reason}
    running = _rows().filter(pk=row.pk, paused_at=None) | _rows().filter(
        pk=row.pk, resumed_at__isnull=False
    )
    return bool(running.update(**values, **told))


def resume_schedule(key: Key) -> bool:
    """Let ticks be born again that are due from now on; return False if it was not paused."""
    paused = _of(key).filter(paused_at__isnull=False, resumed_at=None)
    return bool(paused.update(resumed_at=timezone.now()))


def retime(key: Key, *, expression: str, zone: str, replaces: str, by: str, reason: str) -> None:
    """Put another expression and time zone in the place of the file's, which are now `replaces`."""
    told = {"timed_by": by[:255], "timing_reason": reason, "replaces": replaces[:512]}
    _write_timing(key, expression=expression, zone=zone, **told)


def restore_timing(key: Key) -> bool:
    """Let the file say again when a schedule is due; return False if it did so already."""
    if not _of(key).exclude(expression="").exists():
        return False
    empty = dict.fromkeys(("expression", "zone", "replaces", "timed_by", "timing_reason"), "")
    _write_timing(key, **empty)
    return True


def _write_timing(key: Key, **values: Any) -> None:
    row = _row(key)
    _rows().filter(pk=row.pk).update(timed_at=timezone.now(), **values)


def _row(key: Key) -> models.Override:
    row, _new = _rows().get_or_create(step=key[0], index=key[1])
    return row


def _of(key: Key) -> QuerySet[models.Override]:
    return _rows().filter(step=key[0], index=key[1])


def _rows() -> QuerySet[models.Override]:
    return models.Override.objects.using(database())
