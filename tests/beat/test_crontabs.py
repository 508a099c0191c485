from __future__ import annotations

import pytest

pytest.importorskip("django_celery_beat")

from celery.schedules import crontab
from django_celery_beat.models import CrontabSchedule
from hypothesis import given
from hypothesis import strategies as st

from motia_django.beat.crontabs import nearest
from motia_django.triggers.cron import CronExpression


def shown(text: str, zone: str = "UTC") -> str:
    spec = nearest(CronExpression.parse(text), zone)
    return " ".join(
        spec[name] for name in ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/5 9-17 1,15 jan mon-fri", "*/5 9-17 1,15 jan mon-fri"),
        ("*/10 30 9 * * *", "30 9 * * *"),
        ("0 30 9 * * * 2030", "30 9 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("5/20 * * * *", "5,25,45 * * * *"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 L * *", "0 0 28,29,30,31 * *"),
        ("0 0 LW * *", "0 0 26,27,28,29,30,31 * *"),
        ("0 0 * * MON#2", "0 0 * * 1"),
        ("0 0 * * 5L", "0 0 * * 5"),
        ("0 0 * * 0-7", "0 0 * * *"),
        (",".join(["1"] * 200) + " * * * *", "1 * * * *"),
    ],
)
def test_the_nearest_crontab_reads_as_written_where_it_can(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_a_zone_without_a_name_is_shown_as_utc() -> None:
    expression = CronExpression.parse("@daily")
    assert str(nearest(expression, "Asia/Tokyo")["timezone"]) == "Asia/Tokyo"
    assert str(nearest(expression, "UTC+02:00")["timezone"]) == "UTC"


parts = st.sampled_from(["*", "*/7", "3", "1-5", "2-6/2", "3/2", "1,4", "5,2-3"])


@given(st.tuples(parts, parts, parts, parts, parts))
def test_celery_and_the_columns_take_every_crontab_made(fields: tuple[str, ...]) -> None:
    spec = nearest(CronExpression.parse(" ".join(fields)), "UTC")
    zone = spec.pop("timezone")
    crontab(**spec)
    CrontabSchedule(**spec, timezone=zone).full_clean(validate_unique=False)
