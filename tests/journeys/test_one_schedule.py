"""One schedule under Celery's own scheduler: paused, resumed and overridden while beat runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

SETTINGS = """
from tests.journeys.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "ticking"]
"""
STEP = """
config = {"name": "%s", "triggers": [{"type": "cron", "schedule": "%s"}]}


def handler(input, ctx):
    ctx.logger.info("Tick")
"""


@pytest.fixture
def project(tmp_path: Path, redis_server: str) -> Iterator[Project]:
    """The sample project, on SQLite, with a Step due each second and one due once a year."""
    steps = tmp_path / "ticking" / "steps"
    steps.mkdir(parents=True)
    (tmp_path / "ticking" / "__init__.py").touch()
    (tmp_path / "tickingsettings.py").write_text(SETTINGS)
    for name, expression in (("Often", "* * * * * *"), ("Seldom", "0 0 1 1 *")):
        (steps / f"{name.lower()}_step.py").write_text(STEP % (name, expression))
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

    project.command("motia_steps", "pause", "Often", "--schedule", "0", "--reason", "too much")
    rests(project, "Often")
    assert "paused: True" in project.command("motia_steps", "show", "Often").stdout

    # it holds through a restart of beat, and its end through none
    project.kill("beat")
    project.start_beat("again")
    rests(project, "Often")
    project.command("motia_steps", "resume", "Often", "--schedule", "0")
    goes_on(project, "Often")

    # what is due once a year comes each second, then once a year again
    assert ticks(project, "Seldom") == 0
    project.command("motia_steps", "override", "Seldom", "* * * * * *", "--reason", "to see it")
    goes_on(project, "Seldom")
    project.command("motia_steps", "override", "Seldom", "--drop")
    time.sleep(6)
    rests(project, "Seldom")
    goes_on(project, "Often", more=1)
    for name in ("beat", "again"):
        assert "Traceback" not in project.log(name), project.log(name)
