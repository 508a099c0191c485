"""Dedupe keys that are held for a time: past the end of their runs, and until it is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from motia_django import enqueue, ledger, models, operations
from motia_django.exceptions import InvalidMessage
from motia_django.runs import Status
from tests.factories import installed, make_run, make_step, nothing, row, rows
from tests.ledger.taking import begin, end

pytestmark = pytest.mark.django_db
ONCE = {"type": "queue", "topic": "work", "config": {"maxRetries": 0}}
HELD = {"topic": "work", "dedupeKey": "k", "dedupeFor": 3600}


def let_key_lapse(run_id: str) -> None:
    """Have the time of a run's key be over."""
    models.Run.objects.filter(id=run_id).update(unique_until=timezone.now())


@pytest.mark.parametrize("failed", [False, True])
def test_a_key_is_held_for_its_time_whatever_becomes_of_its_run(failed: bool) -> None:
    with installed(make_step(nothing, ONCE)):
        [first] = enqueue(HELD)
        end(begin(first), failed=failed)
        assert enqueue(HELD) == [first]
        assert enqueue({"topic": "work", "dedupeKey": "k"}) == [first]
        let_key_lapse(first)
        [second] = enqueue(HELD)
        assert second != first
        assert enqueue(HELD) == [second]
    assert [each.unique_key is None for each in rows()] == [True, False]


def test_the_time_is_counted_from_when_the_message_was_sent() -> None:
    with installed(make_step()):
        [run_id] = enqueue("work", dedupeKey="k", dedupe_for=60, delaySeconds=600)
    kept = row(run_id)
    assert kept.unique_until == kept.created_at + timedelta(seconds=60)


def test_an_unfinished_run_holds_its_key_past_its_time() -> None:
    with installed(make_step()):
        [first] = enqueue(HELD)
        let_key_lapse(first)
        assert enqueue(HELD) == [first]
        end(begin(first))
        assert enqueue(HELD) != [first]


def test_a_run_that_somebody_cancelled_or_discarded_holds_it_too() -> None:
    with installed(make_step(nothing, ONCE)):
        [first] = enqueue(HELD)
        operations.cancel(UUID(first), by="ada")
        assert enqueue(HELD) == [first]
        [second] = enqueue({**HELD, "dedupeKey": "l"})
        end(begin(second), failed=True)
        operations.discard(UUID(second), by="ada")
        assert enqueue({**HELD, "dedupeKey": "l"}) == [second]


def test_a_dead_run_that_is_redriven_goes_on_to_hold_its_key() -> None:
    with installed(make_step(nothing, ONCE)):
        [first] = enqueue(HELD)
        end(begin(first), failed=True)
        operations.redrive(UUID(first), by="ada")
        let_key_lapse(first)
        assert enqueue(HELD) == [first]


def test_a_run_is_not_pruned_while_it_holds_its_key() -> None:
    with installed(make_step()):
        [first] = enqueue(HELD)
        end(begin(first))
    run = make_run(id=UUID(int=row(first).id.int & (1 << 80) - 1))
    long_ago = timezone.now() - timedelta(days=9)
    models.Run.objects.filter(id=first).update(id=run.id, finished_at=long_ago)
    assert ledger.prune(Status.SUCCEEDED, 7, limit=9) == 0
    let_key_lapse(str(run.id))
    assert ledger.prune(Status.SUCCEEDED, 7, limit=9) == 1


def test_each_trigger_holds_it_for_itself() -> None:
    with installed(make_step(nothing, ONCE), make_step(nothing, name="Other")):
        first, other = enqueue(HELD)
        end(begin(first))
        let_key_lapse(first)
        again, same = enqueue(HELD)
    assert (again != first, same == other) == (True, True)


@pytest.mark.parametrize("key", [None, "missing"])
def test_a_time_without_a_key_is_refused(key: str | None) -> None:
    message: dict[str, Any] = {"topic": "work", "dedupeFor": 60}
    message |= {"dedupeKey": None} if key is None else {}
    with pytest.raises(InvalidMessage, match="dedupeFor: expected a dedupeKey beside it, got None"):
        enqueue(message)


@pytest.mark.parametrize("value", [0, -1, "60", True, float("inf")], ids=repr)
def test_a_time_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(InvalidMessage, match="enqueue: dedupeFor: expected a number"):
        enqueue({**HELD, "dedupeFor": value})


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="in-memory SQLite has no real concurrency"
)
@pytest.mark.parametrize("in_transaction", [False, True], ids=["autocommit", "in a transaction"])
@pytest.mark.parametrize("lapsed", [False, True], ids=["first", "lapsed"])
def test_of_many_at_once_one_begins_a_run(in_transaction: bool, lapsed: bool) -> None:
    together = Barrier(8)

    def send(key: str) -> list[str]:
        try:
            together.wait()
            if not in_transaction:
                return enqueue({**HELD, "dedupeKey": key})
            with transaction.atomic():
                return enqueue({**HELD, "dedupeKey": key})
        finally:
            connections.close_all()

    with installed(make_step()), ThreadPoolExecutor(8) as pool:
        for key in map(str, range(10)):
            before = set[str]()
            if lapsed:
                before = {*enqueue({**HELD, "dedupeKey": key})}
                [old] = before
                end(begin(old))
                let_key_lapse(old)
            sent = {run_id for ids in pool.map(send, [key] * 8) for run_id in ids}
            assert len(sent) == 1 and not sent & before
    assert len(rows()) == 10 * (1 + lapsed)
