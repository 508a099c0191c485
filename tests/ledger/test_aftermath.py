"""What the deaths of runs have started, counted over many."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import models
from motia_django.ledger import aftermath
from motia_django.ledger.aftermath import of_death, of_deaths
from motia_django.runs import Run, Status
from tests.factories import installed, kept_run, make_step, nothing, row

pytestmark = pytest.mark.django_db

QUEUE = {"type": "queue", "topic": "work"}


def dead_run(**values: Any) -> Run:
    """Return a run that died an hour ago."""
    run = kept_run(status=Status.DEAD, **values)
    died = timezone.now() - timedelta(hours=1)
    models.Run.objects.filter(id=run.id).update(finished_at=died, wake_at=None)
    return run


def caused(cause: Run, **values: Any) -> Run:
    return kept_run(**{"step": "Told", "parent_id": cause.id, "trace_id": cause.trace_id, **values})


def test_it_is_what_was_born_of_them_in_their_traces_since_they_died() -> None:
    run, other, alive = dead_run(), dead_run(), kept_run()
    before = timezone.now() - timedelta(hours=2)
    started = caused(run)
    caused(run, created_at=before), caused(run, trace_id="b" * 32), caused(alive)
    found = of_deaths([run.id, other.id, alive.id])
    assert (found.looked_at, found.are_all, found.deaths) == (2, True, 1)
    assert found.started == {"Told": {"queued": 1}}
    assert [each.id for each in of_death(row(run))] == [started.id]
    assert not of_death(row(alive))


def test_of_steps_that_are_not_to_be_named_it_is_told_how_many_there_are() -> None:
    run, other = dead_run(), dead_run()
    caused(run), caused(run, step="Secret"), caused(other, step="Secret")
    found = of_deaths([run.id, other.id], steps=["Told"])
    assert (found.deaths, found.started, found.hidden) == (2, {"Told": {"queued": 1}}, 2)
    assert of_deaths([run.id]).hidden == 0


def test_of_those_that_died_before_what_was_sent_then_is_among_it() -> None:
    before = timezone.now() - timedelta(hours=2)
    with installed(make_step(nothing, QUEUE, onDead="undo"), make_step(name="Other")):
        run, other = dead_run(), dead_run(step="Other")
        for cause in (run, other):
            caused(cause, source="undo", created_at=before)
        assert of_deaths([run.id, other.id]).deaths == 1


def test_however_many_they_are_it_takes_few_queries_and_has_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = [dead_run() for _ in range(20)]
    for run in runs:
        caused(run), caused(run, status=Status.SUCCEEDED)
    ids = [run.id for run in runs]
    with CaptureQueriesContext(connection) as queries:
        assert of_deaths(ids).told() == "Told (40: 20 queued, 20 succeeded)"
    assert len(queries) == 2
    monkeypatch.setattr(aftermath, "_AT_ONCE", 5)
    monkeypatch.setattr(aftermath, "MOST_DEATHS", 10)
    found = of_deaths(ids)
    assert (found.looked_at, found.are_all, found.deaths) == (10, False, 10)
    assert of_deaths(ids, seconds=0).looked_at == 5


def test_of_many_steps_those_with_the_most_runs_are_named() -> None:
    run = dead_run()
    for at in range(12):
        caused(run, step=f"Step{at:02}")
    caused(run, step="Most"), caused(run, step="Most")
    told = of_deaths([run.id]).told(str.upper)
    assert told.startswith("Most (2 QUEUED), Step00 (1 QUEUED), ")
    assert told.endswith(", Step08 (1 QUEUED), …")
