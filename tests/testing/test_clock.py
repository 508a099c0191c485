"""The time of a test."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import timezone

from motia_django.exceptions import MotiaError
from motia_django.testing.clock import Clock

MOMENT = datetime(2026, 3, 1, 3, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock that is put right again."""
    made = Clock()
    yield made
    made.stop()


def is_near(moment: datetime, other: datetime) -> bool:
    """Return whether these are the same but for what the test itself takes."""
    return 0 <= (moment - other).total_seconds() < 60


def test_everything_looks_at_it(clock: Clock) -> None:
    clock.travel(MOMENT)
    assert is_near(timezone.now(), MOMENT)
    assert is_near(datetime.now(UTC), MOMENT)
    assert is_near(datetime.fromtimestamp(time.time(), UTC), MOMENT)
    assert clock.now.date() == MOMENT.date()


def test_it_is_moved_on_and_back_and_put_right(clock: Clock) -> None:
    before = timezone.now()
    clock.travel("2026-03-01 03:00")
    clock.move(1800, minutes=30, hours=1, days=1)
    assert is_near(clock.now, datetime(2026, 3, 2, 5, tzinfo=UTC))
    clock.travel("2020-01-01T00:00:00+01:00")
    assert is_near(clock.now, datetime(2019, 12, 31, 23, tzinfo=UTC))
    clock.stop()
    clock.stop()
    assert is_near(timezone.now(), before)


def test_a_moment_without_a_zone_is_in_djangos(clock: Clock) -> None:
    with override_settings(TIME_ZONE="Asia/Tokyo"):
        clock.travel("2026-03-01 12:00")
        assert is_near(datetime.now(UTC), MOMENT)


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """A time zone, which is the project's and, as Django has it, the process's."""
    with override_settings(TIME_ZONE=request.param):
        yield request.param


@pytest.mark.parametrize("use_tz", [True, False])
def test_time_passes_by_any_clock_in_the_projects_zone(
    clock: Clock, zone: str, use_tz: bool
) -> None:
    with override_settings(USE_TZ=use_tz):
        looks: list[Callable[[], datetime]] = [timezone.now, datetime.now]
        looks.append(lambda: datetime.now(UTC))
        before = [look() for look in looks]
        for passed in (6, 12):
            clock.move(6)
            after = [look() - timedelta(seconds=passed) for look in looks]
            assert all(is_near(*both) for both in zip(after, before, strict=True))
        assert time.strftime("%z") == datetime.now(ZoneInfo(zone)).strftime("%z")


@pytest.mark.parametrize("use_tz", [True, False])
def test_a_text_without_a_zone_is_what_the_projects_clocks_show(
    clock: Clock, zone: str, use_tz: bool
) -> None:
    with override_settings(USE_TZ=use_tz), timezone.override("Pacific/Auckland"):
        for month in (1, 7):
            clock.travel(f"2026-0{month}-01 12:00")
            noon = datetime(2026, month, 1, 12, tzinfo=ZoneInfo(zone))
            assert is_near(datetime.now(UTC), noon)
            assert is_near(datetime.now(), noon.replace(tzinfo=None))
            assert is_near(clock.now, noon if use_tz else noon.replace(tzinfo=None))


def test_a_moment_with_a_zone_leaves_the_processs_own(clock: Clock) -> None:
    with override_settings(TIME_ZONE="Asia/Tokyo"):
        clock.travel(MOMENT.astimezone(ZoneInfo("Europe/Berlin")))
        assert time.tzname == ("JST", "JST")
        clock.travel(MOMENT)
        assert is_near(datetime.now(), datetime(2026, 3, 1, 12))


def test_without_time_machine_it_says_what_to_install(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "time_machine", None)
    with pytest.raises(MotiaError, match=r"pip install 'motia-django\[testing\]'"):
        clock.move(1)
