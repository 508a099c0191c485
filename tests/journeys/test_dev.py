from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.journeys.running import ROOT, Project, children_of, eventually, free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The sample project with no broker and a database of its own, migrated.

    Its temporary directory is its own, too: there `dev` tells where its broker is.
    """
    environment = {**os.environ, "SAMPLE_DATA": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    environment["TMPDIR"] = str(tmp_path)
    for name in ("CELERY_BROKER_URL", "DATABASE_URL"):
        environment.pop(name, None)
    environment["DJANGO_SETTINGS_MODULE"] = "sample_project.settings"
    started = Project(ROOT, environment, "sample_project", ROOT / "manage.py", logs=tmp_path)
    started.migrate()
    try:
        yield started
    finally:
        started.stop()


def start_dev(project: Project) -> None:
    command = [sys.executable, str(project.manage), "motia_steps", "dev"]
    project.start("dev", [*command, "--port", str(project.port)])
    eventually(lambda: "Stop with Ctrl-C" in project.log("dev"), project.all_logs)


def kill_worker(project: Project) -> None:
    """Kill the worker's main process, which leaves its children behind."""
    workers = [
        each
        for each in children_of(project.processes["dev"])
        if "worker" in each.cmdline() and "motia_django.commands.tied" not in each.cmdline()
    ]
    min(workers, key=lambda each: each.create_time()).kill()


def test_one_command_runs_everything_and_leaves_nothing_behind(project: Project) -> None:
    start_dev(project)
    log = project.log("dev")
    assert f"http://localhost:{project.port}/todos  CreateTodo" in log
    assert f"http://localhost:{project.port}/admin/" in log
    assert "an embedded Redis" in log

    created = project.call("POST", "/todos", {"title": "x"})
    assert created.status == 201
    processed = f"worker | [ProcessTodo] Todo processed todoId={created.json['id']}"
    eventually(lambda: processed in project.log("dev"), project.all_logs)

    data = json.dumps({"todoId": created.json["id"]})
    sent = project.command("motia_steps", "enqueue", "todo.created", "--data", data)
    assert sent.stderr == ""
    eventually(lambda: len(project.runs(step="ProcessTodo", status="succeeded")) == 2)

    kill_worker(project)
    again = "worker was killed by SIGKILL; starting it again"
    eventually(lambda: again in project.log("dev"), project.all_logs)
    created = project.call("POST", "/todos", {"title": "y"})
    processed = f"worker | [ProcessTodo] Todo processed todoId={created.json['id']}"
    eventually(lambda: processed in project.log("dev"), project.all_logs)

    family = children_of(project.processes["dev"])
    assert len(family) >= 5  # redis and its keeper, web, worker and its children, beat
    project.processes["dev"].send_signal(signal.SIGINT)
    eventually(lambda: project.processes["dev"].poll() is not None, project.all_logs)
    assert project.processes["dev"].returncode == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_a_killed_dev_leaves_nothing_behind_either(project: Project) -> None:
    start_dev(project)
    eventually(lambda: "celery@" in project.log("dev"), project.all_logs)
    family = children_of(project.processes["dev"])
    assert any("valkey" in each.name() for each in family)
    project.processes["dev"].kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_a_taken_port_a_silent_broker_and_a_missing_table_are_said_plainly(
    project: Project, tmp_path: Path
) -> None:
    start_dev(project)
    again = project.command("motia_steps", "dev", "--port", str(project.port), check=False)
    assert again.returncode == 1
    assert f"Port {project.port} is taken" in again.stderr

    project.environment["CELERY_BROKER_URL"] = "redis://:hidden@127.0.0.1:1/0"
    port = str(free_port())
    silent = project.command("motia_steps", "dev", "--port", port, check=False)
    assert silent.returncode == 1
    assert "broker, redis://:**@127.0.0.1:1/0, does not answer" in silent.stderr
    del project.environment["CELERY_BROKER_URL"]

    project.environment["SAMPLE_DATA"] = str(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    unmigrated = project.command("motia_steps", "dev", check=False)
    assert unmigrated.returncode == 1
    assert "run `manage.py migrate` first" in unmigrated.stderr
