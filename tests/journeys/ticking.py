"""The sample project with Steps that tick: what the journeys of schedules have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_redis

SETTINGS = """
from tests.journeys.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "ticking"]
"""
STEP = """
config = {"name": "%s", "triggers": [{"type": "cron", "schedule": "%s"}]}


def handler(input, ctx):
    ctx.logger.info("Tick")
"""


@contextmanager
def ticking_project(
    folder: Path, steps: Mapping[str, str], settings: str = ""
) -> Iterator[Project]:
    """Set up the sample project, on SQLite, with Steps by their cron expressions.

    Their files are `ticking/steps/<name>_step.py` in the folder; `settings` are more lines of code.
    """
    (folder / "ticking" / "steps").mkdir(parents=True)
    for name, expression in steps.items():
        step_file(folder, name).write_text(STEP % (name, expression))
    (folder / "ticking" / "__init__.py").touch()
    (folder / "tickingsettings.py").write_text(SETTINGS + settings)
    with sample_project(folder, None, fresh_redis()) as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = "tickingsettings"
        started.environment["PYTHONPATH"] = str(folder)
        if settings:
            started.command("migrate", "--verbosity", "0")
        yield started


def step_file(folder: Path, name: str) -> Path:
    """Return the file of one of the Steps."""
    return folder / "ticking" / "steps" / f"{name.lower()}_step.py"


def ticks(project: Project, step: str) -> int:
    """Return how often a Step has run."""
    return project.log("worker").count(f"[{step}] Tick")


def goes_on(project: Project, step: str, more: int = 3) -> None:
    """Wait until a Step has run some more times."""
    before = ticks(project, step)
    eventually(lambda: ticks(project, step) >= before + more, project.all_logs)
