from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from celery import Celery
from celery.exceptions import WorkerLostError
from celery.signals import worker_init
from django.db import OperationalError, connection
from django.utils import timezone
from kombu.message import Message
from kombu.utils.imports import symbol_by_name

from motia_django import enqueue, leases, ledger, models, runner, tasks
from motia_django.celery_app import project_app
from motia_django.runs import Outcome, Run, Settlement, Status
from motia_django.upkeep import Upkeep, upkeep
from tests.factories import deliver, installed, let_time_pass, make_step, nothing, row, rows

pytestmark = pytest.mark.django_db
HOURLY = {"type": "cron", "schedule": "0 * * * *"}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def tick(index: int = 0, due: datetime | None = NOON) -> None:
    task = project_app().tasks[tasks.TICK]
    task.apply(args=("Work", index, due and due.isoformat()), throw=True)


def test_a_message_delivered_twice_runs_once() -> None:
    ran: list[int] = []
    with installed(make_step(ran.append)):
        [run_id] = enqueue("work", 1)
        deliver([run_id, run_id])
    assert ran == [1]
    assert row(run_id).attempt == 1


@pytest.mark.parametrize(("config", "queries"), [({}, 2), ({"concurrency": 9}, 14)])
def test_what_a_run_asks_the_database_is_counted(
    config: Any, queries: int, django_assert_num_queries: Any
) -> None:
    trigger = {"type": "queue", "topic": "work", "config": config}
    with installed(make_step(nothing, trigger)):
        [run_id] = enqueue("work", {"n": 1})
        task = project_app().tasks["motia.Work"]
        more = connection.vendor == "mysql" and not config
        with django_assert_num_queries(queries + more):
            task.apply(args=(run_id,), throw=True)
    assert row(run_id).status == Status.SUCCEEDED


def test_each_step_has_a_task_of_its_own_name() -> None:
    with installed(make_step(name="Create Invoice::v2")):
        assert "motia.Create Invoice::v2" in project_app().tasks


def test_a_step_may_be_named_as_the_task_of_ticks_is() -> None:
    with installed(make_step(name="tick")):
        assert tasks.TICK in project_app().tasks
        [run_id] = enqueue("work")
        project_app().tasks["motia.tick"].apply(args=(run_id,), throw=True)
        assert row(run_id).status == Status.SUCCEEDED


@pytest.mark.parametrize("record", ["all", "failures"])
def test_a_process_is_handed_what_its_worker_has_read_of_a_message(record: str) -> None:
    said, handed = [["1", {"input": [1]}], {}, {"chain": None}], []
    message = Message(
        headers={"id": "1", "task": "motia.Work"},
        body=json.dumps(said),
        content_type="application/json",
        content_encoding="utf-8",
    )
    pool = SimpleNamespace(apply_async=lambda trace, args, **options: handed.append(args))
    with installed(make_step(record=record)):
        app = project_app()
        task: Any = app.tasks["motia.Work"]
        request = symbol_by_name(task.Request)(message, app=app, task=task)
        request.execute_using_pool(pool)
    [(_, _, facts, body, *types)] = handed
    assert (body, types) == (said, [None, None])
    assert facts["args"] is body[0]


def test_a_tick_whose_process_was_killed_goes_back_to_the_broker() -> None:
    app, returned = project_app(), []
    task: Any = app.tasks[tasks.TICK]
    message = SimpleNamespace(
        headers={"task": task.name, "id": "1", "root_id": "1", "argsrepr": "", "kwargsrepr": ""},
        properties={},
        delivery_info={},
        payload=(("Work", 0), {}, {}),
        body="",
        content_type="application/json",
        content_encoding="utf-8",
    )
    request = symbol_by_name(task.Request)(
        message, app=app, task=task, on_reject=lambda *said: returned.append(said[-1])
    )
    request.worker_pid = 7
    try:
        raise WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL) Job: 7.")
    except WorkerLostError:
        request.on_failure(ExceptionInfo())
    assert returned == [True]


def test_a_tick_runs_its_step_with_the_due_time() -> None:
    seen: list[Any] = []
    with installed(make_step(lambda input, ctx: seen.append((input, ctx.trigger)), HOURLY)):
        tick()
        deliver([rows()[0].id])
    [(given, trigger)] = seen
    assert given is None
    assert (trigger.type, trigger.scheduled_time, trigger.expression) == ("cron", NOON, "0 * * * *")


def test_a_tick_that_two_beats_send_runs_once() -> None:
    with installed(make_step(nothing, HOURLY)):
        tick()
        tick()
        tick(due=NOON + timedelta(hours=1))
    assert len(rows()) == 2


def test_a_tick_of_a_paused_step_is_skipped_and_says_so() -> None:
    with installed(make_step(nothing, HOURLY)):
        ledger.pause("Work", by="ada")
        tick()
        tick()
    [run] = rows()
    assert run.status == Status.SKIPPED
    why = "skipped, since its Step is paused"
    assert run.timeline == [{"at": None, "kind": "note", "message": why}]


def test_a_tick_without_a_due_time_is_the_last_one_due() -> None:
    with installed(make_step(nothing, HOURLY)):
        tick(due=None)
        tick(due=None)
    [run] = rows()
    due = datetime.fromisoformat(run.input["scheduledTime"])
    assert due <= timezone.now() < due + timedelta(hours=1, seconds=5)


def test_a_lease_is_no_longer_than_the_limit_of_an_attempt() -> None:
    leases: list[float] = []

    def handler(input: Any, ctx: Any) -> None:
        wake_at = row(ctx.run_id).wake_at
        assert wake_at is not None
        leases.append((wake_at - timezone.now()).total_seconds())

    trigger = {"type": "queue", "topic": "work", "config": {"visibilityTimeout": 20}}
    with installed(make_step(handler, trigger)):
        deliver(enqueue("work"))
    assert 15 < leases[0] <= 20


def test_a_lost_worker_is_rescued_and_the_run_is_tried_again() -> None:
    with installed(make_step()):
        [run_id] = enqueue("work")
        ledger.claim(row(run_id).id, worker="doomed", lease=timedelta(seconds=60))
        let_time_pass(run_id)
        rescued = row(run_id)
        assert rescued.status == Status.SCHEDULED
        assert rescued.timeline[0]["kind"] == "worker_lost"
        let_time_pass(run_id)
        deliver([run_id])
    assert (row(run_id).status, row(run_id).attempt) == (Status.SUCCEEDED, 2)


def test_a_run_that_kills_every_worker_is_dead_in_the_end() -> None:
    trigger = {"type": "queue", "topic": "work", "config": {"maxRetries": 1, "backoffDelayMs": 0}}
    with installed(make_step(nothing, trigger)):
        [run_id] = enqueue("work")
        for _ in range(2):
            ledger.claim(row(run_id).id, worker="doomed", lease=timedelta(seconds=60))
            let_time_pass(run_id)
            let_time_pass(run_id)
    assert row(run_id).status == Status.DEAD


@pytest.mark.django_db(transaction=True)
def test_a_long_run_keeps_its_lease(settings: Any) -> None:
    settings.MOTIA = {"LEASE": 0.6}
    rescued: list[int] = []

    def handler(input: Any) -> None:
        for _ in range(4):
            time.sleep(0.4)
            rescued.append(len(ledger.take_lost(10)))

    with installed(make_step(handler)):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert rescued == [0, 0, 0, 0]
    assert row(run_id).status == Status.SUCCEEDED


def test_a_heartbeat_while_the_end_is_written_takes_no_lease_for_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    conclude = runner.conclude

    def beaten(run: Run, outcome: Outcome) -> Settlement | None:
        settlement = conclude(run, outcome)
        [held] = leases._keeper._held.values()
        leases._keeper._renew(held)
        return settlement

    monkeypatch.setattr(runner, "conclude", beaten)
    with installed(make_step()):
        deliver(enqueue("work"))
    assert caplog.records == []


@pytest.fixture
def lost_runs() -> Iterator[None]:
    with installed(make_step()):
        yield


def test_upkeep_looks_after_many_at_once(lost_runs: None) -> None:
    enqueue([{"topic": "work"} for _ in range(50)])
    models.Run.objects.update(wake_at=timezone.now())
    assert upkeep() == 50
    assert upkeep() == 0


@pytest.mark.django_db(transaction=True)
def test_a_short_lease_is_kept_beside_a_long_one() -> None:
    with installed(make_step()):
        first, second = (row(each) for each in enqueue([{"topic": "work"}, {"topic": "work"}]))
        long, short = timedelta(seconds=60), timedelta(seconds=0.6)
        slow = ledger.claim(first.id, worker="here", lease=long)
        quick = ledger.claim(second.id, worker="here", lease=short)
        assert slow is not None and quick is not None
        with leases.kept(slow, long), leases.kept(quick, short):
            time.sleep(1.5)
            assert ledger.take_lost(10) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="there is no connection to cut off")
def test_a_worker_whose_connection_was_cut_goes_on() -> None:
    ways = {
        "postgresql": "SELECT pg_terminate_backend(pg_backend_pid())",
        "mysql": "KILL CONNECTION_ID()",
    }

    def cut_off() -> None:
        with pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute(ways[connection.vendor])

    assert_it_goes_on_after(cut_off)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="of others it is an error as above")
def test_a_worker_whose_connection_leads_to_what_is_a_replica_now_makes_another() -> None:
    def fail_over() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")

    assert_it_goes_on_after(fail_over)


def assert_it_goes_on_after(failure: Callable[[], None]) -> None:
    """Let two runs be delivered while the connection fails before them, and within each."""
    ran: list[int] = []

    def handler(input: int) -> None:
        ran.append(input)
        failure()

    with installed(make_step(handler)):
        ids = enqueue([{"topic": "work", "data": 1}, {"topic": "work", "data": 2}])
        failure()
        deliver_without_looking(ids)
    assert ran == [1, 2]
    assert {run.status for run in rows()} == {"succeeded"}


def deliver_without_looking(run_ids: list[str]) -> None:
    for run_id in run_ids:
        project_app().tasks["motia.Work"].apply(args=(run_id,), throw=True)


def test_upkeep_joins_whichever_worker_is_set_up() -> None:
    class Worker:
        app = Celery("other", set_as_current=False)

    worker_init.send(sender=Worker())
    assert Upkeep in Worker.app.steps["worker"]
