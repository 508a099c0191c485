"""Moments with and without a zone, as the project's tables have them and as people see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import timezone

from motia_django.moments import as_kept, asked, local, read, told, utc

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
BY_THE_CLOCK = datetime(2026, 7, 1, 14)


@pytest.fixture(params=[True, False])
def zones(request: pytest.FixtureRequest) -> Iterator[bool]:
    """A project in Berlin, with time zones and without."""
    with override_settings(USE_TZ=request.param, TIME_ZONE="Europe/Berlin"):
        yield request.param


@pytest.mark.parametrize("moment", [NOON, NOON.astimezone(ZoneInfo("Asia/Tokyo")), BY_THE_CLOCK])
def test_a_moment_is_the_same_in_utc_here_in_the_tables_and_as_text(
    zones: bool, moment: datetime
) -> None:
    assert (utc(moment), utc(moment).tzinfo) == (NOON, UTC)
    assert (local(moment), str(local(moment))) == (NOON, "2026-07-01 14:00:00+02:00")
    assert as_kept(moment) == (NOON if zones else BY_THE_CLOCK)
    assert told(moment) == "2026-07-01T12:00:00+00:00"
    assert read(told(moment)) == as_kept(moment)


def test_the_tables_are_in_the_projects_zone_and_people_in_their_own(zones: bool) -> None:
    with timezone.override("America/New_York"):
        assert as_kept(NOON) == (NOON if zones else BY_THE_CLOCK)
        assert utc(BY_THE_CLOCK) == NOON
        assert f"{local(as_kept(NOON)):%H:%M %Z}" == "08:00 EDT"
        assert asked("2026-07-01T08:00") == NOON


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-01T14:00", NOON),
        ("2026-07-01T12:00Z", NOON),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("0001-01-01T00:00+23:00", datetime(1970, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59-23:00", datetime(9000, 1, 1, tzinfo=UTC)),
        ("9999-12-31", datetime(9000, 1, 1, tzinfo=UTC)),
        ("soon", None),
        ("2026-99-99", None),
        ("", None),
    ],
)
def test_people_ask_for_a_time_by_their_clocks_or_in_a_zone(
    zones: bool, text: str, moment: datetime | None
) -> None:
    assert asked(text) == moment


@pytest.mark.parametrize("text", ["", "soon", "2026-99-99T00:00", "None"])
def test_what_tells_of_no_time_is_none(zones: bool, text: str) -> None:
    assert read(text) is None


def test_the_hour_that_is_there_twice_is_told_apart_as_text() -> None:
    with override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin"):
        twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
        assert as_kept(twice[0]) == as_kept(twice[1]) == datetime(2026, 10, 25, 2, 30)
        assert [told(as_kept(each)) for each in twice] == [told(each) for each in twice]
