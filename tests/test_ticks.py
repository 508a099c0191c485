from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from celery.exceptions import Reject
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created

from motia_django import dispatch, ledger, tasks, ticks
from motia_django.celery_app import project_app
from motia_django.exceptions import UnknownStep
from motia_django.registry import Registry
from motia_django.runs import Status
from motia_django.timeline import in_words
from tests.factories import (
    deliver,
    installed,
    kept_run,
    make_run,
    make_step,
    nothing,
    rows,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EACH_HOUR: dict[str, Any] = {"type": "cron", "schedule": "0 * * * *"}


@pytest.fixture
def hourly() -> Iterator[Registry]:
    """A Step with two schedules: one of each sort."""
    catching = {**EACH_HOUR, "schedule": "30 * * * *", "catchUp": True}
    with installed(make_step(nothing, EACH_HOUR, catching)) as steps:
        yield steps


@pytest.fixture
def exclusive() -> Iterator[Registry]:
    """A Step whose ticks are skipped while one goes on, and a schedule of it that does not care."""
    with installed(make_step(nothing, {**EACH_HOUR, "overlap": "skip"}, EACH_HOUR)) as steps:
        yield steps


def at(moment: datetime) -> Any:
    return time_machine.travel(moment, tick=False)


# -- borne by beat


def test_beat_bears_the_run_and_tells_its_message_the_same_time(hourly: Registry) -> None:
    with at(NOON + timedelta(seconds=1.2)):
        assert ticks.bear("Work", 0) == NOON.isoformat()
    [run] = rows()
    assert run.status == Status.QUEUED
    assert run.input == {"scheduledTime": NOON.isoformat()}


def test_what_beat_and_any_number_of_messages_start_is_one_run(hourly: Registry) -> None:
    with at(NOON):
        due = ticks.bear("Work", 0)
        ticks.bear("Work", 0)
        project_app().tasks[tasks.TICK].apply(args=("Work", 0, due), throw=True)
    assert len(rows()) == 1


def test_a_schedule_that_was_never_due_bears_nothing() -> None:
    with installed(make_step(nothing, {"type": "cron", "schedule": "0 0 0 1 1 * 2099"})):
        assert ticks.bear("Work", 0) is None
    assert rows() == []


def test_an_unknown_step_is_an_error_that_beat_logs(hourly: Registry) -> None:
    with pytest.raises(UnknownStep):
        ticks.bear("Wrok", 0)


class Away:
    """A database that refuses every statement, as one that is shut down does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error or OperationalError("the database system is shutting down")

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        raise self.error


def test_without_the_database_beat_still_tells_when_it_was_due(
    hourly: Registry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks.logger.parent, "propagate", True)
    with at(NOON), connection.execute_wrapper(Away()):
        assert ticks.bear("Work", 0) == NOON.isoformat()
    assert "Beat could not keep a tick of Work; its message will" in caplog.text
    assert rows() == []


def test_a_tick_whose_worker_cannot_reach_the_database_goes_back_to_the_broker(
    hourly: Registry,
) -> None:
    task: Any = project_app().tasks[tasks.TICK]
    with connection.execute_wrapper(Away()), pytest.raises(Reject) as rejected:
        tasks.tick(task, "Work", 0, NOON.isoformat())
    error: Any = rejected.value
    assert error.requeue
    assert (task.acks_late, task.reject_on_worker_lost) == (True, True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL can be cut off")
def test_a_beat_whose_connection_was_cut_goes_on_with_a_new_one(hourly: Registry) -> None:
    made: list[Any] = []
    with at(NOON):
        ticks.bear("Work", 0)
    connection.ensure_connection()
    connection_created.connect(lambda **kwargs: made.append(kwargs), weak=False, dispatch_uid="me")
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.errors_occurred = False  # as if it had been cut while beat slept
    with at(NOON + HOUR):
        ticks.bear("Work", 0)
    connection_created.disconnect(dispatch_uid="me")
    assert made
    assert len(rows()) == 2


# -- overlap


def test_a_tick_is_skipped_while_the_one_before_it_goes_on(exclusive: Registry) -> None:
    first = dispatch.tick("Work", 0, NOON)
    assert dispatch.tick("Work", 0, NOON + HOUR) is None
    [run, skipped] = rows()
    assert run.id == first
    assert (skipped.status, skipped.attempt, skipped.wake_at) == (Status.SKIPPED, 0, None)
    assert skipped.finished_at is not None
    [note] = skipped.timeline
    assert in_words(note) == f"skipped, since run {first} still went on"
    assert note["at"] is None
    assert ledger.take_due(10) == []


def test_only_a_run_of_the_same_schedule_of_the_same_step_goes_on(exclusive: Registry) -> None:
    tick = make_run(trigger="cron", index=0)
    for values in ({"step": "Other"}, {"trigger": "queue"}, {"index": 1}):
        kept_run(**{"trigger": "cron", **values})
    assert ledger.unfinished(tick) is None
    assert not ledger.has_ticked("Work", 0, "work", before=NOON.replace(year=3000))
    kept = kept_run(trigger="cron")
    assert ledger.unfinished(tick) == kept.id
    assert ledger.has_ticked("Work", 0, "work", before=NOON.replace(year=3000))
    assert not ledger.has_ticked("Work", 0, "0 * * * *", before=NOON.replace(year=3000))


def test_a_skipped_tick_is_not_skipped_twice_nor_run_later(exclusive: Registry) -> None:
    first = dispatch.tick("Work", 0, NOON)
    dispatch.tick("Work", 0, NOON + HOUR)
    deliver([str(first)])
    assert dispatch.tick("Work", 0, NOON + HOUR) is None
    assert [run.status for run in rows()] == [Status.SUCCEEDED, Status.SKIPPED]


def test_the_same_tick_from_another_beat_is_no_overlap(exclusive: Registry) -> None:
    dispatch.tick("Work", 0, NOON)
    assert dispatch.tick("Work", 0, NOON) is None
    assert [run.status for run in rows()] == [Status.QUEUED]


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.QUEUED, Status.RUNNING])
def test_every_unfinished_run_is_one_that_goes_on(exclusive: Registry, status: Status) -> None:
    dispatch.tick("Work", 0, NOON)
    ledger.rows().update(status=status)
    assert dispatch.tick("Work", 0, NOON + HOUR) is None


@pytest.mark.parametrize("status", [each for each in Status if each.final])
def test_after_a_finished_run_the_next_tick_runs(exclusive: Registry, status: Status) -> None:
    dispatch.tick("Work", 0, NOON)
    ledger.rows().update(status=status)
    assert dispatch.tick("Work", 0, NOON + HOUR) is not None


def test_other_triggers_and_those_that_allow_overlap_run_beside_it(exclusive: Registry) -> None:
    assert dispatch.tick("Work", 1, NOON)
    assert dispatch.tick("Work", 1, NOON + HOUR)
    assert dispatch.tick("Work", 0, NOON)


# -- made up for


def made_up_for(steps: Registry) -> list[str]:
    before = {run.id for run in rows()}
    with at(NOON + timedelta(minutes=40)):
        ticks.catch_up(steps.schedules)
    return [run.input["scheduledTime"] for run in rows() if run.id not in before]


def test_when_beat_starts_the_newest_missed_tick_runs_where_it_catches_up(
    hourly: Registry,
) -> None:
    with at(NOON - 5 * HOUR):
        for index in (0, 1):
            dispatch.tick("Work", index, NOON - 5 * HOUR)
    assert made_up_for(hourly) == [(NOON + timedelta(minutes=30)).isoformat()]
    assert made_up_for(hourly) == []


def test_a_new_schedule_has_missed_nothing(hourly: Registry) -> None:
    dispatch.tick("Work", 0, NOON - 5 * HOUR)
    assert made_up_for(hourly) == []


def test_a_schedule_that_was_run_by_hand_has_missed_nothing(hourly: Registry) -> None:
    with at(NOON + timedelta(minutes=40)):
        dispatch.tick("Work", 1, NOON + timedelta(minutes=40))
    assert made_up_for(hourly) == []


def test_a_schedule_with_new_times_has_missed_nothing(hourly: Registry) -> None:
    dispatch.tick("Work", 1, NOON - 5 * HOUR)
    ledger.rows().update(source="31 * * * *")
    assert made_up_for(hourly) == []


def test_without_the_database_beat_starts_and_looks_for_missed_ticks_once_it_is_back(
    hourly: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "known", ticks.Known())
    with at(NOON - 5 * HOUR):
        dispatch.tick("Work", 1, NOON - 5 * HOUR)
    with connection.execute_wrapper(Away()):
        assert not ticks.catch_up(hourly.schedules)
    assert not ticks.catch_up(hourly.schedules), "the table was looked into some moments ago"
    ticks.known.is_away = False
    with connection.execute_wrapper(Away()):
        assert not ticks.catch_up(hourly.schedules)
    assert made_up_for(hourly) == [(NOON + timedelta(minutes=30)).isoformat()]


def test_an_error_that_will_not_pass_keeps_no_beat_looking_for_missed_ticks(
    hourly: Registry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks.logger.parent, "propagate", True)
    monkeypatch.setattr(ticks, "known", ticks.Known())
    ticks.known.refresh()
    with connection.execute_wrapper(Away(TypeError("a bug"))):
        assert ticks.catch_up(hourly.schedules)
    assert "Missed ticks could not be looked for" in caplog.text


# -- what beat knows of the overrides


@pytest.mark.parametrize("error", [OperationalError("shut down"), AttributeError("ping")], ids=repr)
def test_no_error_of_looking_for_overrides_reaches_beat_and_what_it_knew_counts(
    error: Exception, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks.logger.parent, "propagate", True)
    with installed(make_step(nothing, EACH_HOUR)):
        ledger.retime(("Work", 0), expression="@daily", zone="", by="me", reason="")
        known = ticks.Known()
        assert known.refresh()
        monkeypatch.setattr(known, "_read_at", -ticks.FRESH)
        with connection.execute_wrapper(Away(error)):
            assert not known.refresh()
        override = known.override("Work", 0)
    assert f"Overrides of schedules cannot be read now: {error}" in caplog.text
    assert override is not None and override.expression == "@daily"


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="nobody connects to SQLite in memory")
def test_a_database_that_cannot_be_connected_to_is_away_and_no_more(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(ticks.logger.parent, "propagate", True)
    known = ticks.Known()
    connection.close()
    with monkeypatch.context() as away:
        away.setattr(connection, "connect", refused)
        known.refresh()
    assert "Overrides of schedules cannot be read now: connection refused" in caplog.text
    assert known.is_away
    monkeypatch.setattr(known, "_read_at", -ticks.FRESH)
    known.refresh()
    assert not known.is_away
