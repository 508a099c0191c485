"""Snoozes: runs that go on later without having failed, are woken, and are bounded by time."""

from __future__ import annotations

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.utils import timezone

from motia_django import (
    Retry,
    Snooze,
    awake,
    enqueue,
    invoke,
    ledger,
    models,
    operations,
    tracing,
    wake,
)
from motia_django.exceptions import InvalidRunId
from motia_django.runs import Status, in_one_line
from motia_django.signals import run_finished
from tests.factories import (
    deliver,
    installed,
    let_time_pass,
    listening,
    make_run,
    make_step,
    nothing,
    published,
    row,
    rows,
)
from tests.ledger.test_births import deliver_light

pytestmark = pytest.mark.django_db

DAY = 24 * 3600


def queue(**config: Any) -> dict[str, Any]:
    return {"type": "queue", "topic": "work", "config": config}


def snoozing(*waits: Any) -> Any:
    """Return a handler that raises these errors in turn, or snoozes for so long, then succeeds."""
    left = list(waits)

    def handler(data: Any) -> str:
        if left:
            wait = left.pop(0)
            raise wait if isinstance(wait, Exception) else Snooze("not yet", after=wait)
        return "done"

    return handler


def try_again(run_id: str) -> models.Run:
    """Let a run's time come, deliver it, and return its row."""
    let_time_pass(run_id)
    deliver([run_id])
    return row(run_id)


def tried_since(run_id: str, ago: float) -> None:
    """Have the first attempt at a run be so many seconds ago."""
    models.Run.objects.filter(id=run_id).update(tried_since=timezone.now() - timedelta(seconds=ago))


@pytest.mark.parametrize("after", [90, timedelta(seconds=90)], ids=str)
def test_a_run_that_is_snoozed_goes_on_later_and_has_not_failed(after: Any, caplog: Any) -> None:
    ended: list[Any] = []

    def note(outcome: Any, **kwargs: Any) -> None:
        ended.append((outcome.status, outcome.failed, outcome.summary))

    with installed(make_step(snoozing(after), queue(maxRetries=0))), listening(run_finished, note):
        [run_id] = enqueue("work")
        with caplog.at_level(logging.INFO):
            deliver([run_id])
        kept = row(run_id)
        assert (kept.status, kept.attempt, kept.error) == (Status.SCHEDULED, 0, "")
        assert (kept.fingerprint, kept.started_at, kept.finished_at) == (None, None, None)
        assert kept.wake_at is not None
        assert 85 < (kept.wake_at - timezone.now()).total_seconds() <= 90
        assert not [each for each in caplog.records if each.name.startswith("motia")]
        assert ended == [("scheduled", False, "")]
        kept = try_again(run_id)
    assert (kept.status, kept.attempt, kept.output) == (Status.SUCCEEDED, 1, "done")


def test_snoozes_count_for_nothing_among_the_retries() -> None:
    waits = (5, 5, ValueError("first"), 5, ValueError("second"), 5, 5, ValueError("third"))
    with installed(make_step(snoozing(*waits), queue(maxRetries=2))):
        [run_id] = enqueue("work")
        deliver([run_id])
        statuses = [try_again(run_id).status for _ in waits[1:]]
    assert statuses == [*[Status.SCHEDULED] * 6, Status.DEAD]
    kept = row(run_id)
    assert kept.attempt == 3
    tried = [each["attempt"] for each in kept.timeline if each["kind"] == "attempt"]
    assert tried == [1, 2, 3]


def test_snoozes_in_a_row_are_one_line_of_the_timeline() -> None:
    with installed(make_step(snoozing(5, 5, 60, ValueError("no"), 5))):
        [run_id] = enqueue("work")
        deliver([run_id])
        for _ in range(4):
            try_again(run_id)
    told = [(each["kind"], each["attempt"], each.get("times")) for each in row(run_id).timeline]
    assert told == [
        ("snoozed", 1, 3), ("error", 1, None), ("attempt", 1, None), ("snoozed", 2, 1)
    ]  # fmt: skip
    first = row(run_id).timeline[0]
    until = datetime.fromisoformat(first["until"])
    assert first["reason"] == "not yet"
    assert timedelta(seconds=55) < until - timezone.now() <= timedelta(seconds=60)


def test_snoozes_in_which_the_same_happened_are_told_as_one() -> None:
    tries: list[int] = []

    def handler(data: Any, ctx: Any) -> None:
        tries.append(1)
        if ctx.state.get("decisions", "17") is None:
            ctx.logger.info("Still waiting" if len(tries) < 4 else "Waiting in vain")
        raise Snooze(after=5)

    with installed(make_step(handler)):
        [run_id] = enqueue("work")
        deliver([run_id])
        for _ in range(5):
            try_again(run_id)
    told = [(each["kind"], each.get("message"), each.get("times")) for each in row(run_id).timeline]
    assert told == [
        ("state", None, None), ("log", "Still waiting", None), ("snoozed", None, 3),
        ("state", None, None), ("log", "Waiting in vain", None), ("snoozed", None, 3),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_snoozed_holds_its_lane_and_frees_its_slot() -> None:
    with installed(make_step(snoozing(60), queue(type="fifo", concurrency=1))):
        sent = [
            *enqueue("work", messageGroupId="acme"),
            *enqueue("work", messageGroupId="acme"),
            *enqueue("work", messageGroupId="zenith"),
        ]
        with published() as went:
            deliver(sent[:1])
            assert went == [sent[2]]
            deliver(sent[1:])
            assert [row(each).status for each in sent] == ["scheduled", "queued", "succeeded"]
            try_again(sent[0])
            assert went[-1] == sent[1]
            deliver(sent[1:2])
    assert {row(each).status for each in sent} == {"succeeded"}


def test_a_light_run_that_is_snoozed_is_kept() -> None:
    with installed(make_step(snoozing(60), record="failures")):
        run = make_run(light=True)
        deliver_light(run)
        assert (row(run).status, row(run).attempt) == (Status.SCHEDULED, 0)
        kept = try_again(str(run.id))
    assert (kept.status, kept.attempt) == (Status.SUCCEEDED, 1)


def test_what_an_atomic_step_wrote_before_it_was_snoozed_is_committed_with_that() -> None:
    def handler(data: Any, ctx: Any) -> None:
        ctx.state.set("asked", "17", True)
        raise Snooze(after=60)

    with installed(make_step(handler, atomic=True)):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert row(run_id).status == Status.SCHEDULED
    assert models.StateItem.objects.filter(group="asked").exists()


def test_nothing_follows_as_from_a_death() -> None:
    died = make_step(nothing, {"type": "queue", "topic": "died"}, name="Died")
    with installed(make_step(snoozing(5), queue(maxRetries=0), onDead="died"), died):
        [run_id] = enqueue("work")
        deliver([run_id])
        try_again(run_id)
    assert [each.step for each in rows()] == ["Work"]


def test_whoever_waits_for_an_answer_is_told_of_the_snooze() -> None:
    with installed(make_step(snoozing(5))), pytest.raises(Snooze, match="not yet"):
        invoke("Work")


def test_a_snooze_survives_pickling() -> None:
    for error in (Snooze("later", after=5), Snooze(after=timedelta(hours=1))):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("after", ["60", None, True, float("nan"), 1e12, timedelta.max], ids=str)
def test_a_wrong_time_to_snooze_is_an_error_of_the_handler(after: Any) -> None:
    with pytest.raises(TypeError, match="Snooze: after: expected seconds or a timedelta"):
        Snooze(after=after)


# -- for how long


def test_retries_go_on_for_so_long_whatever_their_number() -> None:
    always = [ValueError("away")] * 9
    trigger = queue(retryFor=DAY, maxRetries=1, backoffType="fixed")
    with installed(make_step(snoozing(*always), trigger)):
        [run_id] = enqueue("work")
        deliver([run_id])
        for _ in range(4):
            assert try_again(run_id).status == Status.SCHEDULED
        tried_since(run_id, DAY)
        kept = try_again(run_id)
    assert (kept.status, kept.attempt) == (Status.DEAD, 6)


def test_the_last_try_begins_when_the_time_is_over() -> None:
    with installed(make_step(snoozing(*[Retry(after=3600)] * 3), queue(retryFor=DAY))):
        [run_id] = enqueue("work")
        deliver([run_id])
        tried_since(run_id, DAY - 60)
        kept = try_again(run_id)
        assert kept.status == Status.SCHEDULED and kept.wake_at is not None
        assert 50 < (kept.wake_at - timezone.now()).total_seconds() <= 60
        tried_since(run_id, DAY)
        assert try_again(run_id).status == Status.DEAD


def test_snoozes_are_bounded_by_that_time_and_then_it_is_told() -> None:
    died = make_step(nothing, {"type": "queue", "topic": "died"}, name="Died")
    trigger = queue(retryFor=DAY, maxRetries=100)
    with installed(make_step(snoozing(*[2 * DAY] * 9), trigger, onDead="died"), died):
        [run_id] = enqueue("work")
        deliver([run_id])
        wake_at = row(run_id).wake_at
        assert wake_at is not None and wake_at <= timezone.now() + timedelta(days=1)
        tried_since(run_id, DAY)
        kept = try_again(run_id)
    assert kept.status == Status.DEAD
    assert "TimedOut: its retryFor of 86400 s is over, and it would go on later: not yet" in (
        kept.error
    )
    assert in_one_line(kept.error).startswith("TimedOut: its retryFor")
    assert [each.step for each in rows()] == ["Work", "Died"]


def test_a_run_that_is_redriven_has_all_of_the_time_again() -> None:
    with installed(make_step(snoozing(*[ValueError("away")] * 9), queue(retryFor=DAY))):
        [run_id] = enqueue("work")
        deliver([run_id])
        tried_since(run_id, DAY)
        assert try_again(run_id).status == Status.DEAD
        operations.redrive(UUID(run_id), by="ada")
        deliver([run_id])
        assert row(run_id).status == Status.SCHEDULED
        assert try_again(run_id).status == Status.SCHEDULED


# -- waking


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_snoozed_is_woken_once() -> None:
    with installed(make_step(snoozing(DAY))):
        [run_id] = enqueue("work")
        assert not wake(run_id)
        deliver([run_id])
        with published() as went:
            assert wake(UUID(run_id))
            assert not wake(run_id)
        assert went == [run_id]
        deliver([run_id])
        assert row(run_id).status == Status.SUCCEEDED
        assert not wake(run_id)


def test_a_run_is_woken_from_async_code_too() -> None:
    with installed(make_step()):
        [run_id] = enqueue("work", delaySeconds=DAY)
        assert async_to_sync(awake)(run_id)
    assert row(run_id).status == Status.QUEUED


@pytest.mark.django_db(transaction=True)
def test_who_is_rolled_back_has_woken_nobody() -> None:
    with installed(make_step()):
        [run_id] = enqueue("work", delaySeconds=DAY)
        with published() as went, transaction.atomic():
            assert wake(run_id)
            transaction.set_rollback(True)
        assert (went, row(run_id).status) == ([], Status.SCHEDULED)


def test_one_that_was_woken_before_it_was_snoozed_goes_on_at_once() -> None:
    tries: list[int] = []

    def handler(data: Any, ctx: Any) -> None:
        tries.append(ctx.attempt)
        if len(tries) == 1:
            assert not wake(ctx.run_id)
        if len(tries) < 3:
            raise Snooze(after=DAY)

    with installed(make_step(handler)):
        [run_id] = enqueue("work")
        deliver([run_id])
        wake_at = row(run_id).wake_at
        assert wake_at is not None and wake_at <= timezone.now()
        again = try_again(run_id)
        assert again.wake_at is not None and again.wake_at > timezone.now()
    assert tries == [1, 1]


def test_one_that_was_woken_while_it_was_queued_is_snoozed_in_vain() -> None:
    with installed(make_step(snoozing(DAY, DAY))):
        [run_id] = enqueue("work")
        assert not wake(run_id)
        deliver([run_id])
        wake_at = row(run_id).wake_at
        assert wake_at is not None and wake_at <= timezone.now()
        again = try_again(run_id)
        assert again.wake_at is not None and again.wake_at > timezone.now()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="in-memory SQLite has no real concurrency"
)
def test_who_is_woken_by_a_transaction_that_it_cannot_see_yet_is_not_snoozed_for_long() -> None:
    def handler(data: Any) -> None:
        if not models.Pause.objects.filter(step="decided").exists():
            raise Snooze(after=DAY)

    def begin(run_id: UUID) -> None:
        try:
            deliver([run_id])
        finally:
            connections.close_all()

    with installed(make_step(handler)), ThreadPoolExecutor(1) as pool:
        [run_id] = enqueue("work")
        with transaction.atomic():
            models.Pause.objects.create(step="decided")
            assert not wake(run_id)
            going_on = pool.submit(begin, UUID(run_id))
            wait([going_on], timeout=0.5)
        going_on.result()
        kept = row(run_id)
        assert kept.status == Status.SUCCEEDED or (
            kept.wake_at is not None and kept.wake_at <= timezone.now()
        )


@pytest.mark.django_db(transaction=True)
def test_a_run_in_its_lane_is_woken_and_published() -> None:
    with installed(make_step(snoozing(DAY), queue(type="fifo"))):
        [run_id] = enqueue("work", messageGroupId="acme")
        deliver([run_id])
        with published() as went:
            assert wake(run_id)
        assert went == [run_id]
        deliver([run_id])
    assert row(run_id).status == Status.SUCCEEDED


def test_who_has_woken_a_run_and_when_is_in_its_timeline() -> None:
    waking = make_step(wake, {"type": "queue", "topic": "ship"}, name="Ship")
    with installed(make_step(snoozing(DAY, DAY, DAY)), waking):
        [run_id] = enqueue("work")
        deliver([run_id])
        [waker] = enqueue("ship", run_id)
        deliver([waker, run_id])
        assert wake(run_id)
        deliver([run_id])
        with tracing.caused_by(tracing.Cause(trace_id="7" * 32, run_id=UUID(waker), depth=0)):
            assert wake(run_id)
    first, by_step, _second, by_nobody, _third, by_observer = row(run_id).timeline
    assert first["kind"] == "snoozed" and "over" not in first
    now = timezone.now()
    assert timedelta() < now - datetime.fromisoformat(by_step.pop("time")) < timedelta(minutes=1)
    assert by_step == {"at": None, "kind": "woken", "step": "Ship", "run_id": waker}
    assert {*by_nobody} == {"at", "kind", "time"}
    assert (by_observer["run_id"], by_observer.get("step")) == (waker, None)


def test_each_call_of_a_run_that_was_snoozed_is_in_its_timeline() -> None:
    with installed(make_step(snoozing(0, 0, ValueError("away"), 0))):
        [run_id] = enqueue("work")
        deliver([run_id])
        kept = [row(run_id), *(try_again(run_id) for _ in range(4))][-1]
    twice, _error, _failed, once = kept.timeline
    assert (twice["times"], once["times"]) == (2, 1)
    assert [len(each["calls"]) for each in (twice, once)] == [2, 1]
    calls = [*twice["calls"], *once["calls"]]
    moments = [datetime.fromisoformat(began) for began, _took in calls]
    assert kept.tried_since == moments[0] < moments[1] < moments[2]
    assert kept.started_at is not None and moments[2] < kept.started_at
    assert all("over" in each for each in (twice, once))


def test_one_that_was_woken_ahead_says_so() -> None:
    with installed(make_step(snoozing(DAY, DAY))):
        [run_id] = enqueue("work")
        assert not wake(run_id)
        deliver([run_id])
        snoozed, woken = row(run_id).timeline
        assert (snoozed["kind"], woken) == ("snoozed", {"at": None, "kind": "woken", "ahead": True})
        again = try_again(run_id)
    assert [each["kind"] for each in again.timeline] == ["snoozed", "woken", "snoozed"]


@pytest.mark.parametrize("run_id", ["17", "", None, 5], ids=repr)
def test_what_is_no_id_of_a_run_is_refused(run_id: Any) -> None:
    with pytest.raises(InvalidRunId, match="wake: expected a run's id"):
        wake(run_id)


def test_a_run_that_is_not_there_is_not_woken() -> None:
    assert not wake("01890000-0000-7000-8000-000000000000")


@pytest.mark.django_db(transaction=True)
def test_an_eager_celery_leaves_what_is_snoozed_to_be_woken(settings: Any) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = True
    with installed(make_step(snoozing(DAY))):
        [run_id] = enqueue("work")
        assert row(run_id).status == Status.SCHEDULED
        assert wake(run_id)
        assert row(run_id).status == Status.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_an_eager_celery_does_not_retry_for_ever(settings: Any) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = True
    always = snoozing(*[ValueError("away")] * 99)
    with installed(make_step(always, queue(retryFor=DAY, maxRetries=5))):
        [run_id] = enqueue("work")
    assert (row(run_id).status, row(run_id).attempt) == (Status.SCHEDULED, 6)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="in-memory SQLite has no real concurrency"
)
def test_of_a_snooze_and_a_waking_at_once_the_run_goes_on_whoever_is_first() -> None:
    def wake_it(run_id: UUID) -> None:
        try:
            ledger.wake(run_id)
        finally:
            connections.close_all()

    def snooze(run_id: UUID) -> None:
        try:
            deliver([run_id])
        finally:
            connections.close_all()

    with installed(make_step(snoozing(*[DAY] * 99))), ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            [run_id] = enqueue("work")
            models.Run.objects.filter(id=run_id).update(fence=1)
            first = pool.submit(snooze, UUID(run_id))
            while row(run_id).status == Status.QUEUED:
                pass
            pool.submit(wake_it, UUID(run_id)).result()
            first.result()
            kept = row(run_id)
            assert kept.wake_at is not None
            assert kept.status == Status.QUEUED or kept.wake_at <= timezone.now()
