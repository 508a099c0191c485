"""What waits for a commit; and what a rollback undoes, which timelines tell of as undone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, connections, transaction
from rest_framework.exceptions import NotFound

from motia_django import enqueue, ledger, models, state, streams
from motia_django.runs import Status
from motia_django.timeline import Entry
from tests.factories import QUEUE, deliver, installed, make_step, make_stream, nothing, row, rows
from tests.stores.backends import in_use
from tests.web.serving import http, post, served

SHIPPED = make_step(nothing, {"type": "queue", "topic": "order.shipped"}, name="SendMail")
IN_TRANSACTIONS = pytest.mark.parametrize(
    "outermost",
    [
        pytest.param(False, marks=pytest.mark.django_db, id="in a test's transaction"),
        pytest.param(True, marks=pytest.mark.django_db(transaction=True), id="by itself"),
    ],
)


def write(ctx: Any) -> None:
    ctx.logger.info("Shipping")
    ctx.enqueue("order.shipped", {"orderId": 17})
    ctx.state.set("orders", "17", {"status": "shipped"})
    ctx.streams.orders.set("g", "17", {"status": "shipped"})


WROTE = ["enqueue", "state", "stream"]


def write_in_vain(ctx: Any) -> None:
    with suppress(LookupError), transaction.atomic():
        write(ctx)
        raise LookupError


def shipping(handler: Any, *triggers: Any, **config: Any) -> Any:
    step = make_step(handler, *triggers, enqueues=["order.shipped"], **config)
    return installed(step, SHIPPED, streams=[make_stream("orders")])


def worked(run_id: str) -> list[Entry]:
    deliver([run_id])
    return list(row(run_id).timeline)


def undone(timeline: list[Entry]) -> list[str]:
    return [each["kind"] for each in timeline if each.get("undone")]


def done(timeline: list[Entry]) -> list[str]:
    kept = (each["kind"] for each in timeline if not each.get("undone"))
    return [kind for kind in kept if kind in (*WROTE, "invoke")]


@IN_TRANSACTIONS
@pytest.mark.parametrize("atomic", [False, True])
def test_what_an_inner_block_undid_is_told_of_as_undone(atomic: bool, outermost: bool) -> None:
    def handler(input: Any, ctx: Any) -> None:
        write_in_vain(ctx)
        ctx.state.get("orders", "17")

    with shipping(handler, atomic=atomic):
        [run_id] = enqueue("work")
        timeline = worked(run_id)
    assert row(run_id).status == Status.SUCCEEDED
    assert [each["kind"] for each in timeline] == ["log", *WROTE, "state"]
    assert undone(timeline) == WROTE
    assert [each.step for each in rows()] == ["Work"] and not models.StateItem.objects.exists()


@IN_TRANSACTIONS
@pytest.mark.parametrize("atomic", [False, True])
def test_what_an_inner_block_did_is_not(atomic: bool, outermost: bool) -> None:
    def handler(input: Any, ctx: Any) -> None:
        with transaction.atomic(), transaction.atomic():
            write(ctx)
        write_in_vain(ctx)

    with shipping(handler, atomic=atomic):
        timeline = worked(enqueue("work")[0])
    assert done(timeline) == undone(timeline) == WROTE
    assert [each["kind"] for each in timeline if each.get("undone")] == undone(timeline[4:])


@IN_TRANSACTIONS
def test_of_an_atomic_step_an_attempt_that_failed_is_undone(outermost: bool) -> None:
    def handler(input: Any, ctx: Any) -> None:
        write(ctx)
        if ctx.attempt == 1:
            raise LookupError("the supplier is away")

    with shipping(handler, atomic=True):
        [run_id] = enqueue("work")
        deliver([run_id])
        ledger.wake(row(run_id).id)
        timeline = worked(run_id)
    first = [each for each in timeline if each["attempt"] == 1]
    assert undone(first) == WROTE and done(first) == []
    assert [each["kind"] for each in first if "undone" not in each] == ["log", "error", "attempt"]
    assert undone(timeline) == WROTE and done(timeline) == WROTE


@pytest.mark.django_db(transaction=True)
def test_an_async_step_is_told_of_as_any_other() -> None:
    async def handler(input: Any, ctx: Any) -> None:
        plain = SimpleNamespace(logger=ctx.logger, enqueue=enqueue, state=state, streams=streams)
        await sync_to_async(write_in_vain)(plain)
        await ctx.enqueue("order.shipped", {})
        raise LookupError("the supplier is away")

    for atomic in (False, True):
        with shipping(handler, atomic=atomic):
            timeline = worked(enqueue("work")[0])
        assert undone(timeline) == [*WROTE, *["enqueue"] * atomic]
        assert done(timeline) == ["enqueue"] * (not atomic)


@pytest.mark.django_db(transaction=True)
def test_what_failed_without_a_transaction_is_not_undone() -> None:
    def handler(input: Any, ctx: Any) -> None:
        write(ctx)
        raise LookupError("then it fails")

    with shipping(handler):
        timeline = worked(enqueue("work")[0])
    assert undone(timeline) == [] and done(timeline) == WROTE
    assert state.get("orders", "17") == {"status": "shipped"}


@pytest.mark.django_db(transaction=True)
def test_a_commit_after_which_a_hook_of_the_projects_raises_has_undone_nothing() -> None:
    def fail() -> None:
        raise LookupError("a hook")

    def handler(input: Any, ctx: Any) -> None:
        with transaction.atomic():
            transaction.on_commit(fail)
            write(ctx)

    with shipping(handler):
        timeline = worked(enqueue("work")[0])
    assert undone(timeline) == [] and done(timeline) == WROTE
    assert timeline[-1]["error"] == "LookupError: a hook"


@IN_TRANSACTIONS
def test_an_invocation_is_undone_with_the_run_that_it_made(outermost: bool) -> None:
    def outer(input: Any, ctx: Any) -> None:
        with suppress(LookupError):
            ctx.invoke("Inner", "fails")
        with suppress(LookupError), transaction.atomic():
            ctx.invoke("Inner")
            raise LookupError

    def inner(input: Any, ctx: Any) -> None:
        ctx.enqueue("order.shipped", {})
        if input:
            raise LookupError(input)

    within = make_step(inner, {"type": "queue", "topic": "in"}, name="Inner", atomic=True)
    with installed(make_step(outer), within, SHIPPED):
        timeline = worked(enqueue("work")[0])
    assert [(each["status"], "undone" in each) for each in timeline] == [
        ("dead", False),
        ("succeeded", True),
    ]
    [failed] = rows(step="Inner")
    assert undone(failed.timeline) == ["enqueue"] and not rows(step="SendMail")


@pytest.fixture
def in_redis(redis_server: str) -> Iterator[None]:
    with in_use("redis", redis_server):
        yield


@pytest.mark.django_db(transaction=True)
def test_state_in_redis_is_undone_by_nothing(in_redis: None) -> None:
    def handler(input: Any, ctx: Any) -> None:
        write_in_vain(ctx)
        raise LookupError("then it fails")

    with shipping(handler, atomic=True):
        timeline = worked(enqueue("work")[0])
    assert undone(timeline) == ["enqueue", "stream"] and done(timeline) == ["state"]
    assert state.get("orders", "17") == {"status": "shipped"}


# -- requests


@pytest.fixture
def atomic_requests() -> Iterator[None]:
    own = connections["default"].settings_dict
    own["ATOMIC_REQUESTS"] = True
    yield
    own["ATOMIC_REQUESTS"] = False


def answered(handler: Any, **config: Any) -> list[Entry]:
    with shipping(handler, http("POST"), **config), served() as client:
        post(client, {})
    [run] = rows(step="Work")
    return list(run.timeline)


@IN_TRANSACTIONS
@pytest.mark.parametrize("error", [LookupError("it fails"), NotFound()], ids=repr)
def test_a_request_that_was_rolled_back_is_undone(
    error: Exception, outermost: bool, atomic_requests: None
) -> None:
    def handler(request: Any, ctx: Any) -> None:
        write(ctx)
        raise error

    timeline = answered(handler)
    assert undone(timeline) == WROTE and done(timeline) == []
    assert not rows(step="SendMail") and not models.StateItem.objects.exists()


@IN_TRANSACTIONS
def test_a_request_of_an_atomic_step_that_fails_is_undone(outermost: bool) -> None:
    def handler(request: Any, ctx: Any) -> None:
        write(ctx)
        raise LookupError("it fails")

    timeline = answered(handler, atomic=True)
    assert undone(timeline) == WROTE and done(timeline) == []


@IN_TRANSACTIONS
def test_a_request_that_was_committed_is_not_undone(outermost: bool, atomic_requests: None) -> None:
    def handler(request: Any, ctx: Any) -> dict[str, Any]:
        write(ctx)
        write_in_vain(ctx)
        return {"status": 200}

    timeline = answered(handler)
    assert done(timeline) == undone(timeline) == WROTE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trigger", [QUEUE, http("POST")], ids=["queue", "http"])
def test_a_commit_that_fails_has_undone_all(trigger: Any, monkeypatch: Any) -> None:
    def fail_to_commit() -> None:
        monkeypatch.undo()
        raise IntegrityError("a deferred constraint")

    def handler(input: Any, ctx: Any) -> None:
        write(ctx)
        monkeypatch.setattr(transaction.get_connection(), "_commit", fail_to_commit)

    if trigger is QUEUE:
        with shipping(handler, atomic=True):
            timeline = worked(enqueue("work")[0])
    else:
        timeline = answered(handler, atomic=True)
    assert undone(timeline) == WROTE and done(timeline) == []
