"""The `CrontabSchedule` nearest to an expression: for people, and because a row must have one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from celery.schedules import ParseException, crontab_parser
from cronsim import CronSim
from django_celery_beat.models import CrontabSchedule

from motia_django.triggers.cron import CronExpression

_LAST_DAYS = {CronSim.LAST: range(28, 32), CronSim.LAST_WEEKDAY: range(26, 32)}


def nearest(expression: CronExpression, zone: str) -> dict[str, Any]:
    """Return the columns of the crontab: without seconds and years, `L` and `#` made plain."""
    parsed = CronSim(expression.fields, datetime(2024, 1, 1))
    minute, hour, day, month, weekday = expression.fields.split()[-5:]
    days = (each for number in parsed.days for each in _LAST_DAYS.get(number, (number,)))
    weekdays = (each[0] if isinstance(each, tuple) else each for each in parsed.weekdays)
    return {
        "minute": _field("minute", minute, parsed.minutes, range(60)),
        "hour": _field("hour", hour, parsed.hours, range(24)),
        "day_of_month": _field("day_of_month", day, days, range(1, 32)),
        "month_of_year": _field("month_of_year", month, parsed.months, range(1, 13)),
        "day_of_week": _field("day_of_week", weekday, (each % 7 for each in weekdays), range(7)),
        "timezone": _zone(zone),
    }


def _field(column: str, text: str, values: Iterable[int], whole: range) -> str:
    """Return a field as it is written, if Celery reads it the same; else its numbers."""
    numbers = set(values)
    fits = len(text) <= CrontabSchedule._meta.get_field(column).max_length
    if fits and _as_celery_reads(text, whole) == numbers:
        return text
    return "*" if numbers == set(whole) else ",".join(map(str, sorted(numbers)))


def _as_celery_reads(text: str, whole: range) -> set[int] | None:
    if "#" in text:
        return None  # Celery reads MON#2 as MON
    try:
        return set(crontab_parser(len(whole), whole.start).parse(text))
    except (ParseException, ValueError):
        return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # Celery's may be a bare offset
        return ZoneInfo("UTC")
