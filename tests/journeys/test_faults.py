from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_postgresql, fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


@pytest.fixture
def broker(redis_server: str) -> str:
    return fresh_redis()


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, broker: str) -> Iterator[Project]:
    """The sample project on PostgreSQL, or where a test asks for it on SQLite.

    The chaos tests kill, wipe and stop on every pair of database and broker.
    """
    database = None
    if getattr(request, "param", "postgresql") == "postgresql":
        request.getfixturevalue("postgresql_server")
        database = fresh_postgresql()
    with sample_project(tmp_path, database, broker) as started:
        yield started


def enqueue(project: Project, topic: str, data: object) -> str:
    return project.look("enqueue", topic, "--data", json.dumps(data)).strip()


def status(project: Project, run_id: str) -> str:
    """Return a run's status; nothing of a light one that is not in the ledger."""
    return next((str(run["status"]) for run in project.runs() if run["id"] == run_id), "")


def test_a_killed_worker_loses_nothing(project: Project) -> None:
    project.start_worker("first")
    run_id = enqueue(project, "slow", {"id": "a", "seconds": 4})
    eventually(lambda: "Task motia.Slow" in project.log("first"), project.all_logs)
    time.sleep(1)
    project.kill("first")
    assert status(project, run_id) == "running"

    project.start_worker("second")
    eventually(lambda: status(project, run_id) == "succeeded", project.all_logs)
    [run] = project.runs(step="Slow")
    assert run["attempt"] == 2
    assert "worker_lost" in [entry["kind"] for entry in run["timeline"]]


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
def test_a_run_longer_than_its_lease_is_not_taken_from_its_worker(project: Project) -> None:
    project.start_worker("first")
    project.start_worker("second")
    run_id = enqueue(project, "slow", {"id": "a", "seconds": 8})
    eventually(lambda: status(project, run_id) == "succeeded", project.all_logs)
    assert project.runs(step="Slow")[0]["attempt"] == 1


def test_a_wiped_broker_loses_nothing(project: Project, broker: str) -> None:
    run_ids = [enqueue(project, "slow", {"id": str(each), "seconds": 0}) for each in range(3)]
    redis.Redis.from_url(broker).flushdb()
    project.start_worker()
    for run_id in run_ids:
        eventually(lambda run_id=run_id: status(project, run_id) == "succeeded", project.all_logs)  # type: ignore[misc]
    assert all(run["attempt"] == 1 for run in project.runs(step="Slow"))


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
def test_messages_sent_while_the_broker_is_away_arrive_later(project: Project, broker: str) -> None:
    project.environment["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
    run_id = enqueue(project, "slow", {"id": "a", "seconds": 0})
    assert status(project, run_id) == "queued"
    project.environment["CELERY_BROKER_URL"] = broker
    project.start_worker()
    eventually(lambda: status(project, run_id) == "succeeded", project.all_logs)


BROKEN = """
config = {"name": "", "descripton": "", "triggers": [{"type": "htp"}, {"type": "cron", "cron": 1}]}
"""


def test_nothing_starts_on_broken_step_files(tmp_path: Path, broker: str) -> None:
    app = tmp_path / "brokenapp"
    (app / "steps").mkdir(parents=True)
    (app / "__init__.py").touch()
    (app / "steps" / "broken_step.py").write_text(BROKEN)
    (tmp_path / "brokensettings.py").write_text(
        "from tests.journeys.settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'brokenapp']\n"
    )
    with sample_project(tmp_path, None, broker) as project:
        project.environment["DJANGO_SETTINGS_MODULE"] = "brokensettings"
        project.environment["PYTHONPATH"] = str(tmp_path)
        for command in (["check"], ["migrate"], ["runserver", "--noreload", "0"]):
            refused = project.command(*command, check=False)
            assert refused.returncode == 1, command
            assert_all_problems(refused.stderr)
        for module in ("sample_project.wsgi", "sample_project.asgi"):
            refused = python(project, "-c", f"import {module}")
            assert refused.returncode == 1
            assert_all_problems(refused.stderr)
        for part in ("worker", "beat"):
            refused = python(project, "-m", "celery", "-A", "sample_project", part)
            assert refused.returncode == 1, part
            assert_all_problems(refused.stderr)
        # what one wants of the others when a release is broken
        for deed, said in (("pause", "is paused"), ("resume", "is resumed")):
            assert said in project.command("motia_steps", deed, "ProcessTodo").stdout
        refused = project.command("motia_steps", "redrive", "--all", "--yes", check=False)
        assert refused.returncode == 1
        assert_all_problems(refused.stderr)


def assert_all_problems(text: str) -> None:
    for line, problem in [
        (1, "(motia.E007) a Step file needs a top-level `handler`"),
        (2, "(motia.E005) config.name"),
        (2, "(motia.E004) config: unknown key 'descripton'"),
        (2, "(motia.E005) config.triggers[0].type"),
        (2, "(motia.E005) config.triggers[1].cron"),
    ]:
        assert f"broken_step.py:{line}: {problem}" in text
    assert "Did you mean 'description'?" in text


def python(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    import sys

    return subprocess.run(
        [sys.executable, *words],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_code_that_knows_a_step_later_than_others_loses_none_of_its_runs(
    tmp_path: Path, broker: str
) -> None:
    with sample_project(tmp_path, None, broker) as project:
        new = project.environment["DJANGO_SETTINGS_MODULE"]
        project.environment["DJANGO_SETTINGS_MODULE"] = "tests.journeys.settings_of_old"
        project.start_worker("old")
        project.environment["DJANGO_SETTINGS_MODULE"] = new
        run_id = enqueue(project, "slow", {"id": "a", "seconds": 0})
        told = f"No Step 'Slow' here for run {run_id}: it stays queued"
        eventually(lambda: told in project.log("old"), project.all_logs)
        assert status(project, run_id) == "queued"
        light = enqueue(project, "deadly", {})
        eventually(lambda: status(project, light) == "queued", project.all_logs)
        eventually(lambda: f"for run {light}: it stays" in project.log("old"), project.all_logs)
        for word in ("unregistered", "Traceback", "ERROR"):
            assert word not in project.log("old")
        project.command("motia_steps", "cancel", light)
        project.kill("old")
        project.start_worker("new")
        eventually(lambda: status(project, run_id) == "succeeded", project.all_logs)


def test_a_run_of_a_step_that_is_gone_waits_and_can_be_given_to_another(
    tmp_path: Path, broker: str
) -> None:
    with sample_project(tmp_path, None, broker) as project:
        run_id = enqueue(project, "slow", {"id": "a", "seconds": 0})
        project.environment["DJANGO_SETTINGS_MODULE"] = "tests.journeys.settings_of_old"
        project.start_worker()
        eventually(lambda: f"here for run {run_id}" in project.log("worker"), project.all_logs)
        listed = project.command("motia_steps", "runs", "--no-step")
        assert run_id in listed.stdout
        project.command("motia_steps", "redrive", run_id, "--to", "SendEmail", "--yes", "--insist")
        eventually(lambda: status(project, run_id) in ("succeeded", "dead", "scheduled"))
        assert project.runs(step="SendEmail")[0]["id"] == run_id
