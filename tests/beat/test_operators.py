"""What operators say of single schedules, obeyed wherever a tick is born and by beat itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
import time_machine
from celery.beat import PersistentScheduler
from django.apps import apps
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from motia_django import beat, dispatch, ledger, models, schedule, starts, tasks, ticks
from motia_django.beat import operators
from motia_django.celery_app import project_app
from motia_django.exceptions import CannotIntervene
from motia_django.registry import Listener, Registry
from motia_django.timeline import in_words
from tests.factories import installed, make_step, nothing, rows

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOURLY = {"type": "cron", "schedule": "0 * * * *", "catchUp": True}
needs_rows = pytest.mark.skipif(
    not apps.is_installed("django_celery_beat"), reason="django-celery-beat is not installed"
)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know nothing of other tests' overrides."""
    monkeypatch.setattr(ticks, "known", ticks.Known())


@pytest.fixture
def hourly() -> Iterator[Listener]:
    """The schedule of a Step that is due each hour."""
    app = project_app()
    before = app.conf.beat_schedule
    app.conf.beat_schedule = {}
    with installed(make_step(nothing, HOURLY)) as steps:
        schedule.join_beat(app, steps)
        yield operators.schedule("Work", 0)
    app.conf.beat_schedule = before


def at(moment: datetime) -> Any:
    return time_machine.travel(moment, tick=False)


def born() -> list[str]:
    """Return the due times of the runs there are."""
    return [run.input["scheduledTime"][11:19] for run in rows()]


def worker_gets(due: datetime | None) -> None:
    """Do what a worker does with a message of beat."""
    tasks.tick(project_app().tasks[tasks.TICK], "Work", 0, due.isoformat() if due else None)


# -- pausing, at the place where ticks are born


def test_while_it_is_paused_no_tick_is_born_by_beat_or_by_a_message(hourly: Listener) -> None:
    with at(NOON - MINUTE):
        assert operators.pause(hourly, by="me", reason="moving")
        assert not operators.pause(hourly, by="you")
    with at(NOON):
        ticks.bear("Work", 0)
        worker_gets(NOON)
        worker_gets(None)
    assert born() == []


def test_of_two_who_pause_a_schedule_at_once_one_does(hourly: Listener) -> None:
    told: Any = {"reason": "", "in_row": False}
    assert ledger.pause_schedule(("Work", 0), by="me" * 200, **told)
    assert not ledger.pause_schedule(("Work", 0), by="you", **told)
    assert models.Override.objects.get().paused_by == ("me" * 200)[:255]
    assert ledger.resume_schedule(("Work", 0))
    assert not ledger.resume_schedule(("Work", 0))
    assert ledger.pause_schedule(("Work", 0), by="you", **told)


def test_a_pause_is_noted_with_the_place_that_its_schedule_has_by_then(hourly: Listener) -> None:
    told: Any = {"by": "me", "reason": "", "in_row": False}
    ledger.pause_schedule(("Work", 0), **told)
    ledger.resume_schedule(("Work", 0))
    with installed(make_step(nothing, {"type": "queue", "topic": "work"}, HOURLY)):
        assert ledger.pause_schedule(("Work", 1), **told)
    assert models.Override.objects.get().index == 1


def test_what_came_due_during_a_pause_is_not_made_up_for(hourly: Listener) -> None:
    with at(NOON - HOUR):
        ticks.bear("Work", 0)
    with at(NOON - MINUTE):
        operators.pause(hourly, by="me")
    with at(NOON + MINUTE):
        assert operators.resume(hourly, by="me")
        assert not operators.resume(hourly, by="me")
        worker_gets(NOON)
        ticks.catch_up([hourly])
        assert born() == ["11:00:00"]
    with at(NOON + HOUR):
        ticks.bear("Work", 0)
    assert born() == ["11:00:00", "13:00:00"]


def test_a_tick_that_came_due_before_the_pause_is_still_born(hourly: Listener) -> None:
    with at(NOON + MINUTE):
        operators.pause(hourly, by="me")
        worker_gets(NOON)
    assert born() == ["12:00:00"]


def test_a_paused_schedule_runs_if_somebody_asks(hourly: Listener) -> None:
    with at(NOON):
        operators.pause(hourly, by="me")
        assert starts.tick_now("Work", 0, by="me")
    assert born() == ["12:00:00"]


def test_other_triggers_and_the_step_itself_go_on(hourly: Listener) -> None:
    two = make_step(nothing, HOURLY, {"type": "cron", "schedule": "*/30 * * * *"})
    with installed(two), at(NOON):
        operators.pause(operators.schedule("Work", 0), by="me")
        ticks.tick("Work", 0, NOON)
        ticks.tick("Work", 1, NOON)
    assert [run.index for run in rows()] == [1]


# -- overriding


def test_of_two_who_override_what_they_have_seen_one_does(hourly: Listener) -> None:
    seen = ledger.timing_seen(ledger.override_of("Work", 0))
    assert seen == ""
    with at(NOON):
        assert operators.retime(hourly, "@daily", "", by="me", seen=seen)
        assert operators.retime(hourly, "@weekly", "", by="you", seen=seen) is None
        assert not operators.restore(hourly, by="you", seen=seen)
    override = ledger.override_of("Work", 0)
    assert override
    assert (override.timed_by, override.expression) == ("me", "@daily")


@needs_rows
def test_a_pause_in_celery_beats_row_is_another_than_ours(hourly: Listener) -> None:
    from motia_django.beat import rows as beat_rows

    beat_rows.reconcile(Registry([hourly.step]))
    operators.pause(hourly, by="me")
    ours = ledger.pause_seen(ledger.override_of("Work", 0))
    operators.resume(hourly, by="me")
    beat_rows.set_enabled(schedule.entry_name(hourly), False)
    assert not operators.resume(hourly, by="me", seen=ours)
    assert not operators.row_states()[schedule.entry_name(hourly)]
    assert operators.resume(hourly, by="me", seen="")
    assert operators.row_states()[schedule.entry_name(hourly)]


def test_an_override_counts_where_ticks_are_born(hourly: Listener) -> None:
    with at(NOON - MINUTE):
        timing = operators.retime(hourly, "*/15 * * * *", "Asia/Kathmandu", by="me", reason="more")
    assert str(timing) == "*/15 * * * * in Asia/Kathmandu"
    for due in (NOON - HOUR, NOON, NOON + 10 * MINUTE, NOON + 15 * MINUTE):
        ticks.tick("Work", 0, due)
    assert born() == ["12:00:00", "12:15:00"]
    override = ledger.override_of("Work", 0)
    assert override is not None
    assert (override.declared, override.timed_by) == ("0 * * * *", "me")


def test_the_timeline_of_a_run_says_by_which_override_it_was_due(hourly: Listener) -> None:
    with at(NOON - MINUTE):
        operators.retime(hourly, "*/15 * * * *", "", by="ada (admin)")
        dispatch.tick("Work", 0, NOON - HOUR)
    ticks.tick("Work", 0, NOON)
    by_file, overridden = rows()
    assert by_file.timeline == []
    assert overridden.source == "0 * * * *", "it names the trigger"
    assert [in_words(each) for each in overridden.timeline] == [
        "note: due by `*/15 * * * *` (UTC), which ada (admin) put in the place of the file's"
        " schedule"
    ]
    operators.restore(hourly, by="ada (admin)")
    with at(datetime.now(UTC) + 2 * HOUR):
        due = ticks.newest("Work", 0)
        assert due is not None
        ticks.tick("Work", 0, due)
    assert rows()[-1].timeline == []


def test_a_skipped_run_says_by_which_override_it_was_due_too(hourly: Listener) -> None:
    ledger.pause("Work", by="me", reason="")
    with at(NOON - MINUTE):
        operators.retime(hourly, "*/15 * * * *", "Asia/Kathmandu", by="ada")
    ticks.tick("Work", 0, NOON)
    [skipped] = rows()
    assert [each["message"] for each in skipped.timeline] == [
        "due by `*/15 * * * *` (Asia/Kathmandu), which ada put in the place of the file's schedule",
        "skipped, since its Step is paused",
    ]


def test_an_override_costs_no_tick_a_query(hourly: Listener) -> None:
    with at(NOON - MINUTE):
        operators.pause(hourly, by="me")
        operators.resume(hourly, by="me")
    with CaptureQueriesContext(connection) as before:
        ticks.tick("Work", 0, NOON)
    with at(NOON - MINUTE):
        operators.retime(hourly, "@hourly", "", by="me")
    with CaptureQueriesContext(connection) as after:
        ticks.tick("Work", 0, NOON + HOUR)
    assert len(rows()) == 2
    assert len(after) == len(before)


def test_dropping_it_leaves_the_word_to_the_file_again(hourly: Listener) -> None:
    assert not operators.restore(hourly, by="me")
    with at(NOON - MINUTE):
        operators.retime(hourly, "*/15 * * * *", "", by="me")
        assert operators.restore(hourly, by="me")
    for due in (NOON - HOUR, NOON, NOON + 15 * MINUTE):
        assert ticks.in_force(
            operators.declared(hourly), ledger.override_of("Work", 0)
        ) == operators.declared(hourly)
        ticks.tick("Work", 0, due)
    assert "12:00:00" in born()
    assert "11:00:00" not in born(), "it came due while the override counted"


@pytest.mark.parametrize(
    ("expression", "zone"), [("soon", ""), ("", ""), ("* " * 300, ""), ("@daily", "Nowhere/At")]
)
def test_what_is_no_time_is_refused(hourly: Listener, expression: str, zone: str) -> None:
    with pytest.raises(CannotIntervene):
        operators.retime(hourly, expression, zone, by="me")
    assert not models.Override.objects.exists()


def test_an_override_that_cannot_be_read_leaves_the_word_to_the_file(hourly: Listener) -> None:
    key = operators.key_of(hourly)
    ledger.retime(key, expression="no", zone="Nowhere", by="", reason="")
    override = ledger.override_of(*key)
    declared = operators.declared(hourly)
    assert ticks.in_force(declared, override) == declared


# -- what becomes of it when the file changes

A, B = HOURLY, {"type": "cron", "schedule": "30 * * * *"}
ABROAD = {**A, "timezone": "Europe/Berlin"}


def resting(*triggers: dict[str, Any]) -> list[int]:
    """Return the indexes of the schedules that rest, if the Step has these triggers."""
    with installed(make_step(nothing, *triggers)) as steps:
        found, states = ledger.overrides(), operators.row_states()
        return [
            each.index
            for each in steps.schedules
            if operators.is_paused(each, found.get(operators.key_of(each)), states)
        ]


@pytest.mark.parametrize(
    ("triggers", "indexes"),
    [
        ([A], [0]),
        ([B, A], [1]),
        ([{"type": "queue", "topic": "t"}, A], [1]),
        ([{**A, "schedule": "0  * * * *", "overlap": "skip"}, B], [0]),
        ([A, A], [0]),  # the index says which
        ([B], []),
        ([B, ABROAD], []),
        ([B, A, A], []),  # nothing says which
        ([{"type": "queue", "topic": "t"}], []),
    ],
)
def test_a_pause_is_of_the_trigger_that_declares_the_same_wherever_it_stands(
    hourly: Listener, triggers: list[dict[str, Any]], indexes: list[int]
) -> None:
    operators.pause(hourly, by="me")
    assert resting(*triggers) == indexes
    assert resting(A) == [0], "it comes back with its trigger"


def test_no_tick_of_it_is_born_where_it_stands_now_and_others_are(hourly: Listener) -> None:
    with at(NOON - HOUR):
        operators.pause(hourly, by="me")
    with installed(make_step(nothing, B, A)), at(NOON):
        ticks.tick("Work", 0, NOON - 30 * MINUTE)
        ticks.tick("Work", 1, NOON)
        assert operators.resume(operators.schedule("Work", 1), by="me")
    assert [(run.index, run.source) for run in rows()] == [(0, "30 * * * *")]


def test_both_of_two_that_declare_the_same_stay_paused_wherever_they_stand() -> None:
    with installed(make_step(nothing, A, A)):
        for index in (0, 1):
            operators.pause(operators.schedule("Work", index), by="me")
    assert resting(B, A, A) == [1, 2]
    assert resting(B, A) == [1]


def test_two_that_change_places_take_with_them_what_was_said_of_each() -> None:
    with installed(make_step(nothing, A, B)):
        operators.pause(operators.schedule("Work", 0), by="me")
        operators.retime(operators.schedule("Work", 1), "@daily", "", by="me")
    assert resting(B, A) == [1]
    with installed(make_step(nothing, B, A)):
        assert {at: each.expression for at, each in ledger.overrides().items()} == {
            ("Work", 0): "@daily",
            ("Work", 1): "",
        }


def test_the_trigger_that_came_in_its_place_has_a_pause_of_its_own(hourly: Listener) -> None:
    operators.pause(hourly, by="me")
    with installed(make_step(nothing, B, A)):
        first, second = (operators.schedule("Work", index) for index in (0, 1))
        assert operators.pause(first, by="you")
        assert not operators.pause(second, by="you")
        assert operators.resume(second, by="you")
        assert operators.pause(second, by="you")
    assert resting(B, A) == [0, 1]
    assert resting(A) == [0]
    assert models.Override.objects.count() == 2


def test_an_override_counts_no_more_where_the_file_says_something_else(hourly: Listener) -> None:
    operators.retime(hourly, "@daily", "", by="me")
    with installed(make_step(nothing, B)):
        assert ledger.override_of("Work", 0) is None
        ticks.known.refresh()
        assert ticks.known.override("Work", 0) is None
        [lapsed] = ledger.lapsed()
    assert (lapsed.declared, lapsed.expression) == ("0 * * * *", "@daily")
    assert ledger.lapsed() == []
    assert ledger.forget_lapsed(lapsed.pk) is None, "its trigger is back"
    with installed():
        assert operators.remove_lapsed(lapsed.pk, by="me")
        assert operators.remove_lapsed(lapsed.pk, by="me") is None
    assert not models.Override.objects.exists()


def test_what_ended_is_not_told_of_as_lapsed(hourly: Listener) -> None:
    operators.pause(hourly, by="me")
    operators.resume(hourly, by="me")
    operators.retime(hourly, "@daily", "", by="me")
    operators.restore(hourly, by="me")
    with installed(make_step(nothing, B)):
        assert ledger.lapsed() == []


# -- what beat does


@pytest.fixture
def scheduler(hourly: Listener, tmp_path: Any) -> Iterator[PersistentScheduler]:
    """Celery's own scheduler, as beat starts it at noon."""
    with at(NOON + MINUTE):
        file = str(tmp_path / "schedule")
        service: Any = project_app().Beat.Service(app=project_app(), schedule_filename=file)
        found: Any = service.get_scheduler()
    yield found
    found.close()


def rounds(scheduler: PersistentScheduler, moment: datetime) -> float:
    """Let beat go round at a moment until it would sleep; return for how long."""
    with at(moment):
        while (seconds := scheduler.tick()) <= 0:
            continue
    return seconds


def test_beat_ticks_at_the_overrides_pace_and_goes_back_to_the_files(
    scheduler: PersistentScheduler, hourly: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "FRESH", 1e-6)
    rounds(scheduler, NOON + MINUTE)
    with at(NOON + 2 * MINUTE):
        operators.retime(hourly, "*/10 * * * *", "", by="me")
    rounds(scheduler, NOON + 2 * MINUTE)
    for minutes in (10, 11, 20, 30):
        rounds(scheduler, NOON + minutes * MINUTE)
    assert born() == ["12:10:00", "12:20:00", "12:30:00"]
    with at(NOON + 31 * MINUTE):
        operators.restore(hourly, by="me")
    for minutes in (31, 40, 50, 60):
        rounds(scheduler, NOON + minutes * MINUTE)
    assert born()[3:] == ["13:00:00"]


def test_beat_looks_for_overrides_every_few_seconds(
    scheduler: PersistentScheduler, hourly: Listener
) -> None:
    assert 0 < rounds(scheduler, NOON + MINUTE) <= ticks.FRESH


def test_without_the_database_beat_goes_on_by_what_it_knew(
    scheduler: PersistentScheduler, hourly: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "FRESH", 1e-6)
    with at(NOON + MINUTE):
        operators.retime(hourly, "*/10 * * * *", "", by="me")
    rounds(scheduler, NOON + 2 * MINUTE)

    def away(execute: Any, sql: str, *rest: Any) -> Any:
        raise OperationalError("the database system is shutting down")

    with connection.execute_wrapper(away):
        rounds(scheduler, NOON + 5 * MINUTE)
        assert ticks.known.override("Work", 0) is not None
    rounds(scheduler, NOON + 10 * MINUTE)
    assert born() == ["12:10:00"]


def test_beat_that_begins_without_the_database_makes_up_for_missed_ticks_later(
    scheduler: PersistentScheduler, hourly: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Service:
        pass

    def away(execute: Any, sql: str, *rest: Any) -> Any:
        raise OperationalError("the database system is shutting down")

    service: Any = Service()
    service.scheduler = scheduler
    monkeypatch.setattr(ticks, "FRESH", 1e-6)
    with at(NOON - 3 * HOUR):
        ticks.bear("Work", 0)
    with connection.execute_wrapper(away):
        with at(NOON + MINUTE):
            beat.catch_up(service)
        rounds(scheduler, NOON + 2 * MINUTE)
    assert born() == ["09:00:00"]
    rounds(scheduler, NOON + 3 * MINUTE)
    assert born() == ["09:00:00", "12:00:00"]


def test_a_worker_with_beat_inside_heeds_operators_too() -> None:
    class Worker:
        scheduler: Any = "celery.beat:PersistentScheduler"
        options: ClassVar = {"beat": True}

    class Odd(Worker):
        scheduler = "nowhere:Scheduler"

    class Beatless(Worker):
        scheduler = "celery.beat:PersistentScheduler"
        options: ClassVar = {"beat": False}

    for each in (Worker, Odd, Beatless):
        beat.join_worker(each)
    assert issubclass(Worker.scheduler, PersistentScheduler)
    assert Worker.scheduler is not PersistentScheduler
    assert Odd.scheduler == "nowhere:Scheduler"
    assert Beatless.scheduler == "celery.beat:PersistentScheduler"


# -- with django-celery-beat's rows


@pytest.fixture
def row(hourly: Listener) -> Any:
    """The row of the schedule."""
    from django_celery_beat.models import PeriodicTask

    from motia_django.beat import rows as beats_rows
    from motia_django.registry import registry

    beats_rows.reconcile(registry())
    return PeriodicTask.objects.get(name="motia:Work:0")


@needs_rows
def test_a_rows_enabled_is_the_truth_and_is_set_by_a_pause(hourly: Listener, row: Any) -> None:
    operators.pause(hourly, by="me", reason="why")
    row.refresh_from_db()
    assert not row.enabled
    operators.resume(hourly, by="me")
    row.refresh_from_db()
    assert row.enabled
    assert not operators.is_paused(hourly, ledger.override_of("Work", 0), operators.row_states())


@needs_rows
def test_enabling_the_row_by_hand_ends_the_pause(hourly: Listener, row: Any) -> None:
    with at(NOON - MINUTE):
        operators.pause(hourly, by="me")
    ticks.tick("Work", 0, NOON)
    assert born() == []
    row.refresh_from_db()
    row.enabled = True
    row.save()
    assert not operators.is_paused(hourly, ledger.override_of("Work", 0), operators.row_states())
    ticks.tick("Work", 0, NOON)
    assert born() == ["12:00:00"]
    assert operators.pause(hourly, by="me again")


@needs_rows
def test_a_pause_outlives_a_release_without_the_step(hourly: Listener, row: Any) -> None:
    with at(NOON - HOUR):
        operators.pause(hourly, by="me", reason="hold")
    from motia_django.beat import rows as beats_rows
    from motia_django.registry import registry

    beats_rows.reconcile(Registry([]))
    beats_rows.reconcile(registry())
    ticks.tick("Work", 0, NOON)
    assert born() == []


def enabled_after(*triggers: dict[str, Any]) -> dict[str, bool]:
    """Return which rows may run after beat has started with a Step of these triggers."""
    from motia_django.beat import rows as beats_rows

    with installed(make_step(nothing, *triggers)) as steps:
        beats_rows.reconcile(steps)
        found = beats_rows.enabled_by_name()
        beats_rows.reconcile(steps)
        assert beats_rows.enabled_by_name() == found
    return {name.removeprefix("motia:Work:"): enabled for name, enabled in found.items()}


@needs_rows
def test_a_pause_in_a_row_goes_to_the_row_of_its_triggers_new_index(
    hourly: Listener, row: Any
) -> None:
    operators.pause(hourly, by="me")
    assert resting(B, A) == [0, 1], "as long as beat has not started again"
    assert enabled_after(B, A) == {"0": True, "1": False}
    assert resting(B, A) == [1]
    assert enabled_after(A, B) == {"0": False, "1": True}
    assert enabled_after(B) == {"0": True}
    assert resting(A) == [0], "the table says so"
    assert enabled_after(A) == {"0": True}


@needs_rows
def test_two_pauses_in_rows_change_places() -> None:
    C = {"type": "cron", "schedule": "45 * * * *"}
    assert enabled_after(A, B, C) == {"0": True, "1": True, "2": True}
    with installed(make_step(nothing, A, B, C)):
        for index in (0, 1):
            operators.pause(operators.schedule("Work", index), by="me")
    assert enabled_after(B, C, A) == {"0": False, "1": True, "2": False}
    assert enabled_after(B, A, C) == {"0": False, "1": False, "2": True}


@needs_rows
def test_a_row_that_somebody_disabled_by_hand_stays_so(hourly: Listener, row: Any) -> None:
    row.enabled = False
    row.save()
    assert enabled_after(B, A) == {"0": False, "1": True}


@needs_rows
def test_a_pause_that_has_moved_ends_before_beat_has_seen_it(hourly: Listener, row: Any) -> None:
    operators.pause(hourly, by="me")
    with installed(make_step(nothing, B, A)):
        assert operators.resume(operators.schedule("Work", 1), by="me")
    assert enabled_after(B, A) == {"0": True, "1": True}


@needs_rows
def test_removing_a_lapsed_pause_frees_the_row_that_it_holds(hourly: Listener, row: Any) -> None:
    operators.pause(hourly, by="me")
    with installed(make_step(nothing, B)):
        [lapsed] = ledger.lapsed()
        operators.remove_lapsed(lapsed.pk, by="me")
    row.refresh_from_db()
    assert row.enabled


@needs_rows
def test_a_row_says_what_an_override_does(hourly: Listener, row: Any) -> None:
    operators.retime(hourly, "30 4 * * *", "Europe/Berlin", by="me")
    row.refresh_from_db()
    assert (row.crontab.minute, row.crontab.hour) == ("30", "4")
    assert "An operator says when" in row.description
    operators.restore(hourly, by="me")
    row.refresh_from_db()
    assert (row.crontab.minute, row.crontab.hour) == ("0", "*")
    assert "Its file says when" in row.description


def test_a_schedule_that_is_gone_is_no_schedule(hourly: Listener) -> None:
    with installed(make_step(nothing)) as steps, pytest.raises(CannotIntervene):
        assert isinstance(steps, Registry)
        operators.schedule("Work", 0)
