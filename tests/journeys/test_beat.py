"""Beat through outages of its database, and to its end: with real servers and real signals."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.running import Project, eventually
from tests.journeys.ticking import goes_on, ticking_project
from tests.servers.base import Server
from tests.servers.mariadb import Mariadb, create_database
from tests.servers.postgresql import Postgresql

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

OFTEN = "*/4 * * * * *"
SENT = "Sending due task motia:Often:0"
ERRORS = re.compile("Traceback|ERROR/|CRITICAL/")
AWAY, BACK = "Overrides of schedules cannot be read now", "Overrides of schedules can be read again"
ROWS = """
INSTALLED_APPS += ["django_celery_beat"]
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
"""


class Database:
    """A server of one test's own, that stops and starts again, with the project's database."""

    def __init__(self, server: Server, home: Path) -> None:
        self._server, self._home = server, home
        url = self.start()
        self.url = create_database(url, "project") if server.name == "mariadb" else url

    def start(self) -> str:
        return self._server.start(self._home)

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(params=[Mariadb, Postgresql], ids=lambda each: str(each.name))
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """MariaDB and PostgreSQL, each empty."""
    if reason := request.param.missing():
        pytest.skip(reason)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")  # which is another's while PostgreSQL starts
    home = tmp_path / "server"
    home.mkdir()
    made = Database(request.param(), home)
    yield made
    made.stop()


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, redis_server: str) -> Iterator[Project]:
    """The sample project with a Step due every four seconds and one due once a year."""
    steps = {"Often": OFTEN, "Seldom": "0 0 1 1 *"}
    with ticking_project(tmp_path, steps, getattr(request, "param", "")) as started:
        yield started


def test_beat_outlives_every_outage_of_its_database(project: Project, database: Database) -> None:
    project.environment["DATABASE_URL"] = database.url
    project.command("migrate", "--verbosity", "0")
    project.start_worker()

    def away(times: int) -> None:
        eventually(lambda: project.log("beat").count(AWAY) == times, project.all_logs)

    def back(times: int) -> None:
        eventually(lambda: project.log("beat").count(BACK) == times, project.all_logs)

    # it is away when beat starts
    database.stop()
    project.start_beat()
    away(1)
    database.start()
    back(1)
    goes_on(project, "Often")

    # it goes away while beat runs
    database.stop()
    away(2)
    time.sleep(6)  # beat looks once more
    database.start()
    back(2)
    project.look("override", "Seldom", OFTEN)
    goes_on(project, "Seldom", more=1)
    assert ended(project, "beat") == 0, project.log("beat")


@pytest.mark.parametrize("project", ["", ROWS], ids=["file", "rows"], indirect=True)
def test_beat_ends_well_on_a_signal_by_itself_and_in_a_worker(project: Project) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        name = f"beat{number}"
        project.start_beat(name)
        ends_well(project, name, number)
    words = ["worker", "-B", "-l", "INFO", "-c", "1", "-s", str(project.logs / "schedule")]
    project.start("worker", [sys.executable, "-m", "celery", "-A", project.celery_app, *words])
    ends_well(project, "worker", signal.SIGTERM)


def ends_well(project: Project, name: str, number: signal.Signals) -> None:
    """End a process that has sent a tick; it may report no error."""
    eventually(lambda: SENT in project.log(name), project.all_logs)
    time.sleep(1)  # in the midst of sending, Redis's client makes an error of the signal
    assert ended(project, name, number) == 0, project.log(name)
    assert not ERRORS.findall(project.log(name)), project.log(name)


def ended(project: Project, name: str, number: signal.Signals = signal.SIGTERM) -> int:
    """Ask a process to end, as whoever deploys does; return its exit code."""
    project.processes[name].send_signal(number)
    return project.processes[name].wait(60)
