"""The sample project with visitors: what they do leaves runs of every kind to look at."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from motia_django.runs import last_line
from tests.journeys.running import Project, eventually, free_port, sample_project
from tests.servers import fresh_redis

EXPECTED = {"succeeded", "skipped", "dead", "scheduled", "ValueError"} | {
    f"motia_django.exceptions.{error}" for error in ("Dead", "InvalidInput")
}


@pytest.fixture
def project(tmp_path: Path, redis_server: str) -> Iterator[Project]:
    with sample_project(tmp_path, None, fresh_redis()) as started:
        started.start_worker()
        started.start_web()
        yield started


@pytest.mark.journey
@pytest.mark.timeout(240)
def test_a_short_rush_leaves_runs_of_every_kind(project: Project) -> None:
    url = f"http://127.0.0.1:{project.port}"
    done = project.command("traffic", "--url", url, "--seconds", "8", "--rate", "20")
    assert done.stdout.startswith("160 deeds in ")

    def kinds() -> set[str]:
        """Return the statuses there are and the errors that runs died of."""
        died = {last_line(run["error"]).partition(":")[0] for run in project.runs(status="dead")}
        return {run["status"] for run in project.runs()} | died

    eventually(lambda: kinds() >= EXPECTED, lambda: str(kinds()))
    assert '" 500 ' not in project.log("web")


@pytest.mark.django_db(transaction=True)
def test_traffic_says_when_nobody_answers() -> None:
    with pytest.raises(CommandError, match="does not answer .*make demo"):
        call_command("traffic", url=f"http://127.0.0.1:{free_port()}", seed=1, seconds=9, rate=90)


def test_traffic_wants_a_time_and_a_rate() -> None:
    with pytest.raises(CommandError, match="above 0"):
        call_command("traffic", rate=0, stdout=sys.stderr)
