"""Schedules under django-celery-beat's DatabaseScheduler: real beats, a worker, an operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from motia_django import tasks
from tests.journeys.running import Project
from tests.journeys.ticking import goes_on, step_file, ticking_project, ticks

pytest.importorskip("django_celery_beat")
pytestmark = [pytest.mark.journey, pytest.mark.timeout(180)]

EACH_SECOND = "* * * * * *"
SETTINGS = """
INSTALLED_APPS += ["django_celery_beat"]
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
"""


@pytest.fixture
def project(tmp_path: Path, redis_server: str) -> Iterator[Project]:
    """The sample project, on SQLite, with two Steps that run each second: `Paused`, `Steady`."""
    with ticking_project(tmp_path, {"Paused": EACH_SECOND, "Steady": EACH_SECOND}, SETTINGS) as it:
        yield it


def pause(project: Project, name: str) -> None:
    """Do what the admin's checkbox does."""
    code = (
        "from django_celery_beat.models import PeriodicTask as P;"
        f" row = P.objects.get(name={name!r}); row.enabled = False; row.save()"
    )
    project.python(code)


def synced(project: Project) -> dict[str, list[str]]:
    """Return which rows there are, as `motia_steps sync` finds them: there is nothing to do."""
    done: dict[str, Any] = json.loads(
        project.command("motia_steps", "sync", "--format", "json").stdout
    )
    assert not done["added"] + done["changed"] + done["removed"], done
    return done


def test_beats_workers_and_an_operator_share_the_rows(project: Project) -> None:
    project.start_worker()
    project.start_beat("first")
    project.start_beat("second")

    # two beats, one run for each tick
    goes_on(project, "Paused", more=4)
    runs = project.runs(step="Steady")
    seconds = sorted(datetime.fromisoformat(run["input"]["scheduledTime"]) for run in runs)
    assert min(later - one for one, later in pairwise(seconds)) == timedelta(seconds=1)
    assert all(tasks.TICK in project.log(beat) for beat in ("first", "second"))

    # an operator's pause holds, while others go on, and through a restart of beat
    pause(project, "motia:Paused:0")
    goes_on(project, "Steady")
    before = ticks(project, "Paused")
    goes_on(project, "Steady")
    for name in ("first", "second"):
        project.kill(name)
    project.start_beat("third")
    goes_on(project, "Steady")
    assert ticks(project, "Paused") == before
    assert synced(project)["paused"] == ["motia:Paused:0"]

    # the row goes with the Step's file
    step_file(project.logs, "Paused").unlink()
    project.kill("third")
    project.start_beat("fourth")
    goes_on(project, "Steady", more=1)
    rows = synced(project)["unchanged"]
    assert "motia:Steady:0" in rows and "motia:Paused:0" not in rows
    assert "Schedule removed: motia:Paused:0" in project.log("fourth")
    for name in ("first", "second", "third", "fourth"):
        assert "Traceback" not in project.log(name), project.log(name)
