"""Runs are found by their index keys, whichever way they were born, and no other run pays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import (
    AsyncContext,
    Context,
    dispatch,
    enqueue,
    invoke,
    ledger,
    models,
    operations,
    state,
)
from motia_django.celery_app import project_app, task_name
from motia_django.delivery import ONCE
from motia_django.exceptions import CannotIntervene
from motia_django.ledger import keys
from motia_django.runs import Outcome, Status, new_run_id
from motia_django.web.views import view_for
from tests.factories import installed, kept_run, let_time_pass, make_run, make_step, rows, work_off

pytestmark = pytest.mark.django_db

CRON = {"type": "cron", "schedule": "@daily", "config": {"index": ["scheduledTime"]}}


def fail(input: Any) -> None:
    raise ValueError("no")


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    work = make_step(lambda input: None, index=["orderId", "customer.id"])
    other = make_step(lambda input: None, name="Other", index=["number"])
    plain = make_step(lambda: None, {"type": "queue", "topic": "plain"}, name="Plain")
    with installed(work, other, plain):
        yield


def found(asked: str) -> list[UUID]:
    """Return the runs with this key, the newest first."""
    return keys.found(asked)


def test_a_message_is_found_by_its_keys_with_and_without_their_name() -> None:
    sent = {"orderId": 17, "customer": {"id": "C-1"}, "number": 1}
    one, other = (UUID(each) for each in enqueue("work", sent))
    assert found("17") == [one]
    assert found("C-1") == found(" customer.id =C-1") == [one]
    assert found("C-1 ") == found("customer.id=C-1 ") == found("orderId=C-1") == found("c-1") == []
    assert found("number=1") == [other]


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_keys_cannot_be_kept_is_not_there() -> None:

    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        if "INSERT" in sql and "motia_run_key" in sql:
            raise IntegrityError("no")
        return execute(sql, *args)

    with connection.execute_wrapper(refuse), pytest.raises(IntegrityError):
        ledger.keep([make_run(input={"orderId": 17})])
    assert rows() == []


def test_a_value_with_an_equals_sign_is_found() -> None:
    run_id = UUID(enqueue("work", {"orderId": "a=b"})[0])
    assert found("a=b") == found("orderId=a=b") == [run_id]
    assert found("=a=b") == found("orderId=") == found("=") == []


def test_who_is_called_like_the_key_of_another_is_not_taken_for_it() -> None:
    order = UUID(enqueue("work", {"orderId": 1})[0])
    namesake = UUID(enqueue("work", {"customer": {"id": "orderId=1"}})[0])
    assert found("orderId=1") == [order]
    assert found("customer.id=orderId=1") == [namesake]
    assert [row.id for row in keys.those_with(ledger.rows(), ["orderId=1"])] == [order]
    assert keys.newest_with(ledger.rows(), ["orderId=1"]) == ([order], False)
    ledger.rows(id=order).delete()
    models.RunKey.objects.filter(run_id=order).delete()
    assert found("orderId=1") == keys.all_with(["orderId=1"]) == []


def test_a_name_that_only_runs_have_is_a_name_too() -> None:
    run_id = UUID(enqueue("work", {"customer": {"id": "old=1"}})[0])
    assert found("old=1") == [run_id]
    assert keys.all_with(["old=1"]) == []
    keys.add(other := kept_run().id, (("old", "1"),))
    assert found("old=1") == keys.all_with(["old=1"]) == [other]
    keys.add(kept_run().id, (("handler", "1"),))
    assert found("handler=2") == []


def test_the_newest_run_is_found_first() -> None:
    ids = [UUID(enqueue("work", {"orderId": "x"})[0]) for _ in range(3)]
    assert found("x") == ids[::-1]


def test_a_message_with_a_dedupe_key_is_found() -> None:
    message = {"topic": "work", "data": {"orderId": 5}, "dedupeKey": "k"}
    first, second = enqueue(message), enqueue(message)
    assert first == second
    assert found("5") == [UUID(first[0])]


def test_a_tick_is_found_by_the_key_of_its_trigger() -> None:
    due = datetime(2026, 11, 28, tzinfo=UTC)
    with installed(make_step(lambda: None, CRON)):
        run_id = dispatch.tick("Work", 0, due)
        assert found(f"scheduledTime={due.isoformat()}") == [run_id]


def test_a_change_of_state_is_found_by_its_item() -> None:
    watcher = {"type": "state", "groupId": "orders", "config": {"index": ["item_id"]}}
    with installed(make_step(lambda change: None, watcher)):
        state.set("orders", "17", {"status": "new"})
        assert found("item_id=17") == [rows()[0].id]


def test_light_runs_are_found_once_they_are_in_the_ledger() -> None:
    now = timezone.now()
    taken, failed = make_run(input={"orderId": "a"}), make_run(input={"orderId": "b"})
    outcome = Outcome(status=Status.DEAD, error=ValueError(), started_at=now, finished_at=now)
    assert ledger.take_in(taken, "note", "because")
    assert ledger.keep_failed(failed, outcome, ONCE)
    assert not ledger.keep_failed(failed, outcome, ONCE)
    assert found("a") == [taken.id]
    assert found("b") == [failed.id]


def test_an_invocation_is_found_even_if_its_input_was_cut_or_masked() -> None:
    invoke("Work", {"orderId": 8, "password": "p", "text": "x" * 100_000})
    [row] = rows()
    assert "motia:cut" in row.input
    assert found("8") == [row.id]


def test_a_request_is_found_by_its_path_and_its_body() -> None:
    route = {"type": "http", "method": "POST", "path": "/work/:orderId"}
    step = make_step(lambda request: {"status": 200}, route, index=["orderId", "customer.id"])
    with installed(step) as registry:
        view = view_for(registry.routes()[0])
        sent = {"customer": {"id": 4}}
        asked = RequestFactory().post("/work/9", sent, content_type="application/json")
        assert view(asked, orderId="9").status_code == 200
    assert found("orderId=9") == found("customer.id=4") == [rows()[0].id]


def test_keys_are_there_if_and_only_if_their_run_is() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue("work", {"orderId": 1})
        raise ZeroDivisionError
    assert not models.RunKey.objects.exists()


def test_a_redriven_run_is_found_by_its_new_input_and_step_and_still_by_the_old_ones() -> None:
    run = kept_run(input={"orderId": "old"})
    models.Run.objects.filter(id=run.id).update(status=Status.DEAD)
    operations.redrive(run.id, by="me", input={"orderId": "new", "number": 3})
    assert found("orderId=old") == found("orderId=new") == [run.id]
    models.Run.objects.filter(id=run.id).update(status=Status.DEAD)
    operations.redrive(run.id, by="me", to="Other")
    assert found("new") == found("number=3") == [run.id]
    assert keys.of_runs([run.id]) == {run.id: ["number=3", "orderId=old", "orderId=new"]}


def test_a_run_that_is_redriven_as_it_is_has_each_key_once() -> None:
    run = kept_run(input={"orderId": "same"})
    models.Run.objects.filter(id=run.id).update(status=Status.DEAD)
    operations.redrive(run.id, by="me")
    assert models.RunKey.objects.filter(run_id=run.id).count() == 1


def test_a_redrive_that_is_refused_leaves_the_keys() -> None:
    run = kept_run(input={"orderId": "old"})
    with pytest.raises(CannotIntervene):
        operations.redrive(run.id, by="me", input={"orderId": "new"})
    assert found("old") == [run.id]


def test_pruned_runs_lose_their_keys_and_others_keep_them() -> None:
    old, new = (
        kept_run(id=new_run_id(), input={"orderId": "x"}),
        kept_run(input={"orderId": "x"}),
    )
    ancient = UUID(int=old.id.int - (int(timedelta(days=90).total_seconds() * 1000) << 80))
    long_ago = timezone.now() - timedelta(days=90)
    models.RunKey.objects.filter(run_id=old.id).update(run_id=ancient)
    models.Run.objects.filter(id=old.id).update(
        id=ancient, status=Status.SUCCEEDED, finished_at=long_ago
    )
    assert ledger.prune(Status.SUCCEEDED, 14, limit=10) == 1
    assert found("x") == [new.id]


def test_pruning_asks_once_about_runs_without_keys() -> None:
    ancient = UUID(int=kept_run(step="Plain").id.int - (90 * 86_400_000 << 80))
    long_ago = timezone.now() - timedelta(days=90)
    models.Run.objects.update(id=ancient, status=Status.SUCCEEDED, finished_at=long_ago)
    with CaptureQueriesContext(connection) as queries:
        assert ledger.prune(Status.SUCCEEDED, 14, limit=10) == 1
    assert sum("motia_run_key" in each["sql"] for each in queries) == 1


def test_keys_whose_runs_are_gone_are_swept_piece_by_piece_and_others_stay() -> None:
    runs = [kept_run(id=new_run_id(), input={"orderId": "x", "number": 1}) for _ in range(9)]
    models.RunKey.objects.create(run_id=runs[3].id, name="second", value="x")
    gone = [run.id for run in runs[1::2]]
    models.Run.objects.filter(id__in=gone).delete()
    sweep = ledger.KeySweep()
    sweep.piece(4)
    assert set(found("x")) == {run.id for run in runs} - {runs[1].id, runs[3].id}
    for _ in range(2):
        sweep.piece(4)
    assert set(found("x")) == {run.id for run in runs[::2]}
    models.Run.objects.filter(id=runs[0].id).delete()
    for _ in range(2):
        sweep.piece(4)
    assert runs[0].id not in found("x"), "it has begun anew"


def test_a_sweep_that_finds_nothing_asks_three_times_however_many_keys_there_are() -> None:
    for number in range(5):
        kept_run(id=new_run_id(), input={"orderId": number})
    with CaptureQueriesContext(connection) as queries:
        ledger.KeySweep().piece(3)
    assert len(queries) == 3
    assert found("4")


def test_a_step_without_an_index_asks_the_database_no_more_than_before() -> None:
    with CaptureQueriesContext(connection) as queries:
        enqueue("plain", {"orderId": 17})
        work_off()
        invoke("Plain")
    assert not any("motia_run_key" in each["sql"] for each in queries)


def test_many_messages_write_their_keys_at_once() -> None:
    messages = [{"topic": "work", "data": {"orderId": number}} for number in range(40)]
    with CaptureQueriesContext(connection) as queries:
        enqueue(messages)
    assert sum("motia_run_key" in each["sql"] for each in queries) == 1
    assert models.RunKey.objects.count() == 40


# -- keys that a handler gives its run


def give(input: dict[str, Any], ctx: Context) -> None:
    ctx.index(orderId=input["order"], attempt=ctx.attempt)
    if input.get("fails"):
        raise ValueError("no")


async def give_async(input: Any, ctx: AsyncContext) -> None:
    ctx.index(orderId=input["order"])
    await ctx.index(number=3)


@pytest.mark.parametrize("config", [{}, {"atomic": True}, {"index": ["order"]}])
def test_a_run_is_found_by_what_its_handler_gives(config: dict[str, Any]) -> None:
    with installed(make_step(give, **config)):
        [run_id] = enqueue("work", {"order": 17})
        assert found("orderId=17") == []
        work_off()
    assert found("orderId=17") == [UUID(run_id)]
    assert found("order=17") == ([UUID(run_id)] if config.get("index") else [])


def test_an_async_handler_may_await_it_or_not() -> None:
    with installed(make_step(give_async)):
        [run_id] = enqueue("work", {"order": 17})
        work_off()
    assert keys.of_runs([UUID(run_id)]) == {UUID(run_id): ["number=3", "orderId=17"]}


@pytest.mark.parametrize("config", [{}, {"atomic": True}])
def test_what_failed_attempts_gave_is_kept_and_the_same_is_kept_once(config: Any) -> None:
    trigger = {"type": "queue", "topic": "work", "config": {"maxRetries": 1, "backoffDelayMs": 0}}
    with installed(make_step(give, trigger, **config)):
        [run_id] = enqueue("work", {"order": 17, "fails": True})
        work_off()
        assert keys.of_runs([UUID(run_id)]) == {UUID(run_id): ["attempt=1", "orderId=17"]}
        let_time_pass(run_id)
        work_off()
    assert rows()[0].status == Status.DEAD
    given = ["attempt=1", "attempt=2", "orderId=17"]
    assert keys.of_runs([UUID(run_id)]) == {UUID(run_id): given}


@pytest.mark.parametrize("config", [{"concurrency": 1}, {"type": "fifo"}])
def test_a_run_that_had_to_wait_its_turn_keeps_what_its_handler_gave(config: Any) -> None:
    with installed(make_step(give, {"type": "queue", "topic": "work", "config": config})):
        ids = enqueue([{"topic": "work", "data": {"order": number}} for number in range(2)])
        work_off()
    assert [found(f"orderId={number}") for number in range(2)] == [[UUID(each)] for each in ids]
    assert {each.status for each in rows()} == {Status.SUCCEEDED}


def test_a_lost_attempt_adds_no_key() -> None:
    run = ledger.claim(kept_run().id, worker="w", lease=timedelta(seconds=9))
    assert run is not None
    models.Run.objects.filter(id=run.id).update(fence=run.fence + 1)
    now = timezone.now()
    given = (("orderId", "17"),)
    outcome = Outcome(status=Status.SUCCEEDED, started_at=now, finished_at=now, keys=given)
    assert ledger.finish(run, outcome, ONCE) is None
    assert found("17") == []


def test_a_light_run_that_fails_keeps_what_its_handler_gave() -> None:
    with installed(make_step(give, record="failures")):
        for fails in (True, False):
            run = make_run(input={"order": "A", "fails": fails})
            sent = (str(run.id), run.to_message())
            project_app().tasks[task_name("Work")].apply(args=sent, throw=True)
    assert [row.status for row in rows()] == [Status.SCHEDULED]
    assert found("orderId=A") == [rows()[0].id]


def test_an_invocation_is_found_by_what_its_handler_gave_and_its_caller_is_not() -> None:
    def call(input: Any, ctx: Context) -> None:
        ctx.invoke("Give", {"order": 17})

    with installed(
        make_step(call), make_step(give, {"type": "queue", "topic": "give"}, name="Give")
    ):
        enqueue("work", {})
        work_off()
    assert found("orderId=17") == [row.id for row in rows(step="Give")]


@pytest.mark.parametrize("fails", [False, True])
def test_a_request_is_found_by_what_its_handler_gave(fails: bool) -> None:
    def answer(request: Any, ctx: Context) -> dict[str, Any]:
        ctx.index(orderId="A-1")
        if fails:
            raise ValueError("no")
        return {"status": 200}

    with installed(make_step(answer, {"type": "http", "path": "/x"})) as registry:
        view = view_for(registry.routes()[0])
        with pytest.raises(ValueError, match="no") if fails else nullcontext():
            view(RequestFactory().get("/x"))
    assert found("orderId=A-1") == [rows()[0].id]


def test_a_request_that_is_answered_part_by_part_keeps_what_was_given_meanwhile() -> None:
    def answer(request: Any, ctx: Context) -> Iterator[str]:
        ctx.index(orderId="A-1")
        yield "one"
        ctx.index(orderId="A-2")
        yield "two"

    with installed(make_step(answer, {"type": "http", "path": "/x"})) as registry:
        view = view_for(registry.routes()[0])
        response: Any = view(RequestFactory().get("/x"))
        assert b"".join(response.streaming_content) == b"onetwo"
    assert found("A-1") == found("A-2") == [rows()[0].id]


def test_conditions_and_middleware_give_keys_too() -> None:
    def unmet(input: Any, ctx: Context) -> bool:
        ctx.index(orderId="skipped")
        return False

    async def around(request: Any, ctx: AsyncContext, next: Any) -> Any:
        await ctx.index(orderId="asked")
        return await next()

    queue = {"type": "queue", "topic": "work", "condition": unmet}
    asked = {"type": "http", "path": "/x", "middleware": [around]}
    with installed(make_step(lambda input: {"status": 200}, queue, asked)) as registry:
        enqueue("work", {})
        work_off()
        view_for(registry.routes()[0])(RequestFactory().get("/x"))
    kinds = {row.id: (row.trigger, row.status) for row in rows()}
    assert [kinds[each] for each in found("orderId=skipped")] == [("queue", Status.SKIPPED)]
    assert [kinds[each] for each in found("orderId=asked")] == [("http", Status.SUCCEEDED)]


def test_a_key_that_is_refused_fails_the_attempt_by_name() -> None:
    def give_nothing(input: Any, ctx: Context) -> None:
        ctx.index(orderId=None)

    with installed(
        make_step(give_nothing, {"type": "queue", "topic": "work", "config": {"maxRetries": 0}})
    ):
        enqueue("work", {})
        work_off()
    assert (
        "InvalidIndex: ctx.index: orderId: expected a text or a number, got None" in rows()[0].error
    )


def test_who_gives_keys_pays_two_queries_more_however_many_they_are() -> None:
    with installed(make_step(give)):
        enqueue("work", {"order": 17})
        with CaptureQueriesContext(connection) as queries:
            work_off()
    asked = [each["sql"].split()[0] for each in queries if "motia_run_key" in each["sql"]]
    assert asked == ["SELECT", "INSERT"]


def test_the_names_of_keys_are_those_of_all_steps_and_those_that_runs_had_lately() -> None:
    models.RunKey.objects.create(run_id=new_run_id(), name="given", value="1")
    assert keys.names() == {"orderId", "customer.id", "number", "given"}
