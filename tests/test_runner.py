from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import Group
from pydantic import BaseModel

from motia_django import enqueue, handling, invoke, logger, models, signals
from motia_django.celery_app import project_app
from motia_django.exceptions import Abandoned, InvalidInput, TooDeep, UnknownStep
from motia_django.runs import Status, in_one_line
from motia_django.stores.face import state
from motia_django.triggers.exchange import Response
from tests.factories import (
    QUEUE,
    deliver,
    installed,
    let_time_pass,
    make_run,
    make_step,
    nothing,
    row,
    rows,
    work_off,
)

pytestmark = pytest.mark.django_db
HTTP = {"type": "http", "method": "POST", "path": "/work"}


class Amount(BaseModel):
    amount: int


def run_once(handler: Callable[..., Any], data: Any = None, **trigger: Any) -> models.Run:
    """Send one message to a Step and deliver it; return its row."""
    with installed(make_step(handler, {**QUEUE, **trigger}, enqueues=["work"])):
        [run_id] = enqueue("work", data)
        deliver([run_id])
    return row(run_id)


def test_a_handler_takes_two_arguments_one_or_none() -> None:
    def two(input: Any, ctx: Any) -> Any:
        return [input, ctx.step]

    def one(input: Any) -> Any:
        return [input]

    def none() -> Any:
        return []

    assert run_once(two, 7).output == [7, "Work"]
    assert run_once(one, 7).output == [7]
    assert run_once(none, 7).output == []


def test_an_async_handler_awaits_its_context() -> None:
    async def handler(input: Any, ctx: Any) -> Any:
        await ctx.state.set("g", "k", input)
        changed = await ctx.state.update("g", "k", [{"type": "increment", "path": "n"}])
        ids = await ctx.enqueue("silence")
        return [await ctx.state.get("g", "k"), await ctx.state.list("g"), changed["old_value"], ids]

    assert run_once(handler, {"n": 1}).output == [{"n": 2}, [{"n": 2}], {"n": 1}, []]


def test_an_async_handler_sees_the_callers_transaction_through_djangos_orm() -> None:
    async def handler(input: Any, ctx: Any) -> Any:
        await Group.objects.acreate(name="made inside")
        return [group.name async for group in Group.objects.order_by("name")]

    Group.objects.create(name="before")
    assert run_once(handler).output == ["before", "made inside"]
    assert Group.objects.count() == 2


def test_the_input_is_cleaned_by_its_schema() -> None:
    assert run_once(lambda input: input.amount + 1, {"amount": "41"}, input=Amount).output == 42


def test_an_invalid_input_is_dead_at_once_and_says_why() -> None:
    run = run_once(nothing, {"amount": "many"}, input=Amount)
    assert (run.status, run.attempt) == (Status.DEAD, 1)
    assert "amount: Input should be a valid integer" in run.error


@pytest.mark.parametrize(
    "condition",
    [
        lambda input: input > 100,
        lambda input, ctx: ctx.is_queue() and input > 100,
    ],
)
def test_a_condition_decides_whether_the_handler_runs(condition: Any) -> None:
    assert run_once(lambda input: "ran", 101, condition=condition).output == "ran"
    skipped = run_once(lambda input: "ran", 100, condition=condition)
    assert (skipped.status, skipped.output) == (Status.SKIPPED, None)


def test_a_condition_may_be_async() -> None:
    async def condition(input: Any, ctx: Any) -> bool:
        return bool(await ctx.state.get("flags", "go"))

    assert run_once(nothing, condition=condition).status == Status.SKIPPED
    state.set("flags", "go", True)
    assert run_once(nothing, condition=condition).status == Status.SUCCEEDED


def test_a_condition_that_raises_fails_the_attempt() -> None:
    run = run_once(nothing, {}, condition=lambda input: input["amount"] > 1)
    assert run.status == Status.SCHEDULED
    assert "KeyError: 'amount'" in run.error


def test_a_failed_run_is_tried_again_until_it_is_dead() -> None:
    def fail(input: Any, ctx: Any) -> None:
        ctx.logger.info("trying")
        raise ValueError(f"try {ctx.attempt}")

    trigger = {**QUEUE, "config": {"maxRetries": 2, "backoffDelayMs": 1}}
    with installed(make_step(fail, trigger)):
        [run_id] = enqueue("work")
        for attempt in (1, 2, 3):
            deliver([run_id])
            assert row(run_id).attempt == attempt
            let_time_pass(run_id)
    run = row(run_id)
    assert run.status == Status.DEAD
    assert "ValueError: try 3" in run.error
    assert [entry["attempt"] for entry in run.timeline if entry["kind"] == "log"] == [1, 2, 3]


def test_the_context_knows_its_run() -> None:
    def handler(input: Any, ctx: Any) -> Any:
        return [
            ctx.run_id,
            ctx.trace_id,
            ctx.traceId,
            ctx.attempt,
            ctx.trigger.type,
            ctx.trigger.topic,
        ]

    run = run_once(handler)
    assert run.output == [str(run.id), run.trace_id, run.trace_id, 1, "queue", "work"]


def test_the_context_tells_triggers_apart() -> None:
    def handler(input: Any, ctx: Any) -> Any:
        kinds = [ctx.is_http(), ctx.is_queue(), ctx.is_cron(), ctx.is_state(), ctx.is_stream()]
        matched = ctx.match({"http": lambda: "http", "queue": lambda input: f"queue {input}"})
        return [kinds, ctx.get_data(), matched]

    assert run_once(handler, 5).output == [[False, True, False, False, False], 5, "queue 5"]


def test_an_async_branch_of_match_is_awaited() -> None:
    async def queued(input: Any) -> str:
        return f"queued {input}"

    async def handler(input: Any, ctx: Any) -> Any:
        return await ctx.match({"queue": queued})

    assert run_once(handler, 1).output == "queued 1"


def test_match_without_a_branch_says_which_there_are() -> None:
    run = run_once(lambda input, ctx: ctx.match({"http": nothing}))
    assert "has no branch for 'queue' and no 'default', only http" in run.error


def test_invoke_runs_a_step_as_a_child_and_returns_its_result() -> None:
    def pay(input: Amount, ctx: Any) -> Any:
        assert ctx.attempt == 1
        return {"paid": input.amount}

    def order(input: Any, ctx: Any) -> Any:
        return ctx.invoke("Pay", {"amount": 5})

    child = make_step(pay, {"type": "queue", "topic": "pay", "input": Amount}, name="Pay")
    with installed(make_step(order), child):
        [run_id] = enqueue("work")
        deliver([run_id])
    parent, paid = row(run_id), rows(step="Pay")[0]
    assert parent.output == {"paid": 5}
    assert (paid.trigger, paid.parent_id, paid.trace_id) == ("invoke", parent.id, parent.trace_id)
    assert (paid.source, paid.depth, paid.attempt) == ("Work", 1, 1)
    assert (paid.status, paid.input, paid.output) == (Status.SUCCEEDED, {"amount": 5}, {"paid": 5})
    noted = parent.timeline[-1]
    assert (noted["kind"], noted["step"], noted["run_id"]) == ("invoke", "Pay", str(paid.id))


def test_invoke_can_be_awaited_by_async_handlers_and_run_async_steps() -> None:
    async def pay(input: Any, ctx: Any) -> Any:
        await ctx.state.set("paid", "1", input)
        return "paid"

    async def order(input: Any, ctx: Any) -> Any:
        return await ctx.invoke("Pay", 5)

    child = make_step(pay, {"type": "queue", "topic": "pay"}, name="Pay")
    with installed(make_step(order), child):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).output == "paid"
    assert state.get("paid", "1") == 5


def test_a_limit_holds_for_what_an_invoked_step_waits_for() -> None:
    told: list[str] = []

    async def pay(input: Any, ctx: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            told.append("cancelled")

    async def order(input: Any, ctx: Any) -> None:
        await ctx.invoke("Pay", 5)

    child = make_step(pay, {"type": "queue", "topic": "pay"}, name="Pay")
    limited = {"type": "queue", "topic": "work", "config": {"visibilityTimeout": 0.2}}
    with installed(make_step(order, limited), child):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert told == ["cancelled"]
    assert row(run_id).status == Status.SCHEDULED
    assert "TimedOut" in row(run_id).error


def test_invoke_raises_what_the_step_raises_and_keeps_the_failure() -> None:
    def fail(input: Any) -> None:
        raise LookupError("no such card")

    with installed(make_step(fail)), pytest.raises(LookupError, match="no such card"):
        invoke("Work")
    assert rows()[0].status == Status.DEAD


def test_the_death_of_a_run_that_somebody_waited_for_is_announced() -> None:
    heard: list[str] = []

    def on_died(sender: str, error: str, **kwargs: Any) -> None:
        heard.append(f"{sender} died of {error}")

    signals.run_died.connect(on_died)
    try:
        with installed(make_step(lambda input: 1 // input)):
            assert invoke("Work", 1) == 1
            with pytest.raises(ZeroDivisionError):
                invoke("Work", 0)
    finally:
        signals.run_died.disconnect(on_died)
    assert [each.partition(":")[0] for each in heard] == ["Work died of ZeroDivisionError"]


def test_invoke_checks_the_input() -> None:
    with installed(make_step(nothing, {**QUEUE, "input": Amount})):
        with pytest.raises(InvalidInput) as error:
            invoke("Work", {"amount": "x"})
    assert list(error.value.errors) == ["amount"]


def test_an_invoked_step_of_a_schedule_gets_a_tick_of_now_unless_one_is_given() -> None:
    def due(input: Any, ctx: Any) -> Any:
        return [input, ctx.trigger.scheduled_time.isoformat()]

    cron = {"type": "cron", "schedule": "0 * * * *"}
    given = {"scheduledTime": "2026-03-02T07:00:00+00:00"}
    now = "2026-03-02T07:20:30+00:00"
    with installed(make_step(due, cron)), time_machine.travel(f"{now[:19]}.5+00:00", tick=False):
        assert [invoke("Work"), invoke("Work", {"other": 1})] == [[None, now]] * 2
        assert invoke("Work", given) == [None, given["scheduledTime"]]
    stored = sorted(row.input["scheduledTime"] for row in rows())
    assert stored == [given["scheduledTime"], now, now]


def test_an_invoked_http_step_gets_the_data_as_its_body() -> None:
    def create(request: Any, ctx: Any) -> Any:
        return {"status": 201, "body": {"amount": request.body.amount, "http": ctx.is_http()}}

    with installed(make_step(create, {**HTTP, "bodySchema": Amount})):
        assert invoke("Work", {"amount": 3}) == Response({"amount": 3, "http": True}, status=201)


def test_invoking_an_unknown_step_names_the_nearest() -> None:
    with installed(make_step()), pytest.raises(UnknownStep, match="Did you mean 'Work'?"):
        invoke("Wrok")


def test_steps_that_invoke_each_other_without_end_are_stopped(settings: Any) -> None:
    settings.MOTIA = {"MAX_DEPTH": 4}
    with installed(make_step(lambda input, ctx: ctx.invoke("Work"))), pytest.raises(TooDeep):
        invoke("Work")


@pytest.mark.one_database
def test_so_are_they_before_the_stack_of_python_overflows() -> None:
    text = "64 invocations go on within one another: a loop"
    with installed(make_step(lambda input, ctx: ctx.invoke("Work"), record="failures")):
        with pytest.raises(TooDeep, match=text):
            invoke("Work")


def test_a_queue_run_that_fails_in_an_invoked_step_is_retried() -> None:
    def pay(input: Amount) -> None: ...

    child = make_step(pay, {"type": "queue", "topic": "pay", "input": Amount}, name="Pay")
    with installed(make_step(lambda input, ctx: ctx.invoke("Pay", {})), child):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SCHEDULED


def test_log_lines_are_in_the_timeline_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def handler(input: Any, ctx: Any) -> None:
        ctx.logger.info("Todo processed", {"todoId": "17", "token": "secret"})
        logger.warning("from anywhere")

    logging.getLogger("motia").propagate = True
    with caplog.at_level(logging.INFO, "motia"):
        run = run_once(handler)
    assert "[Work] Todo processed todoId=17 token=********" in caplog.text
    assert "[Work] from anywhere" in caplog.text
    assert [entry["message"] for entry in run.timeline] == ["Todo processed", "from anywhere"]
    assert "secret" not in str(run.timeline)


def test_a_run_of_a_step_that_is_gone_is_dead_and_says_so() -> None:
    from motia_django import ledger, runner

    with installed(make_step()):
        run = make_run(step="Wrok")
        ledger.keep([run])
        outcome = runner.perform(run)
    assert outcome.failed
    assert isinstance(outcome.error, UnknownStep)


def test_signals_announce_and_cannot_break_a_run() -> None:
    heard: list[str] = []

    def on_started(sender: str, **kwargs: Any) -> None:
        heard.append(f"started {sender}")
        raise RuntimeError("a broken observer")

    def on_finished(sender: str, outcome: Any, **kwargs: Any) -> None:
        heard.append(f"finished {outcome.status.value}")

    def on_died(sender: str, error: str, **kwargs: Any) -> None:
        heard.append(f"died of {error}")

    signals.run_started.connect(on_started)
    signals.run_finished.connect(on_finished)
    signals.run_died.connect(on_died)
    try:
        run_once(nothing)
        run_once(lambda input: 1 / 0, config={"maxRetries": 0})
    finally:
        signals.run_started.disconnect(on_started)
        signals.run_finished.disconnect(on_finished)
        signals.run_died.disconnect(on_died)
    assert heard == [
        "started Work",
        "finished succeeded",
        "started Work",
        "finished dead",
        "died of ZeroDivisionError: division by zero",
    ]


def test_a_change_in_the_order_of_triggers_does_not_lose_runs() -> None:
    other = {"type": "cron", "schedule": "0 0 * * *"}
    with installed(make_step(nothing, QUEUE)):
        [run_id] = enqueue("work", 1)
    with installed(make_step(lambda input: input, other, QUEUE)):
        deliver([run_id])
    assert row(run_id).output == 1


def test_a_whole_cascade_is_worked_off() -> None:
    def begin(input: Any, ctx: Any) -> None:
        ctx.enqueue([{"topic": "work", "data": number} for number in range(3)])

    def work(input: Any, ctx: Any) -> None:
        ctx.state.update("sum", "all", [{"type": "increment", "path": "n", "by": input}])

    first = make_step(begin, {"type": "queue", "topic": "begin"}, name="First", enqueues=["work"])
    with installed(first, make_step(work)):
        enqueue("begin")
        work_off()
    assert state.get("sum", "all") == {"n": 3}
    assert {run.status for run in rows()} == {"succeeded"}


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError()])
def test_a_handler_that_exits_or_is_cancelled_has_failed(error: BaseException) -> None:
    async def handler() -> None:
        raise error

    run = run_once(handler)
    assert run.status == Status.SCHEDULED
    told = f"Abandoned: it ended by {error!r}, not by returning or failing"
    assert in_one_line(run.error) == told
    assert [each["error"] for each in run.timeline if each["kind"] == "attempt"] == [told]


def test_a_handler_whose_process_is_told_to_end_has_failed_and_says_so() -> None:
    def handler() -> None:
        raise SystemExit(signal.SIGTERM - 256)  # as Celery's processes do

    run = run_once(handler)
    assert run.status == Status.SCHEDULED
    assert "Abandoned: its process was told to end (SIGTERM)" in run.error


@pytest.mark.parametrize(("lasted", "kind"), [(1799.5, "TimedOut"), (17, "Abandoned")])
def test_what_celerys_hard_limit_of_the_project_has_ended_is_said_to_be_that(
    lasted: float, kind: str, settings: Any
) -> None:
    with limited(task_time_limit=1800), installed(make_step()) as steps:
        step = steps.step("Work")
        told = Abandoned("its process was told to end (SIGTERM)")
        result = handling.failed(make_run(), step.triggers[0], told, lasted)
    assert type(result["error"]).__name__ == kind
    assert ("Celery's task_time_limit of 1800 s: its process" in str(result["error"])) == (
        kind == "TimedOut"
    )


@pytest.mark.parametrize(
    ("config", "is_async", "text"),
    [
        ({}, False, "Celery's task_soft_time_limit of 30 s"),
        ({"visibilityTimeout": 60}, False, "its limit of 60 s"),
        ({"visibilityTimeout": 60}, True, "Celery's task_soft_time_limit of 30 s"),
    ],
)
def test_so_is_what_its_soft_limit_has_ended(
    config: dict[str, Any], is_async: bool, text: str
) -> None:
    def plain() -> None:
        raise SoftTimeLimitExceeded

    async def waiting() -> None:
        raise SoftTimeLimitExceeded

    trigger = {"type": "queue", "topic": "work", "config": config}
    with limited(task_soft_time_limit=30):
        with installed(make_step(waiting if is_async else plain, trigger)):
            [run_id] = enqueue("work")
            deliver([run_id])
    assert f"TimedOut: it took longer than {text}" in row(run_id).error


@contextmanager
def limited(**conf: float) -> Iterator[None]:
    """Have Celery's limits be these; tasks that are there have looked at the settings before."""
    app = project_app()
    before = {name: app.conf[name] for name in conf}
    tasks: Any = [task for name, task in app.tasks.items() if name.startswith("motia.")]
    kept = [(task, task.time_limit, task.soft_time_limit) for task in tasks]
    app.conf.update(conf)
    for task in tasks:
        task.time_limit = conf.get("task_time_limit")
        task.soft_time_limit = conf.get("task_soft_time_limit")
    try:
        yield
    finally:
        app.conf.update(before)
        for task, hard, soft in kept:
            task.time_limit, task.soft_time_limit = hard, soft


def test_a_handler_that_changes_its_input_does_not_change_the_history() -> None:
    def handler(input: Any) -> None:
        input["n"] = object()

    run = run_once(handler, {"n": 1, "token": "t"})
    assert run.status == Status.SUCCEEDED
    assert run.input == {"n": 1, "token": "********"}
