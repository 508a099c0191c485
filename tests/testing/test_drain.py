"""Whole cascades: in their order, at their time, through failures, to their end."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from motia_django import enqueue, operations
from motia_django.exceptions import MotiaError, UnknownStep, WorkerLost
from motia_django.testing import Motia, kit
from tests.factories import installed, make_step, make_stream

pytestmark = pytest.mark.django_db

FIFO = {"type": "queue", "topic": "work", "config": {"type": "fifo"}}
PATIENT = {"type": "queue", "topic": "work", "config": {"maxRetries": 5, "backoffDelayMs": 60_000}}


def notes(input: Any, ctx: Any) -> None:
    ctx.state.update("notes", "all", [{"type": "append", "path": "n", "value": input["n"]}])


def noted(motia: Motia) -> Any:
    return (motia.state.get("notes", "all") or {}).get("n", [])


def test_messages_are_run_in_the_order_in_which_they_were_sent(motia: Motia) -> None:
    def handler(input: Any, ctx: Any) -> None:
        notes(input, ctx)
        for n in range(input["n"] * 10, input["n"] * 10 + 2 * (input["n"] < 10)):
            ctx.enqueue("work", {"n": n})

    with installed(make_step(handler, enqueues=["work"])):
        for n in (1, 2):
            enqueue("work", {"n": n})
        trace = motia.drain()
    assert noted(motia) == [1, 2, 10, 11, 20, 21]
    assert len(trace) == 6
    assert str(trace) == "\n".join(
        [
            "Work by queue work: succeeded",
            "├─ Work by queue work: succeeded",
            "└─ Work by queue work: succeeded",
        ]
        * 2
    )


def test_a_draining_tells_of_what_has_run_since_the_last_one(motia: Motia) -> None:
    with installed(make_step(notes)):
        enqueue("work", {"n": 1})
        assert len(motia.drain()) == 1
        assert len(motia.drain()) == 0
        motia.queue("work", {"n": 2})
        assert len(motia.drain()) == 1
        assert len(motia.trace) == 2


def test_what_follows_from_a_death_is_run_below_it(motia: Motia) -> None:
    charge = make_step(notes, PATIENT, name="Charge", onDead="payment.died")
    listening = {"type": "queue", "topic": "payment.died"}
    with installed(charge, make_step(lambda input: None, listening, name="GiveBack")):
        assert motia.enqueued("payment.died") == []
        motia.fail("Charge", times=None)
        enqueue("work", {"n": 17})
        trace = motia.drain(scheduled=True)
        [told] = motia.enqueued("payment.died")
    assert (told["input"], told["attempt"]) == ({"n": 17}, 6)
    assert str(trace).splitlines()[-1] == "└─ GiveBack by queue payment.died: succeeded"


@pytest.mark.parametrize("config", [{"type": "fifo"}, {"concurrency": 1}])
def test_runs_that_wait_their_turn_are_handed_on(motia: Motia, config: dict[str, Any]) -> None:
    with installed(make_step(notes, {**FIFO, "config": config})):
        for n in range(4):
            enqueue("work", {"n": n})
        motia.drain()
    assert noted(motia) == [0, 1, 2, 3]


def test_an_earlier_one_that_is_tried_again_holds_up_its_group(motia: Motia) -> None:
    with installed(make_step(notes, FIFO)):
        motia.fail("Work")
        for n in range(3):
            enqueue("work", {"n": n}, messageGroupId="a")
        motia.drain()
        assert noted(motia) == []
        motia.drain(scheduled=True)
    assert noted(motia) == [0, 1, 2]


def test_a_retry_waits_for_its_backoff(motia: Motia) -> None:
    with installed(make_step(notes, PATIENT)):
        motia.fail("Work", times=2, error=ConnectionError("busy"))
        [run] = motia.queue("work", {"n": 1})
        assert (run.status, run.failures) == ("scheduled", ["ConnectionError: busy"])
        motia.time.move(40)
        assert [each.attempt for each in motia.drain()] == [1]
        motia.time.move(40)
        assert [each.status for each in motia.drain()] == ["scheduled"]
        motia.time.move(minutes=3)
        assert [each.status for each in motia.drain()] == ["succeeded"]
    assert str(motia.trace).splitlines()[0] == "Work by queue work: succeeded at attempt 3"


@pytest.mark.parametrize("record", ["all", "failures"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_an_attempt_may_fail_after_its_work_is_done(
    motia: Motia, record: str, is_async: bool
) -> None:
    async def later(input: Any, ctx: Any) -> None:
        await ctx.state.update("notes", "all", [{"type": "append", "path": "n", "value": 1}])

    with installed(make_step(later if is_async else notes, record=record)):
        motia.fail("Work", after=True)
        enqueue("work", {"n": 1})
        motia.drain(scheduled=True)
        assert noted(motia) == [1, 1]
        assert [run.failures for run in motia.runs] == [["InjectedFailure"]]


def test_of_an_atomic_step_that_fails_after_its_work_nothing_is_left(motia: Motia) -> None:
    def handler(input: Any, ctx: Any) -> None:
        notes(input, ctx)
        ctx.enqueue("next", 1)

    with installed(make_step(handler, PATIENT, atomic=True, enqueues=["next"])):
        motia.fail("Work", after=True)
        motia.queue("work", {"n": 1})
        assert (noted(motia), motia.enqueued("next")) == ([], [])
        motia.drain(scheduled=True)
        assert (noted(motia), motia.enqueued("next")) == ([1], [1])
        assert motia.runs[0].events == [
            "state update notes/all (undone)",
            "enqueue next -> nobody (undone)",
            "state update notes/all",
            "enqueue next -> nobody",
        ]


def test_of_runs_kept_nowhere_what_was_rolled_back_is_told_of_as_undone(motia: Motia) -> None:
    def outer(input: Any, ctx: Any) -> None:
        with transaction.atomic():
            ctx.invoke("Inner", {"n": 1})
            transaction.set_rollback(True)

    def inner(input: Any, ctx: Any) -> None:
        notes(input, ctx)
        ctx.enqueue("next", 1)

    light: dict[str, Any] = {"record": "failures", "enqueues": ["next"]}
    trigger = {"type": "queue", "topic": "in"}
    with installed(make_step(outer, **light), make_step(inner, trigger, name="Inner", **light)):
        motia.queue("work")
        drawn = motia.trace.in_full()
        assert (noted(motia), motia.enqueued("next")) == ([], [])
    assert drawn.splitlines() == [
        "Work by queue work: succeeded",
        "│  invoke Inner: succeeded (undone)",
        "└─ Inner by invoke: succeeded",
        "      state update notes/all (undone)",
        "      enqueue next -> nobody (undone)",
    ]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_run_whose_worker_is_killed_is_rescued_once_its_lease_is_over(
    motia: Motia, is_async: bool
) -> None:
    async def later(input: Any, ctx: Any) -> None:
        await ctx.state.set("notes", "all", {"n": [1]})

    with installed(make_step(later if is_async else notes)):
        motia.fail("Work", error=WorkerLost)
        [run] = motia.queue("work", {"n": 1})
        assert (run.status, run.attempt) == ("running", 1)
        motia.time.move(30)
        assert len(motia.drain()) == 0
        motia.time.move(90)
        motia.drain()
        motia.drain(scheduled=True)
        [run] = motia.runs
        assert (run.status, run.attempt, noted(motia)) == ("succeeded", 2, [1])
        assert run.failures[0].startswith("WorkerLost")


def test_a_run_that_kills_every_worker_is_dead_in_the_end(motia: Motia) -> None:
    with installed(make_step(notes)):
        motia.fail("Work", times=None, error=WorkerLost("it was too much"))
        enqueue("work", {"n": 1})
        motia.drain(scheduled=True)
        assert [(run.status, run.attempt) for run in motia.runs] == [("dead", 4)]


def test_failures_come_one_after_the_other_and_end_with_the_test() -> None:
    with installed(make_step(notes, {**PATIENT, "config": {"maxRetries": 5}})):
        with Motia() as motia:
            motia.fail("Work", error=ValueError("first"))
            motia.fail("Work", times=2, error=KeyError("second"))
            enqueue("work", {"n": 1})
            motia.drain(scheduled=True)
            [run] = motia.runs
            assert run.failures == ["ValueError: first", *["KeyError: 'second'"] * 2]
            motia.fail("Work", times=None)
        with Motia() as motia:
            assert [run.status for run in motia.queue("work", {"n": 2})] == ["succeeded"]


def test_a_failure_that_was_asked_for_is_not_raised_and_another_is(motia: Motia) -> None:
    def broken(input: Any, ctx: Any) -> None:
        raise LookupError("not asked for")

    once = {"type": "queue", "topic": "work", "config": {"maxRetries": 0}}
    with installed(make_step(broken, once)):
        motia.fail("Work", error=RuntimeError("asked for"))
        enqueue("work")
        assert [run.status for run in motia.drain()] == ["dead"]
        enqueue("work")
        enqueue("work")
        with pytest.raises(LookupError, match="not asked for"):
            motia.drain()
        assert [run.status for run in motia.runs] == ["dead"] * 3


def test_failures_that_cannot_be_are_refused(motia: Motia) -> None:
    with installed(make_step(notes, record="failures")):
        with pytest.raises(UnknownStep, match="Did you mean 'Work'"):
            motia.fail("Werk")
        with pytest.raises(
            ValueError, match="times: expected 1 or more, or None for always, got 0"
        ):
            motia.fail("Work", times=0)
        wrong: Any = "boom"
        with pytest.raises(
            TypeError, match="expected an exception, or a class of them, got 'boom'"
        ):
            motia.fail("Work", error=wrong)
        with pytest.raises(MotiaError, match="comes back by the broker"):
            motia.fail("Work", error=WorkerLost)


def test_what_is_delayed_comes_at_its_time_and_in_the_order_of_times(motia: Motia) -> None:
    with installed(make_step(notes)):
        for n, delay in enumerate((7200, 3600, 0)):
            enqueue("work", {"n": n}, delaySeconds=delay)
        began = motia.time.now
        motia.drain()
        assert noted(motia) == [2]
        motia.drain(scheduled=True)
        assert noted(motia) == [2, 1, 0]
        assert 7200 <= (motia.time.now - began).total_seconds() < 7260


def test_a_paused_step_is_left_alone_until_it_goes_on(motia: Motia) -> None:
    with installed(make_step(notes)):
        operations.pause("Work", by="ada")
        enqueue("work", {"n": 1})
        motia.drain(scheduled=True)
        assert [run.status for run in motia.runs] == ["queued"]
        operations.resume("Work", by="ada")
        motia.drain()
    assert noted(motia) == [1]


def test_an_item_that_expires_starts_who_watches_it(motia: Motia) -> None:
    def handler(change: Any, ctx: Any) -> str:
        return str(change.event_type)

    with installed(make_step(handler, {"type": "state", "groupId": "g", "events": ["deleted"]})):
        motia.state.set("g", "k", 1, ttl=60)
        motia.time.move(61)
        assert [run.output for run in motia.drain()] == ["state:deleted"]


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Tokyo"])
def test_what_waits_comes_when_its_time_does_whatever_the_zone(
    motia: Motia, settings: Any, zone: str, use_tz: bool
) -> None:
    settings.TIME_ZONE, settings.USE_TZ = zone, use_tz
    with installed(make_step(lambda input, ctx: None)):
        motia.state.set("g", "k", 1, ttl=5)
        enqueue("work", delaySeconds=60)
        motia.time.move(6)
        assert motia.state.get("g", "k") is None
        assert len(motia.drain()) == 0
        motia.time.move(55)
        assert len(motia.drain()) == 1
        enqueue("work", delaySeconds=3600)
        assert len(motia.drain(scheduled=True)) == 1


def test_an_item_of_a_stream_that_expires_starts_who_watches_it_and_is_told(motia: Motia) -> None:
    def handler(change: Any) -> str:
        return str(change.event.type)

    watches = {"type": "stream", "streamName": "orders", "events": ["delete"]}
    with installed(make_step(handler, watches), streams=[make_stream("orders")]):
        motia.streams.orders.set("g", "a", {}, ttl=60)
        motia.time.move(61)
        assert [run.output for run in motia.drain()] == ["delete"]
        assert [each.type for each in motia.streamed("orders")] == ["create", "delete"]


def test_a_loop_ends_at_the_depth_that_production_allows(motia: Motia, settings: Any) -> None:
    settings.MOTIA = {"MAX_DEPTH": 100}

    def handler(input: Any, ctx: Any) -> None:
        ctx.enqueue("work")

    with installed(make_step(handler, enqueues=["work"])):
        enqueue("work")
        with pytest.raises(MotiaError, match="TooDeep"):
            motia.drain()
        assert [run.status for run in motia.runs][-2:] == ["succeeded", "dead"]


def test_a_loop_is_too_deep_before_it_is_given_up(
    motia: Motia, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit, "_MORE", 10)
    settings.MOTIA = {"MAX_DEPTH": 20}

    def handler(input: Any, ctx: Any) -> None:
        if not input:
            ctx.enqueue([{"topic": "work", "data": "beside it"}, {"topic": "work"}])

    with installed(make_step(handler, enqueues=["work"])):
        enqueue("work")
        with pytest.raises(MotiaError, match="TooDeep"):
            motia.drain()
    assert [run.status for run in motia.runs].count("succeeded") == 21 + 20


def test_a_cascade_that_only_grows_is_given_up(motia: Motia) -> None:
    def handler(input: Any, ctx: Any) -> None:
        ctx.enqueue([{"topic": "work"}] * 2)

    with installed(make_step(handler, enqueues=["work"])):
        enqueue("work")
        with pytest.raises(MotiaError, match="20 runs and no end, .*: motia.Work"):
            motia.drain(most=20)
