"""The time of a test."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

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


def test_without_time_machine_it_says_what_to_install(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "time_machine", None)
    with pytest.raises(MotiaError, match=r"pip install 'motia-django\[testing\]'"):
        clock.move(1)
