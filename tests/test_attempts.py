"""One attempt at a run: what its handler asks for, atomic Steps, limits of time, fences."""

from __future__ import annotations

import asyncio
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import before_task_publish
from django.contrib.auth.models import Group
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.utils import timezone
from rest_framework import serializers

from motia_django import (
    Dead,
    LeaseLost,
    Retry,
    enqueue,
    invoke,
    leases,
    ledger,
    models,
    publish,
    runner,
    state,
)
from motia_django.runs import Status
from tests.factories import (
    deliver,
    heard,
    installed,
    kept_run,
    make_step,
    nothing,
    published,
    row,
    rows,
)
from tests.ledger.taking import begin

pytestmark = pytest.mark.django_db


def queue(**config: Any) -> dict[str, Any]:
    return {"type": "queue", "topic": "work", "config": config}


def failing_with(error: Exception) -> Any:
    def handler(data: Any) -> None:
        raise error

    return handler


@pytest.mark.parametrize("after", [90, timedelta(seconds=90)], ids=str)
def test_a_handler_says_when_it_is_to_be_tried_again(after: Any) -> None:
    with installed(make_step(failing_with(Retry("not yet", after=after)))):
        [run_id] = enqueue("work")
        deliver([run_id])
    kept = row(run_id)
    assert kept.status == Status.SCHEDULED and kept.wake_at is not None
    assert 85 < (kept.wake_at - timezone.now()).total_seconds() <= 90


def test_asking_for_another_try_counts_as_a_try() -> None:
    with installed(make_step(failing_with(Retry(after=1)), queue(maxRetries=0))):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.DEAD


def test_a_handler_says_that_no_try_can_help() -> None:
    with installed(make_step(failing_with(Dead("the customer is gone")))):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.DEAD
    assert "the customer is gone" in row(run_id).error


def test_what_a_handler_cannot_use_is_tried_again_and_what_the_schema_refuses_is_dead() -> None:
    def looks(input: Any, ctx: Any) -> None:
        ctx.state.get("orders", input)

    named = {"type": "string", "pattern": "^[^\0]*$"}
    for trigger, status in (
        (queue(), Status.SCHEDULED),
        ({**queue(), "input": named}, Status.DEAD),
    ):
        with installed(make_step(looks, trigger)):
            [run_id] = enqueue("work", "a\0b")
            deliver([run_id])
        assert row(run_id).status == status
        assert ("InvalidKey" in row(run_id).error) is (status is Status.SCHEDULED)


@pytest.mark.parametrize("error", [Retry("later", after=5), Retry(), Dead("why")], ids=repr)
def test_what_a_handler_asks_for_survives_pickling(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_the_timeline_has_the_traceback_of_each_attempt() -> None:
    with installed(make_step(failing_with(KeyError("orderId")), queue(backoffDelayMs=0))):
        [run_id] = enqueue("work")
        deliver([run_id])
        ledger.wake(row(run_id).id)
        deliver([run_id])
    errors = [entry for entry in row(run_id).timeline if entry["kind"] == "error"]
    assert [entry["attempt"] for entry in errors] == [1, 2]
    assert errors[0]["message"] == "KeyError: 'orderId'"
    assert "Traceback" in errors[0]["traceback"] and "handler" in errors[0]["traceback"]


def test_a_long_traceback_keeps_its_end() -> None:
    with installed(make_step(failing_with(ValueError("x" * 9000 + "THE END")))):
        [run_id] = enqueue("work")
        deliver([run_id])
    [error, _attempt] = row(run_id).timeline
    assert error["traceback"].rstrip().endswith("THE END")
    assert len(error["traceback"]) <= 4096


# -- atomic Steps


def test_an_atomic_step_that_fails_leaves_nothing_behind() -> None:
    def handler(data: Any, ctx: Any) -> None:
        Group.objects.create(name="half done")
        ctx.state.set("orders", "17", {"half": "done"})
        ctx.enqueue({"topic": "other"})
        raise RuntimeError("then it fails")

    other = make_step(nothing, {"type": "queue", "topic": "other"}, name="Other")
    with installed(make_step(handler, atomic=True, enqueues=["other"]), other):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SCHEDULED
    assert not Group.objects.exists()
    assert not models.StateItem.objects.exists()
    assert [each.step for each in rows()] == ["Work"]


def test_an_atomic_step_that_succeeds_leaves_all_of_it() -> None:
    async def handler(data: Any, ctx: Any) -> None:
        await Group.objects.acreate(name="done")
        await ctx.state.set("orders", "17", {"all": "done"})

    with installed(make_step(handler, atomic=True)):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SUCCEEDED
    assert Group.objects.count() == models.StateItem.objects.count() == 1


def test_an_atomic_step_that_lost_its_lease_leaves_nothing_behind() -> None:
    def handler(data: Any, ctx: Any) -> None:
        Group.objects.create(name="too late")
        models.Run.objects.filter(id=ctx.run_id).update(fence=7)

    with installed(make_step(handler, atomic=True)):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.RUNNING
    assert not Group.objects.exists()


def test_a_step_that_is_not_atomic_keeps_what_it_wrote_before_it_failed() -> None:
    def handler(data: Any) -> None:
        Group.objects.create(name="half done")
        raise RuntimeError("then it fails")

    with installed(make_step(handler)):
        deliver(enqueue("work"))
    assert Group.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_atomic_step_whose_commit_fails_is_tried_again(monkeypatch: Any) -> None:
    def fail_to_commit() -> None:
        raise IntegrityError("a deferred constraint")

    def handler(data: Any) -> None:
        Group.objects.create(name="not committed")
        connection = transaction.get_connection()
        monkeypatch.setattr(connection, "_commit", fail_to_commit)

    with installed(make_step(handler, atomic=True)):
        [run_id] = enqueue("work")
        deliver([run_id])
        monkeypatch.undo()
    assert row(run_id).status == Status.SCHEDULED
    assert "a deferred constraint" in row(run_id).error
    assert not Group.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_atomic_step_whose_transaction_cannot_be_opened_is_tried_again(
    monkeypatch: Any,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        monkeypatch.undo()
        raise OperationalError("the server has gone away")

    with installed(make_step(nothing, atomic=True)):
        [run_id] = enqueue("work")
        run = begin(run_id)
        assert run is not None
        monkeypatch.setattr(transaction.get_connection(), "set_autocommit", refuse)
        settlement = runner.attempt(run, partial(runner.conclude, run))
    assert settlement is not None
    assert row(run_id).status == Status.SCHEDULED
    assert "the server has gone away" in row(run_id).error


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="in-memory SQLite lets no two in")
def test_atomic_runs_that_a_deadlock_ends_begin_anew_and_spend_no_attempt() -> None:
    both_have_one, begun = Barrier(2), list[str]()

    def handler(keys: list[str]) -> None:
        begun.append(keys[0])
        for key in keys:
            state.update("g", key, [{"type": "increment", "path": "n"}])
            with suppress(BrokenBarrierError):
                both_have_one.wait(5 if begun.count(keys[0]) == 1 else 0)

    def work(run_id: str) -> None:
        try:
            deliver([run_id])
        finally:
            connections.close_all()

    with installed(make_step(handler, queue(maxRetries=0), atomic=True)):
        ids = [enqueue("work", keys)[0] for keys in (["a", "b"], ["b", "a"])]
        with ThreadPoolExecutor() as pool:
            list(pool.map(work, ids))
    assert len(begun) > 2
    assert {(each.status, each.attempt) for each in rows()} == {(Status.SUCCEEDED, 1)}
    assert state.get_many("g", ["a", "b"]) == {"a": {"n": 2}, "b": {"n": 2}}


def test_an_atomic_step_that_broke_its_transaction_has_failed() -> None:
    def handler(data: Any) -> None:
        transaction.set_rollback(True)
        try:
            Group.objects.count()
        except DatabaseError:
            pass

    with installed(make_step(handler, atomic=True)):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SCHEDULED


def test_an_atomic_step_that_is_invoked_and_fails_leaves_nothing_behind() -> None:
    def handler(data: Any) -> None:
        Group.objects.create(name="half done")
        raise RuntimeError("then it fails")

    with installed(make_step(handler, atomic=True)):
        with pytest.raises(RuntimeError):
            invoke("Work")
        assert not Group.objects.exists()
        assert rows()[0].status == Status.DEAD


def test_a_handler_is_told_when_its_message_was_sent_whichever_attempt_it_is() -> None:
    seen: list[Any] = []

    async def handler(data: Any, ctx: Any) -> None:
        seen.append((ctx.created_at, ctx.createdAt, ctx.attempt))
        raise Retry(after=0)

    with installed(make_step(handler)):
        [run_id] = enqueue("work")
        for _ in range(2):
            deliver([run_id])
            ledger.wake(row(run_id).id)
    born = row(run_id).created_at
    assert seen == [(born, born, 1), (born, born, 2)]
    assert born.tzinfo is not None


# -- limits of time


def test_an_async_handler_that_takes_too_long_is_ended() -> None:
    ended: list[str] = []

    async def handler(data: Any) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with installed(make_step(handler, queue(visibilityTimeout=0.2))):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert ended == ["cancelled"]
    assert row(run_id).status == Status.SCHEDULED
    assert "TimedOut: it took longer than its limit of 0.2 s" in row(run_id).error


def test_a_timeout_of_the_handlers_own_is_its_own() -> None:
    async def handler(data: Any) -> None:
        raise TimeoutError("the supplier does not answer")

    with installed(make_step(handler, queue(visibilityTimeout=60))):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert "TimeoutError: the supplier does not answer" in row(run_id).error


def test_celerys_limit_is_told_in_our_words() -> None:
    handler = failing_with(SoftTimeLimitExceeded())
    with installed(make_step(handler, queue(visibilityTimeout=60))):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert "TimedOut: it took longer than its limit of 60 s" in row(run_id).error


def test_celerys_own_limit_is_told_without_a_number() -> None:
    with installed(make_step(failing_with(SoftTimeLimitExceeded()))):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert "TimedOut: it took longer than Celery's own limit" in row(run_id).error


def test_a_limit_that_strikes_when_the_work_is_done_does_not_undo_it(monkeypatch: Any) -> None:
    conclude, struck = runner.conclude, list[int]()

    def strike_once(*args: Any) -> Any:
        struck.append(1)
        if len(struck) == 1:
            raise SoftTimeLimitExceeded
        return conclude(*args)

    with installed(make_step()):
        [run_id] = enqueue("work")
        monkeypatch.setattr(runner, "conclude", strike_once)
        deliver([run_id])
    assert row(run_id).status == Status.SUCCEEDED


def test_a_database_that_fails_a_schema_is_no_invalid_input() -> None:
    class AsksTheDatabase(serializers.Serializer[Any]):
        def validate(self, attrs: Any) -> Any:
            raise OperationalError("the server has gone away")

    trigger = {**queue(), "input": AsksTheDatabase}
    with installed(make_step(nothing, trigger)):
        [run_id] = enqueue("work", {})
        deliver([run_id])
    assert row(run_id).status == Status.SCHEDULED


@pytest.mark.parametrize("after", ["60", [1], True], ids=str)
def test_a_wrong_time_to_try_again_is_an_error_of_the_handler(after: Any) -> None:
    with pytest.raises(TypeError, match="Retry: after: expected seconds or a timedelta"):
        Retry(after=after)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [RuntimeError("a hook"), DatabaseError("a hook")], ids=repr)
def test_a_hook_of_the_project_that_fails_after_the_commit_undoes_nothing(error: Exception) -> None:
    def hook() -> None:
        raise error

    def handler(data: Any, ctx: Any) -> None:
        transaction.on_commit(hook)
        ctx.enqueue({"topic": "other"})

    fifo = queue(type="fifo")
    other = make_step(nothing, {"type": "queue", "topic": "other"}, name="Other")
    with installed(make_step(handler, fifo, atomic=True, enqueues=["other"]), other):
        ids = [*enqueue("work"), *enqueue("work")]
        with published() as sent:
            deliver(ids[:1])
        assert row(ids[0]).status == Status.SUCCEEDED
        [caused] = rows(step="Other")
        assert sorted(sent) == sorted([ids[1], str(caused.id)])


# -- fences


@pytest.mark.parametrize(
    "write",
    [
        lambda ctx: ctx.state.set("orders", "17", 1),
        lambda ctx: ctx.state.update("orders", "17", []),
        lambda ctx: ctx.state.delete("orders", "17"),
        lambda ctx: ctx.enqueue({"topic": "work"}),
        lambda ctx: ctx.invoke("Other"),
        lambda ctx: state.set("orders", "17", 1),
        lambda ctx: enqueue("work"),
    ],
    ids=["set", "update", "delete", "enqueue", "invoke", "the public state", "the public enqueue"],
)
def test_a_run_that_was_given_to_another_may_not_write(settings: Any, write: Any) -> None:
    settings.MOTIA = {"LEASE": 0.05}
    errors: list[Exception] = []

    def handler(data: Any, ctx: Any) -> None:
        frozen(ctx.run_id)
        try:
            write(ctx)
        except LeaseLost as error:
            errors.append(error)

    other = make_step(nothing, {"type": "queue", "topic": "other"}, name="Other")
    with installed(make_step(handler, enqueues=["work"]), other):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert "was given to another" in str(errors[0])
    assert not models.StateItem.objects.exists()
    assert [str(each.id) for each in rows()] == [run_id]
    assert row(run_id).status == Status.QUEUED


@pytest.mark.django_db(transaction=True)
def test_a_run_is_told_while_it_goes_on_that_it_was_given_to_another(settings: Any) -> None:
    settings.MOTIA = {"LEASE": 0.3}
    errors: list[Exception] = []

    def handler(data: Any, ctx: Any) -> None:
        models.Run.objects.filter(id=ctx.run_id).update(status=Status.QUEUED, fence=9)
        while leases._keeper._held:
            time.sleep(0.01)
        try:
            ctx.state.set("orders", "17", 1)
        except LeaseLost as error:
            errors.append(error)

    with installed(make_step(handler)):
        deliver(enqueue("work"))
    assert "was given to another" in str(errors[0])
    assert not models.StateItem.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_late_run_that_nobody_else_has_taken_may_write(settings: Any) -> None:
    settings.MOTIA = {"LEASE": 0.05}

    def handler(data: Any, ctx: Any) -> None:
        time.sleep(0.1)
        ctx.state.set("orders", "17", 1)

    with installed(make_step(handler)):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SUCCEEDED


def test_what_an_invoked_step_writes_is_fenced_by_the_run_that_invoked_it(settings: Any) -> None:
    settings.MOTIA = {"LEASE": 0.05}

    def inner(data: Any, ctx: Any) -> None:
        frozen(data)
        ctx.state.set("orders", "17", 1)

    other = make_step(inner, {"type": "queue", "topic": "other"}, name="Other")
    with installed(make_step(lambda data, ctx: ctx.invoke("Other", ctx.run_id)), other):
        deliver(enqueue("work"))
    assert not models.StateItem.objects.exists()


def frozen(run_id: str) -> None:
    """Do what happens to a process that is frozen past its lease: its run goes to another."""
    time.sleep(0.1)
    models.Run.objects.filter(id=run_id).update(status=Status.QUEUED, fence=9)


def test_a_lease_is_as_long_as_the_shorter_of_setting_and_limit() -> None:
    short, long = queue(visibilityTimeout=8), queue(visibilityTimeout=600)
    assert make_step(nothing, short).lease(60) == 8
    assert make_step(nothing, long).lease(60) == 60
    assert make_step().lease(60) == 60


def test_a_tiny_limit_leaves_a_lease_that_a_busy_machine_can_keep() -> None:
    tiny = queue(visibilityTimeout=0.1)
    assert make_step(nothing, tiny).lease(60) == 5
    assert make_step(nothing, tiny).lease(2) == 2


def test_a_paused_step_begins_no_run_until_it_is_resumed() -> None:
    with installed(make_step()):
        [run_id] = enqueue("work")
        assert ledger.pause("Work", by="ada", reason="the supplier is down")
        assert not ledger.pause("Work")
        assert begin(run_id) is None
        assert ledger.paused()["Work"].reason == "the supplier is down"
        assert ledger.resume("Work")
        assert not ledger.resume("Work")
        assert begin(run_id) is not None


@pytest.mark.parametrize(
    ("config", "is_async", "limits"),
    [
        ({}, False, (None, None)),
        ({"visibilityTimeout": 30}, False, (40, 30)),
        ({"visibilityTimeout": 30}, True, (40, None)),
    ],
)
def test_a_message_carries_the_limits_of_its_attempt(
    config: Any, is_async: bool, limits: Any
) -> None:
    async def waiting(data: Any) -> None: ...

    with installed(make_step(waiting if is_async else nothing, queue(**config))):
        headers = published_headers()
    assert tuple(headers.get("timelimit", (None, None))) == limits


def published_headers() -> Any:
    """Publish a run and return its message's headers."""
    seen: list[Any] = []

    def note(headers: Any, **kwargs: Any) -> None:
        seen.append(headers)

    with heard(before_task_publish, note):
        publish.publish([kept_run()])
    return seen[0]
