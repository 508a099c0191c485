"""How a run enters the ledger: deduplicated, light, or once by a key."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from motia_django import enqueue, ledger, models
from motia_django.celery_app import project_app, task_name
from motia_django.delivery import Turn
from motia_django.exceptions import InvalidMessage
from motia_django.runs import Status
from tests.factories import (
    deliver,
    installed,
    let_time_pass,
    make_run,
    make_step,
    nothing,
    row,
    rows,
)
from tests.ledger.taking import begin, end

pytestmark = pytest.mark.django_db
TWO = ({"type": "queue", "topic": "work"}, {"type": "queue", "topic": "work"})


def test_a_key_begins_one_run_while_that_is_unfinished() -> None:
    with installed(make_step()):
        first = enqueue({"topic": "work", "data": 1, "dedupeKey": "order-17"})
        assert enqueue({"topic": "work", "data": 2, "dedupeKey": "order-17"}) == first
        assert enqueue({"topic": "work", "data": 3, "dedupeKey": "order-18"}) != first
    assert [each.input for each in rows()] == [1, 3]


@pytest.mark.parametrize("failed", [False, True])
def test_a_finished_run_lets_go_of_its_key(failed: bool) -> None:
    trigger = {"type": "queue", "topic": "work", "config": {"maxRetries": 0}}
    with installed(make_step(nothing, trigger)):
        [first] = enqueue({"topic": "work", "dedupeKey": "k"})
        end(begin(first), failed=failed)
        assert row(first).status in (Status.SUCCEEDED, Status.DEAD)
        assert enqueue({"topic": "work", "dedupeKey": "k"}) != [first]


def test_a_run_that_waits_for_its_retry_keeps_its_key() -> None:
    with installed(make_step()):
        [first] = enqueue({"topic": "work", "dedupeKey": "k"})
        end(begin(first), failed=True)
        assert enqueue({"topic": "work", "dedupeKey": "k"}) == [first]


def test_each_trigger_has_a_run_of_the_key() -> None:
    with installed(make_step(nothing, *TWO)):
        first = enqueue({"topic": "work", "dedupeKey": "k"})
        assert len(set(first)) == 2
        assert enqueue({"topic": "work", "dedupeKey": "k"}) == first


@pytest.mark.parametrize("keep", [lambda run, note: ledger.keep([run], note=note),
                                  ledger.keep_or_find], ids=["keep", "keep_or_find"])  # fmt: skip
def test_who_had_a_run_born_is_noted_in_it(keep: Any) -> None:
    note = {"at": None, "kind": "sent", "by": "ada"}
    run = make_run(dedupe_key="k")
    keep(run, note)
    assert row(run).timeline == [note]


def test_the_key_of_a_transaction_that_was_rolled_back_is_free() -> None:
    with installed(make_step()):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            enqueue({"topic": "work", "dedupeKey": "k"})
            raise ZeroDivisionError
        enqueue({"topic": "work", "dedupeKey": "k"})
    assert len(rows()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_run_without_the_turn_that_it_waits_for_is_not_there() -> None:
    run = make_run(turn=Turn(lane="lane"))
    models.Turn.objects.create(run_id=run.id)
    with pytest.raises(IntegrityError):
        ledger.keep([run])
    assert rows() == []


@pytest.mark.parametrize("value", ["", 17, ["k"]])
@pytest.mark.parametrize("key", ["dedupeKey", "messageGroupId"])
def test_a_bad_key_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InvalidMessage, match=f"enqueue: {key}: expected a string"):
        enqueue({"topic": "work", key: value})


@pytest.mark.parametrize("value", [" ", "x" * 256, "a\n[FAKE] b\x1b[31m", "\x00", "\ud800", "日本"])
def test_a_key_may_be_any_text_since_it_is_data(value: str) -> None:
    with installed(make_step(lambda input: None, {**TWO[0], "config": {"type": "fifo"}})):
        message = {"topic": "work", "messageGroupId": value, "dedupeKey": value}
        [first] = enqueue(message)
        assert enqueue(message) == [first]
        [second] = enqueue({**message, "dedupeKey": "another"})
        assert enqueue({**message, "dedupeKey": "a third", "messageGroupId": "b"}) != [second]
    kept = {str(each.id): each.message_group for each in rows()}
    assert kept[first] == kept[second] and 0 < len(kept[first]) <= 255


def test_a_light_run_is_in_no_table_while_all_goes_well() -> None:
    ran: list[int] = []
    with installed(make_step(ran.append, record="failures")) as steps:
        [run_id] = enqueue("work", 1)
        assert not rows()
        run = make_run(light=True, input=1)
        deliver_light(run)
    assert run_id and ran == [1] and steps and not rows()


def test_a_light_run_that_fails_enters_the_ledger_and_is_kept_from_then_on() -> None:
    tries: list[int] = []

    def handler(data: int) -> None:
        tries.append(data)
        if len(tries) == 1:
            raise RuntimeError("the first time it goes wrong")

    trigger = {"type": "queue", "topic": "work", "config": {"backoffDelayMs": 0}}
    with installed(make_step(handler, trigger, record="failures")):
        run = make_run(light=True, input=7)
        deliver_light(run)
        kept = row(run)
        assert (kept.status, kept.attempt, kept.fence) == (Status.SCHEDULED, 1, 1)
        assert kept.input == 7
        assert "the first time it goes wrong" in kept.error
        deliver_light(run)
        ledger.wake(run.id)
        deliver([run.id])
    assert (row(run).status, row(run).attempt) == (Status.SUCCEEDED, 2)
    assert tries == [7, 7, 7]
    assert [each["kind"] for each in row(run).timeline] == ["error", "attempt"]


def test_a_light_run_whose_input_is_wrong_is_dead_at_once() -> None:
    trigger = {"type": "queue", "topic": "work", "input": int}
    with installed(make_step(nothing, trigger, record="failures")):
        run = make_run(light=True, input="no number")
        deliver_light(run)
    assert row(run).status == Status.DEAD


def test_a_light_message_that_killed_its_worker_is_counted_in_the_ledger() -> None:
    ran: list[int] = []
    with installed(make_step(ran.append, record="failures")):
        run = make_run(light=True, input=1)
        deliver_light(run, redelivered=True)
        deliver_light(run, redelivered=True)
    assert ran == [1]
    assert (row(run).status, row(run).attempt) == (Status.SUCCEEDED, 1)
    assert row(run).timeline[0]["kind"] == "worker_lost"


def test_a_light_run_of_a_paused_step_waits_in_the_ledger_and_says_so(monkeypatch: Any) -> None:
    ran: list[int] = []
    with installed(make_step(ran.append, record="failures")):
        ledger.pause("Work")
        monkeypatch.setattr("motia_django.tasks._paused", frozenset())
        monkeypatch.setattr("motia_django.tasks._paused_until", 0.0)
        run = make_run(light=True, input=1)
        deliver_light(run)
        assert ran == []
        assert row(run).timeline == [{"at": None, "kind": "note", "message": "its Step was paused"}]
        ledger.resume("Work")
        assert begin(run.id) is not None


def test_a_light_run_that_kills_every_worker_ends_dead() -> None:
    trigger = {"type": "queue", "topic": "work", "config": {"maxRetries": 1, "backoffDelayMs": 0}}
    with installed(make_step(nothing, trigger, record="failures")):
        run = make_run(light=True, attempt=1)
        assert ledger.take_in(run, "worker_lost", "the worker was lost")
        wake_at = row(run).wake_at
        assert wake_at is not None and wake_at > timezone.now()
        for _ in range(2):
            assert begin(run.id) is not None
            let_time_pass(run)
            let_time_pass(run)
    assert row(run).status == Status.DEAD


@pytest.mark.parametrize(
    "message",
    [
        {"topic": "work", "delaySeconds": 60},
        {"topic": "work", "dedupeKey": "k"},
    ],
    ids=str,
)
def test_what_has_to_wait_is_in_the_ledger_whatever_the_step_keeps(message: Any) -> None:
    with installed(make_step(nothing, record="failures")):
        enqueue(message)
    assert len(rows()) == 1


@pytest.mark.parametrize("config", [{"atomic": True}, {}], ids=str)
def test_the_setting_says_what_is_kept_unless_the_step_does(settings: Any, config: Any) -> None:
    settings.MOTIA = {"RECORD": "failures"}
    with installed(make_step(nothing, **config), make_step(nothing, name="B", record="all")):
        enqueue("work")
    assert [each.step for each in rows()] == (["Work", "B"] if config else ["B"])


def deliver_light(run: Any, *, redelivered: bool = False) -> None:
    """Deliver a light run's message, as Celery does."""
    task = project_app().tasks[task_name(run.step)]
    arguments = (str(run.id), run.to_message())
    if not redelivered:
        task.apply(args=arguments, throw=True)
        return
    task.push_request(delivery_info={"redelivered": True}, hostname="here")
    try:
        task.run(*arguments)
    finally:
        task.pop_request()
