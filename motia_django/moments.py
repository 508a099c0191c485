"""Moments: in UTC, in the current zone, and as the project has them in its tables."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.utils.timezone import is_aware, localtime, make_aware, make_naive


def as_kept(moment: datetime) -> datetime:
    """Return a moment as the project's tables have it: without its zone unless `USE_TZ` is set."""
    if settings.USE_TZ or not is_aware(moment):
        return moment
    return make_naive(moment)


def local(moment: datetime) -> datetime:
    """Return a moment in the current zone; one without a zone is in the project's."""
    return localtime(moment) if is_aware(moment) else moment


def utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a zone is in the project's."""
    return (moment if is_aware(moment) else make_aware(moment)).astimezone(UTC)
