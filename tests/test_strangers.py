"""Messages of Steps that a worker does not know; tests/journeys has a real worker get them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.signals import task_unknown

from motia_django import models, strangers
from motia_django.runs import Status
from tests.factories import make_run, row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _joined() -> Iterator[None]:
    """Let this process be a worker."""
    celerys = logging.getLogger(strangers._CELERYS)
    strangers.join_worker()
    yield
    celerys.removeFilter(strangers._is_of_others)
    task_unknown.disconnect(dispatch_uid="motia.strangers.heed")


def unknown(name: str, run_id: object, *arguments: Any) -> None:
    """Do as a Celery worker does with a message of a task that it does not know."""
    message = SimpleNamespace(payload=([str(run_id), *arguments], {}, {}))
    error = KeyError(name)
    logging.getLogger(strangers._CELERYS).error("Received %s", error, exc_info=error)
    task_unknown.send(sender=None, message=message, exc=error, name=name, id=str(run_id))


def test_a_message_is_told_of_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(step="Newer")
    unknown("motia.Newer", run.id)
    [record] = caplog.records
    assert record.getMessage() == f"No Step 'Newer' here for run {run.id}: it stays queued"
    assert (record.levelname, record.name, record.exc_info) == ("WARNING", "motia.tasks", None)


def test_tasks_of_others_are_told_of_by_celery(caplog: pytest.LogCaptureFixture) -> None:
    unknown("shop.tasks.pack", 17)
    [record] = caplog.records
    assert (record.levelname, record.name) == ("ERROR", strangers._CELERYS)


def test_a_light_run_enters_the_ledger_and_waits_there() -> None:
    run = make_run(step="Newer", input={"n": 1})
    for _ in range(2):
        unknown("motia.Newer", run.id, run.to_message())
    kept = row(run)
    assert (kept.status, kept.step, kept.input) == (Status.QUEUED, "Newer", {"n": 1})
    assert [each["message"] for each in kept.timeline] == ["a worker did not know its Step"]


def test_what_cannot_be_kept_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(step="Newer")
    unknown("motia.Newer", run.id, {"step": "Newer"})
    [record] = caplog.records
    assert (record.levelname, record.exc_info is not None) == ("ERROR", True)
    assert not models.Run.objects.exists()
