"""The story of docs/operating.md: a payment provider goes down, and an operator puts it right."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.operators import Operator, operator
from tests.journeys.running import Project, eventually, free_port, sample_project
from tests.servers import fresh_postgresql, fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

SEND = """
from motia_django import enqueue
for number in range({first}, {first} + {count}):
    data = {{"orderId": f"order-{{number}}", "paymentId": f"pay-{{number}}", "amount": 20 + number}}
    enqueue("payment.authorised", data)
"""
KILLED = """
from django.utils import timezone
from motia_django.models import Run
from motia_django.runs import new_run_id
Run.objects.bulk_create(
    Run(id=new_run_id(), step="CapturePayment", trigger="queue", source="payment.authorised",
        status="dead", attempt=3, trace_id="a" * 32, fingerprint="a" * 16, error="OSError: away",
        input={"orderId": "o", "paymentId": "p", "amount": 1}, finished_at=timezone.now())
    for _ in range(1000)
)
"""
TOLD = """
import json
from motia_django.models import Run
print(json.dumps([
    [run.status, [each["by"] for each in run.timeline if each["kind"] == "redriven"]]
    for run in Run.objects.filter(step="CapturePayment")
]))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """The sample project with a web server and a worker, on each database."""
    database = None
    if request.param == "postgresql":
        request.getfixturevalue("postgresql_server")
        database = fresh_postgresql()
    request.getfixturevalue("redis_server")
    with sample_project(tmp_path, database, fresh_redis()) as started:
        yield started


class Provider:
    """The payment provider: a process of its own, up or down."""

    def __init__(self, project: Project) -> None:
        self._project, self._port = project, free_port()
        project.environment["PAYMENT_PROVIDER_URL"] = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "sample_project.provider", str(self._port)]
        self._project.start("provider", command)
        eventually(lambda: self.taken() >= 0, self._project.all_logs)

    def stop(self) -> None:
        self._project.kill("provider")

    def taken(self) -> int:
        """Return how many payments were taken since it was started."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/") as response:
            return int(json.load(response)["taken"])


def send(project: Project, count: int, first: int = 0) -> None:
    project.python(SEND.format(first=first, count=count))


def counted(project: Project) -> Counter[str]:
    """Return how many runs of the Step there are of each status."""
    runs = json.loads(
        project.look("runs", "--step", "CapturePayment", "--limit", "500", "--format", "json")
    )
    return Counter(run["status"] for run in runs)


def test_a_payment_provider_goes_down(project: Project) -> None:
    provider = Provider(project)
    provider.start()
    project.start_worker()
    project.start_web()
    ada = operator(project)
    send(project, 5)
    eventually(lambda: counted(project) == {"succeeded": 5}, project.all_logs)

    provider.stop()
    send(project, 200, first=5)
    eventually(
        lambda: counted(project) == {"succeeded": 5, "dead": 200}, project.all_logs, patience=150
    )
    she_sees_what_is_wrong(ada)
    provider.start()
    she_puts_it_right(ada)
    eventually(lambda: counted(project) == {"succeeded": 205}, project.all_logs, patience=90)
    assert provider.taken() == 200
    the_console_tells_what_was_done(ada)


def she_sees_what_is_wrong(ada: Operator) -> None:
    """From the admin's index to the error, by what the pages say."""
    ada.open("/admin/")
    ada.follow("Overview")
    assert "200 dead letters" in ada.read()
    ada.follow("dead letters")
    assert "200 dead runs, by the error that killed them." in ada.read()
    ada.follow("URLError: <urlopen error [Errno 111] Connection refused>")
    assert "CapturePayment" in ada.read()
    assert "sample_project/orders/payments.py" in ada.read()


def she_puts_it_right(ada: Operator) -> None:
    """Redrive them all, having seen what would come of it."""
    ada.follow("Redrive…")
    assert "200 runs were checked: today's code and schemas take all of them" in ada.read()
    assert "No worker is alive" not in ada.read()
    ada.press("Redrive 200 runs", reason="the provider is back", per_second=50)
    assert re.search(r"/admin/motia/batch/\d+/change/$", ada.url)

    def ended() -> bool:
        ada.open()
        return "200 done" in ada.read() and "0 refused" in ada.read()

    eventually(ended, ada.read)


def the_console_tells_what_was_done(ada: Operator) -> None:
    """Nothing is dead, and who did it and why stands at each run, each batch, and in the log."""
    ada.open("/admin/motia/deadletter/")
    assert "No run is dead." in ada.read()
    ada.follow("Batches")
    assert "done 200 0" in ada.read()
    ada.open("/admin/motia/run/?step=CapturePayment&status=succeeded")
    ada.follow("CapturePayment")
    assert re.search(r"by ada \(admin\), batch \d+, after 3 attempts: the provider is", ada.read())
    ada.open("/admin/")
    assert "redrive 1" in ada.read(), "among the recent actions"


def test_a_batch_outlives_the_worker_that_works_on_it(project: Project) -> None:
    project.start_worker("first")
    project.start_web()
    project.python(KILLED)
    ada = operator(project)
    ada.open("/admin/motia/deadletter/")
    ada.follow("Redrive…")
    ada.press("Redrive 1000 runs", reason="again")

    def done() -> int:
        ada.open()
        found = re.search(r"<strong>(\d+)</strong> done", ada.html)
        assert found, ada.read()
        return int(found[1])

    eventually(done, project.all_logs)
    project.kill("first")
    assert done() < 1000
    project.start_worker("second")
    eventually(lambda: done() == 1000, ada.read, patience=150)
    told: list[Any] = json.loads(project.python(TOLD))
    assert len(told) == 1000
    assert {len(who) for _, who in told} == {1}, "none was redriven twice"
