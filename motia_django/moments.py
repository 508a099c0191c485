"""Moments: in UTC, in the current zone, as the project has them in its tables, and as text."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import (
    get_default_timezone,
    is_aware,
    localtime,
    make_aware,
    make_naive,
)

_EARLIEST, _LATEST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 9000))
"""What lies before and after has no runs; ids, and times of other zones, could not tell of it."""


@cache
def _zone() -> tzinfo | None:
    """Return the zone of the times in the project's tables: UTC, or none without `USE_TZ`."""
    return UTC if settings.USE_TZ else None


@receiver(setting_changed, dispatch_uid="motia.moments")
def _forget(*, setting: str, **kwargs: Any) -> None:
    """Ask for the zone anew: a test has changed it, or gives it back."""
    if setting == "USE_TZ":
        _zone.cache_clear()


def now() -> datetime:
    """Return this moment as the project's tables have it.

    It is what Django's `timezone.now` returns, in half the time: each run asks some four times.
    """
    return datetime.now(_zone())


def utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a zone is in the project's."""
    aware = moment if is_aware(moment) else make_aware(moment, get_default_timezone())
    return aware.astimezone(UTC)


def local(moment: datetime) -> datetime:
    """Return a moment in the current zone; one without a zone is in the project's."""
    return localtime(utc(moment))


def as_kept(moment: datetime) -> datetime:
    """Return a moment as the project's tables have it: without a zone unless `USE_TZ` is set."""
    zone = _zone()
    if moment.tzinfo is zone or is_aware(moment) == (zone is not None):
        return moment
    return utc(moment) if zone else make_naive(moment, get_default_timezone())


def told(moment: datetime) -> str:
    """Return a moment as text, in UTC: `2026-11-22T18:00:00+00:00`."""
    return utc(moment).isoformat()


def read(text: str) -> datetime | None:
    """Return the moment that `told` made a text of, as it is kept; None if that tells of none."""
    try:
        found = parse_datetime(text)
        return as_kept(utc(found)) if found else None
    except (ValueError, OverflowError):
        return None


def asked(text: str) -> datetime | None:
    """Return the moment, in UTC, that people mean by a date or a time in ISO 8601.

    It is in the current zone unless it names one. None if it means none. One that is further off
    than any of ours is at the end of the calendar.
    """
    try:
        found: datetime | date | None = parse_datetime(text) or parse_date(text)
        if found is None:
            return None
        whole = found if isinstance(found, datetime) else datetime.combine(found, time())
        moment = whole if is_aware(whole) else make_aware(whole)
        return min(max(moment, _EARLIEST), _LATEST).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
