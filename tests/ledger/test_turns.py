"""Order within a message group, and so many at once: by the ledger alone, and over enqueue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from motia_django import enqueue, ledger, models, operations
from motia_django.ledger.due import queued_at
from motia_django.runs import Run, Status
from motia_django.upkeep import upkeep
from tests.factories import (
    deliver,
    installed,
    let_time_pass,
    make_step,
    nothing,
    published,
    row,
    rows,
)
from tests.ledger.taking import begin, end

T = TypeVar("T")
pytestmark = pytest.mark.django_db


def fifo(**config: Any) -> dict[str, Any]:
    return {"type": "queue", "topic": "work", "config": {"type": "fifo", **config}}


def limited(concurrency: Any, **config: Any) -> dict[str, Any]:
    return {"type": "queue", "topic": "work", "config": {"concurrency": concurrency, **config}}


def send(group: str | None = None, data: Any = None) -> str:
    [run_id] = enqueue({"topic": "work", "data": data, "messageGroupId": group})
    return run_id


def test_the_runs_of_a_group_go_on_one_at_a_time_in_their_order() -> None:
    with installed(make_step(nothing, fifo())):
        first, second = send("a"), send("a")
        assert begin(second) is None
        running = begin(first)
        assert running is not None
        assert begin(second) is None
        end(running)
        assert begin(second) is not None


def test_groups_go_on_beside_each_other() -> None:
    with installed(make_step(nothing, fifo())):
        assert begin(send("a")) and begin(send("b"))


def test_a_run_that_is_to_be_called_again_is_called_alone() -> None:
    with installed(make_step(nothing, fifo())):
        ids = [row(send(group)).id for group in "ab"]
        models.Turn.objects.update(called=True)
        ledger.recall(ids[:1])
        assert [models.Turn.objects.get(run_id=each).called for each in ids] == [False, True]


def test_messages_without_a_group_are_one_group() -> None:
    with installed(make_step(nothing, fifo())):
        first, second = send(), send()
        assert begin(first) and not begin(second)


def test_a_run_that_waits_for_its_retry_holds_its_group() -> None:
    with installed(make_step(nothing, fifo())):
        first, second = send("a"), send("a")
        end(begin(first), failed=True)
        assert row(first).status == Status.SCHEDULED
        assert ledger.call_up([(ledger.turns_of([row(first).id])[row(first).id], None)]) == []
        assert not models.Turn.objects.get(run_id=first).called
        assert begin(second) is None
        let_time_pass(first)
        end(begin(first))
        assert begin(second) is not None


def test_one_that_was_begun_holds_its_group_against_an_earlier_one_that_commits_late() -> None:
    with installed(make_step(nothing, fifo())):
        first, second = send("a"), send("a")
        turn = models.Turn.objects.get(run_id=first)
        models.Turn.objects.filter(id=turn.id).delete()
        running = begin(second)
        models.Turn.objects.create(id=turn.id, run_id=first, lane=turn.lane)
        assert begin(first) is None
        end(running, failed=True)
        assert begin(first) is None
        let_time_pass(second)
        end(begin(second))
        assert begin(first) is not None


def test_a_dead_run_lets_its_group_go_on() -> None:
    with installed(make_step(nothing, fifo(maxRetries=0))):
        first, second = send("a"), send("a")
        end(begin(first), failed=True)
        assert row(first).status == Status.DEAD
        assert begin(second) is not None


def test_a_lost_worker_keeps_the_order() -> None:
    with installed(make_step(nothing, fifo())):
        first, second = send("a"), send("a")
        begin(first)
        let_time_pass(first)
        assert row(first).status == Status.SCHEDULED
        assert begin(second) is None


def test_never_more_than_the_limit_at_once() -> None:
    with installed(make_step(nothing, limited(2))):
        ids = [send() for _ in range(4)]
        running = [begin(each) for each in ids]
        assert [each is not None for each in running] == [True, True, False, False]
        end(running[0])
        assert begin(ids[3]) is not None
        assert begin(ids[2]) is None


@pytest.mark.parametrize("failed", [False, True])
def test_a_slot_is_freed_by_a_finish_and_by_a_backoff(failed: bool) -> None:
    with installed(make_step(nothing, limited(1))):
        first, second = send(), send()
        end(begin(first), failed=failed)
        assert begin(second) is not None


def test_a_slot_is_freed_by_a_crash() -> None:
    with installed(make_step(nothing, limited(1))):
        first, second = send(), send()
        begin(first)
        let_time_pass(first)
        assert begin(second) is not None


def test_a_key_has_slots_of_its_own() -> None:
    by_customer = {"limit": 1, "key": "customer.id"}
    with installed(make_step(nothing, limited(by_customer))):
        ada, bob, ada_again, nobody = (
            send(data=data)
            for data in (
                {"customer": {"id": 1}},
                {"customer": {"id": 2}},
                {"customer": {"id": 1}},
                {"customer": None},
            )
        )
        assert begin(ada) and begin(bob) and begin(nobody)
        assert begin(ada_again) is None


def test_order_and_limit_go_together() -> None:
    with installed(make_step(nothing, fifo(concurrency=2))):
        a1, a2, b1, c1 = send("a"), send("a"), send("b"), send("c")
        running = begin(a1)
        assert begin(a2) is None
        assert begin(b1) is not None
        assert begin(c1) is None
        end(running)
        assert begin(c1) is not None
        assert begin(a2) is None


def test_a_limit_that_came_later_counts_for_older_runs() -> None:
    with installed(make_step(nothing, {"type": "queue", "topic": "work"})):
        ids = [send() for _ in range(3)]
    with installed(make_step(nothing, limited(1))):
        running = begin(ids[0])
        assert running is not None and begin(ids[1]) is None
        end(running)
        assert begin(ids[1]) is not None


def test_a_limit_that_is_gone_holds_nothing_up() -> None:
    with installed(make_step(nothing, limited(1))):
        ids = [send() for _ in range(3)]
    with installed(make_step()):
        assert all(begin(each) for each in ids)


def test_who_came_first_goes_first_when_a_slot_is_free() -> None:
    with installed(make_step(nothing, limited(1))):
        running = begin(send())
        first, second = send(), send()
        freed = end(running).freed
        assert freed is not None
        models.Run.objects.filter(id=first).update(wake_at=timezone.now(), publishes=7)
        assert [str(run.id) for run in ledger.call_up([(freed, 1)])] == [first]
        assert row(first).publishes == 1
        assert not ledger.are_overdue()
        assert ledger.call_up([(freed, 1)]) == []
        assert begin(second) is not None  # called or not: what is delivered may take a free slot
        assert begin(first) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "trigger",
    [fifo(), limited({"limit": 1, "key": "n"}), fifo(concurrency={"limit": 1, "key": "n"})],
    ids=["groups", "pools", "both"],
)
def test_of_a_long_list_each_group_and_each_pool_is_called_once_and_no_more_than_have_room(
    trigger: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 600}
    monkeypatch.setattr(ledger, "AT_ONCE", 7)
    with installed(make_step(nothing, trigger)), published() as sent:
        ids = enqueue(
            [
                {"topic": "work", "data": {"n": n % 20}, "messageGroupId": f"g{n % 20}"}
                for n in range(60)
            ]
        )
        assert sorted(sent) == sorted(ids[:20])
        end(begin(ids[0]))
        assert sent[20:] == [ids[20]]
        models.Run.objects.filter(status=Status.QUEUED).update(wake_at=timezone.now())
        upkeep()
        assert sorted(sent[21:]) == sorted(ids[1:21])


@pytest.mark.django_db(transaction=True)
def test_a_list_into_one_pool_is_called_in_order_whatever_its_groups() -> None:
    with installed(make_step(nothing, fifo(concurrency=3))), published() as sent:
        groups = "aabbcd"
        ids = enqueue([{"topic": "work", "messageGroupId": each} for each in groups])
        assert sorted(sent) == sorted([ids[0], ids[2], ids[4]])


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_called_up_in_time_is_left_to_upkeep(
    monkeypatch: pytest.MonkeyPatch, settings: Any, django_assert_max_num_queries: Any
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 1e-9}
    messages = [{"topic": "work", "messageGroupId": str(n)} for n in range(30)]
    with installed(make_step(nothing, fifo())), published() as sent:
        with django_assert_max_num_queries(15):
            ids = enqueue(messages)
        assert sent == []
        assert upkeep() == 30
    assert sorted(sent) == sorted(ids)


def test_who_waits_for_his_retry_is_not_called_in_the_place_of_who_could_go_on() -> None:
    with installed(make_step(nothing, limited(1))):
        first, second = send(), send()
        freed = end(begin(first), failed=True).freed
        assert freed is not None
        assert [str(run.id) for run in ledger.call_up([(freed, 1)])] == [second]


def test_the_slot_of_a_key_goes_to_who_has_that_key_though_others_wait_for_longer() -> None:
    with installed(make_step(nothing, limited({"limit": 1, "key": "n"}))):
        begin(send(data={"n": 1}))
        send(data={"n": 1})
        running, waiting = begin(send(data={"n": 2})), send(data={"n": 2})
        freed = end(running).freed
        assert freed is not None
        assert [str(run.id) for run in ledger.call_up([(freed, 1)])] == [waiting]


def test_each_trigger_has_slots_of_its_own() -> None:
    with installed(make_step(nothing, limited(1), {**limited(1), "topic": "other"})):
        assert begin(send())
        assert begin(enqueue("other")[0])
        assert begin(send()) is None


def test_a_lowered_limit_counts_those_that_run_already() -> None:
    with installed(make_step(nothing, limited(4))):
        running = [begin(send()) for _ in range(4)]
        waiting = send()
    with installed(make_step(nothing, limited(2))):
        for each in running[:2]:
            end(each)
            assert begin(waiting) is None
        end(running[2])
        assert begin(waiting) is not None


@pytest.mark.parametrize("gone", ["finished", "cancelled"])
def test_a_run_that_is_over_gets_no_new_turn_from_a_late_delivery(
    monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    def read_and_freeze(run_id: UUID) -> Run | None:
        monkeypatch.undo()
        seen = ledger.find(run_id)
        if gone == "finished":
            end(begin(run_id))
        else:
            operations.cancel(run_id, by="ada")
        return seen

    with installed(make_step(nothing, fifo())):
        first = send("a")
        send("a")
        monkeypatch.setattr("motia_django.ledger.claims.find", read_and_freeze)
        assert begin(first) is None
        assert not models.Turn.objects.filter(run_id=first).exists()


def test_turns_of_runs_that_somebody_deleted_are_swept_away() -> None:
    with installed(make_step(nothing, fifo())):
        first, second = send("a"), send("a")
        models.Run.objects.filter(id=first).delete()
        assert begin(second) is None
        assert ledger.sweep() == 1
        assert begin(second) is not None


@pytest.mark.django_db(transaction=True)
def test_runs_of_a_limit_that_is_gone_are_published() -> None:
    with installed(make_step(nothing, limited(1))):
        ids = [send() for _ in range(3)]
    with installed(make_step()), published() as sent:
        models.Run.objects.update(wake_at=timezone.now())
        upkeep()
    assert sorted(sent) == ids


@pytest.mark.django_db(transaction=True)
def test_nothing_is_published_only_to_be_refused() -> None:
    with installed(make_step(nothing, limited(5))), published() as sent:
        ids = [send() for _ in range(20)]
        assert len(sent) == 5
        while waiting := [each for each in sent if row(each).status == Status.QUEUED]:
            deliver(waiting[:1])
    assert sorted(sent) == sorted(ids)


@pytest.mark.django_db(transaction=True)
def test_a_lane_goes_on_though_its_next_run_is_of_another_pool() -> None:
    trigger = fifo(concurrency={"limit": 1, "key": "customer"})
    with installed(make_step(nothing, trigger)), published() as sent:
        first, second = send("a", {"customer": 1}), send("a", {"customer": 2})
        other = send("b", {"customer": 1})
        assert sent == [first]
        end(begin(first))
        assert sorted(sent) == sorted([first, second, other])


def test_what_is_sent_at_once_keeps_its_order_whatever_its_keys() -> None:
    with installed(make_step(nothing, fifo())):
        ids = enqueue(
            [
                {"topic": "work", "data": 1, "dedupeKey": "k"},
                {"topic": "work", "data": 2},
                {"topic": "work", "data": 3, "dedupeKey": "l"},
            ]
        )
        assert begin(ids[1]) is None
        end(begin(ids[0]))
        assert begin(ids[2]) is None
        assert begin(ids[1]) is not None


def test_what_is_finished_leaves_no_turn_behind() -> None:
    with installed(make_step(nothing, fifo(concurrency=3))):
        end(begin(send("a")))
    assert not models.Turn.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trigger", [fifo(), limited(1), limited({"limit": 1, "key": "n"})])
def test_each_run_hands_over_to_the_next(trigger: dict[str, Any]) -> None:
    order: list[int] = []
    with installed(make_step(lambda data: order.append(data["n"]), trigger)), published() as sent:
        for number in range(4):
            send("a", {"n": number})
        deliver_as_published(sent)
    assert sorted(order) == [0, 1, 2, 3]
    if trigger["config"].get("type") == "fifo":
        assert order == [0, 1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_only_who_may_go_on_is_published() -> None:
    with installed(make_step(nothing, fifo())), published() as sent:
        first, second = send("a"), send("a")
        assert sent == [first]
        end(begin(first))
        assert sent == [first, second]


@pytest.mark.django_db(transaction=True)
def test_a_group_goes_on_whatever_an_older_one_does() -> None:
    with installed(make_step(nothing, fifo())), published() as sent:
        older = send("a")
        first, second = send("b"), send("b")
        assert sent == [older, first]
        end(begin(first))
        assert sent == [older, first, second]


@pytest.mark.django_db(transaction=True)
def test_what_waits_its_turn_is_not_published_over_and_over() -> None:
    with installed(make_step(nothing, fifo())):
        ids = [send("a") for _ in range(3)]
        models.Run.objects.update(wake_at=timezone.now())
        assert upkeep() == 3
        assert begin(ids[0]) is not None
        models.Run.objects.filter(status=Status.QUEUED).update(wake_at=timezone.now())
        assert upkeep() == 2
        assert all(row(each).wake_at > timezone.now() for each in ids[1:])  # type: ignore[operator]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trigger", [fifo(), limited(1)])
def test_who_was_called_up_and_never_arrived_is_published_again_and_has_waited_all_the_while(
    trigger: dict[str, Any],
) -> None:
    patience, waited = [ledger.patience(times, limited=True) for times in range(4)], []
    with installed(make_step(nothing, trigger)), published() as sent:
        first, _second = send(), send()
        models.Run.objects.update(created_at=timezone.now() - timedelta(days=1))
        for _ in range(3):
            let_time_pass(first)
            called = row(first)
            waited.append((called.wake_at or called.created_at) - queued_at(called))
    assert sent == [first] * 4
    assert waited == [sum(patience[:times], timedelta()) for times in (2, 3, 4)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="in-memory SQLite has no real concurrency"
)
@pytest.mark.parametrize(
    ("trigger", "most"), [(fifo(), 1), (limited(3), 3), (fifo(concurrency=2), 1)], ids=str
)
def test_workers_that_race_for_turns_keep_to_them(trigger: dict[str, Any], most: int) -> None:
    lock, running, peaks, order = threading.Lock(), set[str](), [0], list[str]()

    def work(run_id: str) -> None:
        try:
            run = insisting(lambda: begin(run_id))
            if run is None:
                return
            with lock:
                running.add(run_id)
                peaks.append(len(running))
                order.append(run_id)
            time.sleep(0.002)
            with lock:
                running.remove(run_id)
            insisting(lambda: end(run))
        finally:
            connections.close_all()

    with installed(make_step(nothing, trigger)):
        ids = [send("a") for _ in range(24)]
        with ThreadPoolExecutor(8) as pool:
            while waiting := rows(status=Status.QUEUED):
                list(pool.map(work, [str(each.id) for each in waiting]))
    assert max(peaks) <= most
    assert set(order) == set(ids)
    if most == 1:
        assert order == ids
    assert not models.Turn.objects.exists()


def insisting(work: Callable[[], T]) -> T:
    """Do work again whose transaction the database chose to break a deadlock, as a task does."""
    while True:
        try:
            return work()
        except OperationalError:
            continue


def deliver_as_published(sent: list[str]) -> None:
    """Deliver each message once, in the order of publishing, with what it leads to."""
    while sent:
        deliver([sent.pop(0)])
