"""One schedule under Celery's own scheduler: paused, resumed and overridden while beat runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.running import Project
from tests.journeys.ticking import goes_on, ticking_project, ticks

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


@pytest.fixture
def project(tmp_path: Path, redis_server: str) -> Iterator[Project]:
    """The sample project, on SQLite, with a Step due each second and one due once a year."""
    with ticking_project(tmp_path, {"Often": "* * * * * *", "Seldom": "0 0 1 1 *"}) as started:
        yield started


def rests(project: Project, step: str, seconds: float = 4) -> None:
    """Wait for what is under way, then for a time in which nothing may come."""
    time.sleep(2)
    before = ticks(project, step)
    time.sleep(seconds)
    assert ticks(project, step) == before


def test_beat_heeds_who_pauses_and_overrides_one_schedule(project: Project) -> None:
    project.start_worker()
    project.start_beat()
    goes_on(project, "Often")

    project.look("pause", "Often", "--schedule", "0", "--reason", "too much")
    rests(project, "Often")
    assert "paused: since " in project.look("show", "Often")

    # it holds through a restart of beat, and its end through none
    project.kill("beat")
    project.start_beat("again")
    rests(project, "Often")
    project.look("resume", "Often", "--schedule", "0")
    goes_on(project, "Often")

    # what is due once a year comes each second, then once a year again
    assert ticks(project, "Seldom") == 0
    project.look("override", "Seldom", "* * * * * *", "--reason", "to see it")
    goes_on(project, "Seldom")
    project.look("override", "Seldom", "--drop")
    time.sleep(6)
    rests(project, "Seldom")
    goes_on(project, "Often", more=1)
    for name in ("beat", "again"):
        assert "Traceback" not in project.log(name), project.log(name)
