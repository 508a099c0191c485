"""Attempts that go wrong in real worker processes: too long, frozen, deadly."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_postgresql, fresh_rabbitmq, fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue(f"{request.param}_server")
    return fresh_redis() if request.param == "redis" else fresh_rabbitmq()


@pytest.fixture
def project(tmp_path: Path, broker: str, postgresql_server: str) -> Iterator[Project]:
    with sample_project(tmp_path, fresh_postgresql(), broker) as started:
        yield started


def enqueue(project: Project, topic: str, data: object) -> None:
    project.look("enqueue", topic, "--data", json.dumps(data))


def ended(project: Project, step: str, status: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        runs = project.runs(step=step)
        return runs[0] if runs and runs[0]["status"] == status else None

    return eventually(look, project.all_logs) or {}


def statuses(project: Project, step: str) -> list[str]:
    return [run["status"] for run in project.runs(step=step)]


def test_an_attempt_is_ended_at_its_limit_and_its_process_goes_on(project: Project) -> None:
    project.start_worker(concurrency=1)
    for _ in range(4):
        enqueue(project, "hasty", {})
    enqueue(project, "endless", {})
    run = ended(project, "Endless", "dead")
    assert "TimedOut: it" in run["error"]
    enqueue(project, "slow", {"id": "after", "seconds": 0})
    ended(project, "Slow", "succeeded")
    eventually(lambda: statuses(project, "Hasty") == ["dead"] * 4, project.all_logs)
    errors = [run["error"] for run in project.runs(step="Hasty")]
    assert [each for each in errors if "TimedOut: it" not in each] == []


def test_what_does_not_end_at_its_limit_is_ended_by_celery_and_not_waited_for(
    project: Project,
) -> None:
    project.environment["LEASE"] = "600"
    project.start_worker()
    enqueue(project, "stubborn", {})
    run = ended(project, "Stubborn", "dead")
    # Celery sends SIGTERM and, a tenth of a second later, SIGKILL: whichever is noticed.
    assert "TimedOut: it did not end at its limit" in run["error"]


def test_what_the_projects_own_limit_ends_says_so(project: Project) -> None:
    project.environment |= {"LEASE": "600", "TASK_TIME_LIMIT": "2"}
    project.start_worker()
    enqueue(project, "slow", {"id": "endless", "seconds": 60})
    run = ended(project, "Slow", "dead")
    assert "TimedOut: it" in run["error"]
    assert "Celery's task_time_limit of 2 s" in run["error"]


def test_what_kills_every_worker_ends_dead_though_it_is_in_no_table(project: Project) -> None:
    project.environment["LEASE"] = "600"  # Celery notices, so that nobody waits for a lease
    project.start_worker()
    enqueue(project, "fatal", {})
    enqueue(project, "deadly", {"n": 1})
    fatal = ended(project, "Fatal", "dead")
    assert fatal["attempt"] == 2
    assert "the worker was killed (signal 9 (SIGKILL)) during attempt 2" in fatal["error"]
    run = ended(project, "Deadly", "dead")
    assert run["input"] == {"n": 1}
    assert 2 <= run["attempt"] <= 3
    assert "worker_lost" in {entry["kind"] for entry in run["timeline"]}
    told = ended(project, "Mourn", "succeeded")
    assert (told["input"]["runId"], told["input"]["input"]) == (run["id"], {"n": 1})


def test_a_process_that_was_frozen_cannot_go_on_with_a_run_that_another_has(
    project: Project,
) -> None:
    project.start_worker("first", concurrency=1)
    enqueue(project, "slow", {"id": "a", "seconds": 10})
    eventually(lambda: "Task motia.Slow" in project.log("first"), project.all_logs)
    time.sleep(1)
    freeze(project, "first", signal.SIGSTOP)
    project.start_worker("second", concurrency=1)
    run = ended(project, "Slow", "succeeded")
    assert run["attempt"] == 2
    freeze(project, "first", signal.SIGCONT)
    eventually(lambda: "LeaseLost" in project.log("first"), project.all_logs)
    time.sleep(1)
    [run] = project.runs(step="Slow")
    assert (run["attempt"], run["status"]) == (2, "succeeded")
    assert json.loads(project.look("state", "get", "slow", "a")) == {"begun": 2, "ended": 1}


def freeze(project: Project, name: str, number: int) -> None:
    os.killpg(project.processes[name].pid, number)
