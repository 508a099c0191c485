"""Schedules under django-celery-beat's DatabaseScheduler: real beats, a worker, an operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_redis

pytest.importorskip("django_celery_beat")
pytestmark = [pytest.mark.journey, pytest.mark.timeout(180)]

SETTINGS = """
from tests.journeys.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "django_celery_beat", "ticking"]
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
"""
STEP = """
config = {"name": "%s", "triggers": [{"type": "cron", "schedule": "* * * * * *"}]}


def handler(input, ctx):
    ctx.logger.info("Tick")
"""


@pytest.fixture
def project(tmp_path: Path, redis_server: str) -> Iterator[Project]:
    """The sample project, on SQLite, with two Steps that run each second: `Paused`, `Steady`."""
    steps = tmp_path / "ticking" / "steps"
    steps.mkdir(parents=True)
    (tmp_path / "ticking" / "__init__.py").touch()
    (tmp_path / "tickingsettings.py").write_text(SETTINGS)
    for name in ("Paused", "Steady"):
        (steps / f"{name.lower()}_step.py").write_text(STEP % name)
    with sample_project(tmp_path, None, fresh_redis()) as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = "tickingsettings"
        started.environment["PYTHONPATH"] = str(tmp_path)
        started.command("migrate", "--verbosity", "0")
        yield started


def ticks(project: Project, step: str) -> int:
    """Return how often a Step has run."""
    return project.log("worker").count(f"[{step}] Tick")


def goes_on(project: Project, step: str, more: int = 3) -> None:
    before = ticks(project, step)
    eventually(lambda: ticks(project, step) >= before + more, project.all_logs)


def pause(project: Project, name: str) -> None:
    """Do what the admin's checkbox does."""
    code = (
        "from django_celery_beat.models import PeriodicTask as P;"
        f" row = P.objects.get(name={name!r}); row.enabled = False; row.save()"
    )
    project.command("shell", "-v", "0", "-c", code)


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
    assert "motia.tick" in project.log("first") and "motia.tick" in project.log("second")

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
    (project.logs / "ticking" / "steps" / "paused_step.py").unlink()
    project.kill("third")
    project.start_beat("fourth")
    goes_on(project, "Steady", more=1)
    rows = synced(project)["unchanged"]
    assert "motia:Steady:0" in rows and "motia:Paused:0" not in rows
    assert "Schedule removed: motia:Paused:0" in project.log("fourth")
    for name in ("first", "second", "third", "fourth"):
        assert "Traceback" not in project.log(name), project.log(name)
