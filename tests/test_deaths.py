"""What follows from a death by its Step's `onDead`: with it or not at all, whoever finds it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import Group
from django.db import IntegrityError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import (
    Dead,
    adiscard,
    discard,
    dispatch,
    enqueue,
    invoke,
    models,
    operations,
    runner,
    signals,
    state,
    streams,
)
from motia_django.celery_app import project_app
from motia_django.exceptions import InvalidRunId
from motia_django.runs import Outcome, Run, Status
from motia_django.steps import Step
from motia_django.upkeep import upkeep
from tests.factories import (
    deliver,
    installed,
    kept_run,
    let_time_pass,
    listening,
    make_run,
    make_step,
    make_stream,
    nothing,
    published,
    row,
    rows,
    work_off,
)
from tests.ledger.taking import begin
from tests.web.serving import http, post, serving

pytestmark = pytest.mark.django_db

ONCE = {"maxRetries": 0}
DIED = {"type": "queue", "topic": "payment.died"}


def refused(input: Any, ctx: Any) -> None:
    raise Dead("the card is refused")


def charging(handler: Callable[..., Any] = refused, *triggers: Any, **config: Any) -> Step:
    """Return a Step whose failures are heard; by default all of its runs fail for good."""
    return make_step(handler, *triggers, **{"name": "Charge", "onDead": "payment.died", **config})


def giving_back(**config: Any) -> Step:
    return make_step(nothing, DIED, **{"name": "GiveBack", **config})


def followed() -> list[models.Run]:
    return rows(step="GiveBack")


def attempted(**values: Any) -> Run:
    """Return a run whose attempt goes on."""
    run = begin(kept_run(**values).id)
    assert run is not None
    return run


def died() -> Outcome:
    now = timezone.now()
    return Outcome(status=Status.DEAD, error=Dead("no"), started_at=now, finished_at=now)


def failing_at(words: str, error: Exception) -> Any:
    """Have the first statement with these words fail for the block."""
    left = [error]

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if words in sql and left:
            raise left.pop()
        return execute(sql, params, many, context)

    return connection.execute_wrapper(fail)


# -- what is sent


@pytest.mark.parametrize("key", ["onDead", "on_dead"])
def test_a_message_follows_when_the_last_attempt_has_failed(key: str) -> None:
    step = make_step(
        lambda input: 1 / 0,
        {"type": "queue", "topic": "charge", "config": {"maxRetries": 1}},
        name="Charge",
        **{key: "payment.died"},
    )
    with installed(step, giving_back()):
        [run_id] = enqueue("charge", {"order": "17", "lines": [1, 2]})
        deliver([run_id])
        assert followed() == []
        let_time_pass(run_id)
        deliver([run_id])
    dead = row(run_id)
    [child] = followed()
    assert child.input == {
        "runId": run_id,
        "traceId": dead.trace_id,
        "step": "Charge",
        "trigger": "queue",
        "source": "charge",
        "input": {"order": "17", "lines": [1, 2]},
        "attempt": 2,
        "error": "ZeroDivisionError: division by zero",
    }
    assert (child.parent_id, child.trace_id, child.depth) == (dead.id, dead.trace_id, 1)
    assert (child.trigger, child.source, child.status) == ("queue", "payment.died", "queued")
    [noted] = [entry for entry in dead.timeline if entry["kind"] == "enqueue"]
    assert (noted["topic"], noted["steps"]) == ("payment.died", ["GiveBack"])


def starts() -> dict[str, tuple[dict[str, Any], Callable[[], object]]]:
    """Return, by kind, triggers in the background with what starts them."""
    due = datetime(2026, 11, 29, 3, tzinfo=UTC)
    return {
        "cron": (
            {"type": "cron", "schedule": "0 3 * * *"},
            lambda: dispatch.tick("Charge", 0, due),
        ),
        "state": (
            {"type": "state", "groupId": "orders"},
            lambda: state.set("orders", "17", {"paid": False}),
        ),
        "stream": (
            {"type": "stream", "streamName": "orders"},
            lambda: streams.orders.set("all", "17", {"paid": False}),
        ),
    }


@pytest.mark.parametrize("kind", ["cron", "state", "stream"])
def test_whatever_started_it(kind: str) -> None:
    trigger, start = starts()[kind]
    with installed(charging(refused, trigger), giving_back(), streams=[make_stream()]):
        start()
        work_off()
    [dead], [child] = rows(step="Charge"), followed()
    assert (child.input["trigger"], child.input["source"]) == (kind, dead.source)
    assert child.input["input"] == dead.input
    assert child.input["error"] == "Dead: the card is refused"


def test_who_is_answered_learns_it_himself() -> None:
    step = charging(refused, http("POST", "/charge"), {"type": "queue", "topic": "charge"})
    with serving(step, giving_back()) as client:
        assert post(client, {}, "/charge").status_code == 500
        with pytest.raises(Dead):
            invoke("Charge", {})
        assert len(rows(status=Status.DEAD)) == 2
    assert followed() == []


# -- whoever finds the death


def test_an_input_that_is_refused() -> None:
    trigger = {"type": "queue", "topic": "charge", "input": {"type": "object"}}
    with installed(charging(nothing, trigger), giving_back()):
        enqueue("charge", "seventeen")
        work_off()
    [child] = followed()
    assert child.input["input"] == "seventeen"
    assert "InvalidInput" in child.input["error"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("retries", [0, 1])
def test_a_worker_that_is_lost_in_the_last_attempt(retries: int) -> None:
    step = charging(nothing, {**DIED, "topic": "work", "config": {"maxRetries": retries}})
    with installed(step, giving_back()):
        run = attempted(step="Charge", input={"order": 17})
        with published() as sent:
            let_time_pass(run)
    if retries:
        assert (row(run).status, followed()) == (Status.SCHEDULED, [])
        return
    [child] = followed()
    assert child.input["error"] == "WorkerLost: the worker went silent during attempt 1"
    assert child.input["input"] == {"order": 17}
    assert sent == [str(child.id)]


def test_a_limit_of_time() -> None:
    def handler(input: Any) -> None:
        raise SoftTimeLimitExceeded

    with installed(charging(handler, {**DIED, "topic": "charge", "config": ONCE}), giving_back()):
        enqueue("charge")
        work_off()
    [child] = followed()
    assert child.input["error"].startswith("TimedOut")


@pytest.mark.parametrize("retries", [0, 1])
def test_a_light_run(retries: int) -> None:
    """In its first attempt it is in no table; afterwards it is like any other."""
    trigger = {**DIED, "topic": "charge", "config": {"maxRetries": retries}}
    step = charging(lambda input: 1 / 0, trigger, record="failures")
    with installed(step, giving_back(record="failures")) as steps:
        run = make_run(step="Charge", source="charge", input=[1], light=True)
        task = project_app().tasks["motia.Charge"]
        for _ in range(2):  # the second delivery changes nothing
            task.apply(args=(str(run.id), run.to_message()), throw=True)
        assert len(followed()) == 1 - retries
        if retries:
            let_time_pass(run)
            deliver([str(run.id)])
        assert len(steps) == 2
    [child] = followed()
    assert (child.parent_id, child.input["input"]) == (run.id, [1])


def test_an_atomic_step_whose_own_work_is_undone() -> None:
    def handler(input: Any, ctx: Any) -> None:
        Group.objects.create(name="undone")
        ctx.enqueue("payment.died", "undone, too")
        raise Dead("no")

    with installed(charging(handler, atomic=True, enqueues=["payment.died"]), giving_back()):
        enqueue("work")
        work_off()
    [child] = followed()
    assert child.input["error"] == "Dead: no"
    assert not Group.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_order_that_is_kept_is_handed_on_as_well() -> None:
    fifo = {"type": "queue", "topic": "work", "config": {"type": "fifo", **ONCE}}
    with installed(charging(refused, fifo), giving_back()):
        first, second = enqueue([{"topic": "work", "messageGroupId": "a"}] * 2)
        with published() as sent:
            deliver([first])
    [child] = followed()
    assert sorted(sent) == sorted([second, str(child.id)])


# -- with it, or not at all


@pytest.mark.django_db(transaction=True)
def test_it_is_published_after_the_commit_and_found_by_upkeep_if_it_was_not() -> None:
    with installed(charging(), giving_back()):
        [run_id] = enqueue("work")
        with published() as sent:
            deliver([run_id])
        [child] = followed()
        assert sent == [str(child.id)]
        with published() as sent:
            let_time_pass(child.id)
        assert sent == [str(child.id)]
        deliver(sent)
    assert row(child.id).status == Status.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_if_it_cannot_be_kept_the_run_is_not_dead_either() -> None:
    with installed(charging(), giving_back()):
        run = attempted(step="Charge")
        away = OperationalError("the database goes away")
        with failing_at("INSERT INTO", away), pytest.raises(OperationalError):
            runner.conclude(run, died())
        assert (row(run).status, followed()) == (Status.RUNNING, [])
        let_time_pass(run)
        assert row(run).status == Status.SCHEDULED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "error", [OperationalError("a deadlock"), SoftTimeLimitExceeded()], ids=repr
)
def test_what_comes_between_makes_it_neither_lost_nor_double(error: Exception) -> None:
    with installed(charging(), giving_back()):
        [run_id] = enqueue("work")
        with failing_at("INSERT INTO", error):
            deliver([run_id])
        assert (row(run_id).status, len(followed())) == (Status.DEAD, 1)


def test_a_message_that_cannot_be_written_keeps_no_run_from_being_dead(caplog: Any) -> None:
    """Else upkeep would find it again and again."""
    logging.getLogger("motia").propagate = True
    deep: Any = 1
    for _ in range(254):
        deep = [deep]
    with installed(charging(), giving_back()):
        [run_id] = enqueue("work", deep)
        deliver([run_id])
        assert row(run_id).status == Status.DEAD
        [other] = enqueue("work")
        with failing_at("INSERT INTO", IntegrityError("refused")):
            deliver([other])
        assert row(other).status == Status.DEAD
    assert followed() == []
    told = {each.getMessage() for each in caplog.records}
    text = "of Charge is dead, and its message to 'payment.died' could not be kept"
    assert {f"Run {each} {text}" for each in (run_id, other)} <= told


@pytest.mark.django_db(transaction=True)
def test_observers_that_raise_change_nothing() -> None:
    def broken(sender: str, **kwargs: Any) -> None:
        told.append(sender)
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_thing")

    told: list[str] = []
    with installed(charging(), giving_back()), ExitStack() as stack:
        [run_id] = enqueue("work")
        for each in (signals.run_finished, signals.run_died, signals.message_enqueued):
            stack.enter_context(listening(each, broken))
        deliver([run_id])
    assert told == ["Charge", "payment.died", "Charge"]
    assert (row(run_id).status, len(followed())) == (Status.DEAD, 1)


def test_whoever_has_lost_the_lease_sends_nothing() -> None:
    with installed(charging(), giving_back()):
        run = attempted(step="Charge")
        models.Run.objects.filter(id=run.id).update(fence=run.fence + 1)
        told: list[str] = []
        with listening(signals.message_enqueued, lambda sender, **_: told.append(sender)):
            assert runner.conclude(run, died()) is None
    assert (followed(), told) == ([], [])


# -- once for each death


def test_a_run_that_is_redriven_and_dies_again_sends_again() -> None:
    with installed(charging(), giving_back()):
        [run_id] = enqueue("work", 1)
        work_off()
        operations.redrive(UUID(run_id), by="ada")
        work_off()
        assert [each.parent_id for each in followed()] == [UUID(run_id)] * 2
        operations.discard(UUID(run_id), by="ada")
        [waits] = enqueue("work", 2)
        operations.cancel(UUID(waits), by="ada")
        work_off()
        upkeep()
    assert len(followed()) == 2


def test_a_cycle_ends_as_other_loops_do(settings: Any) -> None:
    settings.MOTIA = {"MAX_DEPTH": 3}
    with installed(charging(refused, {"type": "queue", "topic": "payment.died"})):
        enqueue("payment.died", {"order": 17})
        work_off()
    assert [each.depth for each in rows()] == [0, 1, 2, 3, 5, 6, 7, 8]
    assert {each.status for each in rows()} == {Status.DEAD}
    assert "TooDeep" in rows()[-1].error


def test_a_birth_that_is_dead_by_its_depth_is_a_death_like_any(settings: Any) -> None:
    settings.MOTIA = {"MAX_DEPTH": 2}
    told: list[str] = []

    def again(input: Any, ctx: Any) -> None:
        ctx.enqueue("work", input + 1)

    with installed(charging(again, enqueues=["work"]), giving_back()):
        with listening(signals.message_enqueued, lambda sender, **_: told.append(sender)):
            enqueue("work", 0)
            work_off()
    [dead], [child] = rows(status=Status.DEAD), followed()
    assert (child.parent_id, child.trace_id, child.status) == (
        dead.id,
        dead.trace_id,
        Status.SUCCEEDED,
    )
    assert (child.input["input"], child.input["runId"]) == (3, str(dead.id))
    assert child.input["error"].startswith("TooDeep: 'Charge' by 'work' would be one more")
    assert dead.timeline[0]["steps"] == ["GiveBack"]
    assert told == ["work"] * 4 + ["payment.died"]


def test_what_follows_from_such_a_death_has_a_bound_of_its_own(settings: Any) -> None:
    """So what compensates gets through, and a loop that it closes ends all the same."""
    settings.MOTIA = {"MAX_DEPTH": 3}

    def again(input: Any, ctx: Any) -> None:
        ctx.enqueue("work")

    begin_again = make_step(
        again, {"type": "queue", "topic": "payment.died"}, name="Begin", enqueues=["work"]
    )
    with installed(charging(again, enqueues=["work"]), begin_again):
        enqueue("work")
        work_off()
    assert [each.depth for each in rows(step="Charge")] == [0, 1, 2, 3, 4, 6, 7, 8]
    assert [each.depth for each in rows(step="Charge", status=Status.DEAD)] == [4, 8]
    assert [each.depth for each in rows(step="Begin")] == [5]


def test_the_message_of_a_death_at_the_bound_is_born_all_the_same(settings: Any) -> None:
    settings.MOTIA = {"MAX_DEPTH": 1}

    def begin(input: Any, ctx: Any) -> None:
        ctx.enqueue("work")

    first = make_step(begin, {"type": "queue", "topic": "begin"}, name="First", enqueues=["work"])
    with installed(first, charging(), giving_back()):
        enqueue("begin")
        work_off()
    [child] = followed()
    assert (child.status, child.parent_id) == (Status.SUCCEEDED, rows(step="Charge")[0].id)


def test_who_does_not_ask_for_it_pays_no_statement() -> None:
    other = make_step(refused)
    with installed(other, charging(), giving_back()):
        run = attempted()
        with CaptureQueriesContext(connection) as asked:
            runner.conclude(run, died())
    assert len(asked) == 1


@pytest.mark.django_db(transaction=True)
def test_where_celery_is_eager_it_follows_at_once(settings: Any) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = True
    trigger = {"type": "queue", "topic": "work", "config": ONCE}
    with installed(charging(refused, trigger), giving_back()):
        enqueue("work")
    [child] = followed()
    assert (child.status, child.depth) == (Status.SUCCEEDED, 1)


def test_the_step_behind_it_may_lay_the_dead_run_aside() -> None:
    def handler(death: Any, ctx: Any) -> None:
        assert discard(death["runId"], "given back")
        assert not discard(death["runId"])

    giver = make_step(handler, DIED, name="GiveBack", atomic=True)
    with installed(charging(), giver):
        [charged] = enqueue("work")
        work_off()
    [given] = followed()
    found = row(charged)
    assert (found.status, given.status) == (Status.CANCELLED, Status.SUCCEEDED)
    told = found.timeline[-1]
    assert (told["kind"], told["reason"]) == ("discarded", "given back")
    assert told["by"] == f"GiveBack, run {given.id}"


def test_what_is_laid_aside_is_dead_as_before_if_the_handler_fails() -> None:
    def handler(death: Any) -> None:
        discard(death["runId"])
        raise Dead("the stock is gone")

    with installed(charging(), make_step(handler, DIED, name="GiveBack", atomic=True)):
        [charged] = enqueue("work")
        work_off()
    assert row(charged).status == Status.DEAD


async def laying_aside(death: Any) -> None:
    assert await adiscard(death["runId"])


def test_async_code_lays_aside_too_and_nothing_else_than_what_is_dead() -> None:
    with installed(charging(), make_step(laying_aside, DIED, name="GiveBack")):
        [charged] = enqueue("work")
        work_off()
    assert row(charged).status == Status.CANCELLED
    waits = kept_run()
    assert not discard(waits.id)
    assert not discard(str(UUID(int=7)))
    assert row(waits.id).status == Status.QUEUED
    for wrong in ("order 17", 17, None):
        with pytest.raises(InvalidRunId, match="discard: expected a run's id"):
            discard(wrong)  # type: ignore[arg-type]
