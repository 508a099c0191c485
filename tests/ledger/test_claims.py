from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import ledger, models
from motia_django.delivery import ONCE, Concurrency, Delivery, Turn
from motia_django.ledger.rows import LONGEST_SOURCE
from motia_django.runs import Outcome, Run, Status
from tests.factories import kept_run, make_run, row

MINUTE = timedelta(minutes=1)
RETURNS = connection.vendor != "mysql"
"""Whether the database gives back what an UPDATE has changed."""
pytestmark = pytest.mark.django_db


def outcome(status: Status = Status.SUCCEEDED, **values: object) -> Outcome:
    now = timezone.now()
    error = ValueError("no") if status is Status.DEAD else None
    facts = {"error": error, "started_at": now, "finished_at": now, **values}
    return Outcome(status=status, **facts)  # type: ignore[arg-type]


def claimed(run: Run) -> Run:
    taken = ledger.claim(run.id, worker="here", lease=MINUTE)
    assert taken is not None
    return taken


def take_at_once(run: Run, **values: Any) -> Run | None:
    return ledger.claim(run.id, worker="here", lease=MINUTE, step=run.step, **values)


def at_once(run: Run, **values: Any) -> Run:
    taken = take_at_once(run, **values)
    assert taken is not None
    return taken


def test_a_claim_counts_the_attempt_and_takes_the_lease() -> None:
    before = timezone.now()
    run = ledger.claim(kept_run(input={"n": 1}).id, worker="here" * 99, lease=60 * MINUTE)
    assert run is not None
    assert (run.status, run.attempt, run.fence, run.input) == (Status.RUNNING, 1, 1, {"n": 1})
    assert run.wake_at is not None and run.wake_at >= before + 60 * MINUTE
    kept = row(run)
    assert (kept.wake_at, kept.started_at) == (run.wake_at, run.started_at)
    assert kept.worker == ("here" * 99)[:255]


def test_a_second_delivery_finds_nothing_to_claim() -> None:
    run = kept_run()
    claimed(run)
    assert ledger.claim(run.id, worker="there", lease=MINUTE) is None


@pytest.mark.parametrize(
    "status", [each for each in Status if each is not Status.QUEUED], ids=lambda each: each.value
)
def test_only_a_queued_run_can_be_claimed(status: Status) -> None:
    run = kept_run(status=status)
    assert ledger.claim(run.id, worker="here", lease=MINUTE) is None
    assert row(run).status == status


def test_an_unknown_id_cannot_be_claimed() -> None:
    assert ledger.claim(UUID(int=7), worker="here", lease=MINUTE) is None


@pytest.mark.parametrize("rescued", [False, True])
def test_who_was_frozen_while_he_claimed_gets_nothing_that_is_anothers(
    monkeypatch: pytest.MonkeyPatch, rescued: bool
) -> None:
    run = kept_run()

    def read_and_freeze(run_id: UUID) -> Run | None:
        monkeypatch.undo()
        seen = ledger.find(run_id)
        other = claimed(run)
        if rescued:
            ledger.finish(other, outcome(Status.DEAD), Delivery(backoff_delay_ms=0))
            ledger.wake(run.id)
        return seen

    monkeypatch.setattr("motia_django.ledger.claims.find", read_and_freeze)
    assert ledger.claim(run.id, worker="frozen", lease=MINUTE) is None
    assert row(run).worker != "frozen"


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="in-memory SQLite has no real concurrency"
)
def test_of_many_deliveries_at_once_one_gets_the_run() -> None:
    runs = [kept_run() for _ in range(20)]

    def take(run: Run) -> bool:
        try:
            return ledger.claim(run.id, worker="here", lease=MINUTE) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, [run for run in runs for _ in range(8)]))
    assert sum(taken) == len(runs)
    assert {row(run).attempt for run in runs} == {1}


@pytest.mark.django_db(transaction=True)
def test_runs_of_a_rolled_back_transaction_were_never_there() -> None:
    class Undo(Exception):
        pass

    with pytest.raises(Undo), transaction.atomic():
        run = kept_run()
        raise Undo
    assert ledger.find(run.id) is None


def test_a_finished_run_is_done_with() -> None:
    run = claimed(kept_run())
    settlement = ledger.finish(run, outcome(value={"ok": True}), Delivery())
    assert settlement is not None
    assert settlement.status is Status.SUCCEEDED
    done = row(run)
    assert (done.status, done.output, done.wake_at, done.error) == (
        "succeeded",
        {"ok": True},
        None,
        "",
    )
    assert done.finished_at is not None


def test_a_failed_attempt_is_scheduled_again_after_its_backoff() -> None:
    run = claimed(kept_run())
    ledger.finish(run, outcome(Status.DEAD), Delivery(backoff_delay_ms=60_000))
    again = row(run)
    assert again.status == Status.SCHEDULED
    assert again.wake_at is not None
    assert again.wake_at > timezone.now() + timedelta(seconds=40)
    assert "ValueError: no" in again.error


def test_a_run_is_dead_when_its_attempts_are_spent() -> None:
    run = claimed(kept_run())
    settlement = ledger.finish(run, outcome(Status.DEAD), ONCE)
    assert settlement is not None
    assert settlement.status is Status.DEAD
    assert row(run).wake_at is None


def test_a_rejected_input_is_dead_at_once_whatever_the_retries() -> None:
    run = claimed(kept_run())
    ledger.finish(run, outcome(Status.DEAD, rejected=True), Delivery(max_retries=9))
    assert row(run).status == Status.DEAD


def test_who_lost_the_lease_writes_nothing() -> None:
    frozen = claimed(kept_run())
    models.Run.objects.filter(id=frozen.id).update(wake_at=timezone.now() - MINUTE)
    [lost] = ledger.take_lost(10)
    ledger.finish(lost, ledger.lost_outcome(lost), Delivery(backoff_delay_ms=0))
    ledger.wake(frozen.id)
    rescued = claimed(frozen)

    assert ledger.finish(frozen, outcome(value="stale"), Delivery()) is None
    assert not ledger.renew(frozen, lease=MINUTE)
    assert row(frozen).status == Status.RUNNING
    ledger.finish(rescued, outcome(value="fresh"), Delivery())
    assert row(frozen).output == "fresh"


def test_a_renewed_lease_is_not_lost() -> None:
    run = claimed(kept_run())
    models.Run.objects.filter(id=run.id).update(wake_at=timezone.now() - MINUTE)
    assert ledger.renew(run, lease=MINUTE)
    assert ledger.take_lost(10) == []


def test_a_lease_that_is_renewed_while_it_is_looked_for_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = claimed(kept_run())
    models.Run.objects.filter(id=run.id).update(wake_at=timezone.now() - MINUTE)

    def read_before_it_is_renewed(rows: QuerySet[models.Run]) -> list[models.Run]:
        seen = list(rows)
        assert seen and ledger.renew(run, lease=MINUTE)
        return seen

    monkeypatch.setattr("motia_django.ledger.claims.locked", read_before_it_is_renewed)
    assert ledger.take_lost(10) == []
    assert ledger.holds(run)


def test_a_lost_run_is_given_to_one_rescuer() -> None:
    runs = [claimed(kept_run()) for _ in range(2)]
    models.Run.objects.update(wake_at=timezone.now() - MINUTE)
    assert {each.id for each in ledger.take_lost(10)} == {run.id for run in runs}
    assert ledger.take_lost(10) == []


def test_only_the_run_that_the_process_holds_is_taken_from_it() -> None:
    run = claimed(kept_run())
    assert ledger.take_let_go(run.id, "there") is None
    taken = ledger.take_let_go(run.id, "here")
    assert taken is not None and taken.fence == run.fence + 1
    assert not ledger.holds(run)
    ledger.finish(taken, ledger.lost_outcome(taken, "the worker was killed"), Delivery())
    assert ledger.take_let_go(run.id, "here") is None
    assert "WorkerLost: the worker was killed during attempt 1" in row(run).error


def test_the_loss_of_a_worker_is_in_the_timeline() -> None:
    run = claimed(kept_run())
    ledger.finish(run, ledger.lost_outcome(run), Delivery())
    assert [entry["kind"] for entry in row(run).timeline] == ["worker_lost", "attempt"]
    assert "WorkerLost" in row(run).error


def test_upkeep_has_to_look_only_where_the_time_of_a_run_has_come() -> None:
    run = kept_run(wake_at=timezone.now() + MINUTE)
    assert not ledger.are_overdue()
    models.Run.objects.filter(id=run.id).update(wake_at=timezone.now())
    assert ledger.are_overdue()


def test_a_run_that_is_kept_is_published_once_by_whoever_keeps_it_unless_that_is_left() -> None:
    queued, scheduled, due = make_run(), make_run(status=Status.SCHEDULED), make_run()
    ledger.keep([queued, scheduled])
    ledger.keep([due], due=True)
    assert [row(run).publishes for run in (queued, scheduled, due)] == [1, 0, 0]
    assert [run.id for run in ledger.take_due(10)] == [due.id]


def test_what_the_broker_did_not_take_is_owed_unless_a_worker_has_it_all_the_same() -> None:
    waits, runs = kept_run(), kept_run()
    lease = claimed(runs).wake_at
    for _ in range(2):
        ledger.publish_soon([waits.id, runs.id])
        assert row(waits).publishes == 0
    assert row(runs).wake_at == lease
    assert [run.id for run in ledger.take_due(10)] == [waits.id]


def test_scheduled_runs_become_due_and_others_do_not() -> None:
    past, future = timezone.now() - MINUTE, timezone.now() + MINUTE
    due = kept_run(status=Status.SCHEDULED, wake_at=past, input={"n": 1})
    later = kept_run(status=Status.SCHEDULED, wake_at=future)
    [taken] = ledger.take_due(10)
    assert (taken.id, taken.status, taken.input) == (due.id, Status.QUEUED, None)
    assert (row(due).status, row(later).status) == (Status.QUEUED, Status.SCHEDULED)
    assert ledger.take_due(10) == []


def test_a_message_that_never_arrived_is_published_again_with_growing_patience() -> None:
    run = kept_run()
    waits = []
    for _ in range(3):
        models.Run.objects.filter(id=run.id).update(wake_at=timezone.now())
        before = timezone.now()
        assert [each.id for each in ledger.take_due(10)] == [run.id]
        wake_at = row(run).wake_at
        assert wake_at is not None
        waits.append((wake_at - before).total_seconds())
    assert waits[0] < waits[1] < waits[2]
    assert row(run).publishes == 4


def test_one_scheduled_run_is_woken_alone() -> None:
    run, other = (kept_run(status=Status.SCHEDULED) for _ in range(2))
    ledger.wake(run.id)
    assert [row(each).status for each in (run, other)] == [Status.QUEUED, Status.SCHEDULED]


def test_take_due_takes_the_longest_overdue_first_and_no_more_than_asked() -> None:
    now = timezone.now()
    runs = [kept_run(wake_at=now - timedelta(seconds=seconds)) for seconds in (1, 3, 2)]
    assert [run.id for run in ledger.take_due(2)] == [runs[1].id, runs[2].id]


def test_patience_is_bounded() -> None:
    assert ledger.patience(0) < ledger.patience(1)
    assert ledger.patience(10_000) == ledger.LONGEST_PATIENCE
    longest = 10 * ledger.patience(0)
    assert ledger.patience(10_000, limited=True) == longest < ledger.LONGEST_PATIENCE
    run = kept_run(turn=Turn(lane="lane"))
    models.Run.objects.filter(id=run.id).update(publishes=99, wake_at=timezone.now())
    ledger.take_due(1)
    wake_at = row(run).wake_at
    assert wake_at is not None and wake_at <= timezone.now() + longest


def test_what_happens_once_by_key_is_kept_once() -> None:
    assert ledger.keep_once(make_run(), "tick A 2026-01-01T00:00")
    assert not ledger.keep_once(make_run(), "tick A 2026-01-01T00:00")
    assert ledger.keep_once(make_run(), "tick A 2026-01-01T01:00")
    assert models.Run.objects.count() == 2


def test_the_input_is_whole_until_it_is_delivered_and_masked_after() -> None:
    run = claimed(kept_run(input={"user": "ada", "password": "secret", "n": 1}))
    assert run.input["password"] == "secret"
    ledger.finish(run, outcome(), Delivery())
    assert row(run).input == {"user": "ada", "password": "********", "n": 1}


def test_the_input_of_a_dead_run_is_kept_for_its_redrive() -> None:
    run = claimed(kept_run(input={"password": "secret"}))
    ledger.finish(run, outcome(Status.DEAD), ONCE)
    assert row(run).input == {"password": "secret"}


def test_the_history_is_masked_and_cut() -> None:
    run = make_run(
        trigger="http", input={"headers": {"Authorization": "Bearer x"}, "body": "é" * 50_000}
    )
    ledger.record(run, outcome(value={"api_key": "k"}))
    kept = row(run)
    assert kept.output == {"api_key": "********"}
    assert kept.input["motia:cut"]["bytes"] > 100_000
    assert "Bearer" not in str(kept.input)


def test_an_output_that_is_no_json_is_described() -> None:
    run = claimed(kept_run())
    ledger.finish(run, outcome(value=object()), Delivery())
    assert row(run).output.startswith("<object object")


def test_any_text_comes_back_as_it_was() -> None:
    value = {"nul": "a\x00b", "emoji": "\U0001f600", "big": 2**80, "list": [None, 1.5, ""]}
    assert claimed(kept_run(input=value)).input == value


def test_attempts_add_up_in_one_timeline() -> None:
    run = kept_run()
    for number in (1, 2):
        attempt = claimed(run)
        note = {"at": 0.1, "kind": "log", "message": f"try {number}"}
        ledger.finish(attempt, outcome(Status.DEAD, timeline=(note,)), Delivery(backoff_delay_ms=0))
        ledger.wake(run.id)
    logged = [each for each in row(run).timeline if each["kind"] == "log"]
    assert [(each["attempt"], each["message"]) for each in logged] == [
        (1, "try 1"),
        (2, "try 2"),
    ]


def test_a_claim_and_a_finish_cost_three_queries(django_assert_num_queries: Any) -> None:
    run = kept_run()
    with django_assert_num_queries(3):
        ledger.finish(claimed(run), outcome(), Delivery())


def test_where_the_database_returns_what_it_changed_they_cost_two(
    django_assert_num_queries: Any,
) -> None:
    run = kept_run()
    with django_assert_num_queries(2 if RETURNS else 3):
        ledger.finish(at_once(run), outcome(), Delivery())
    assert row(run).status == Status.SUCCEEDED


def test_a_run_taken_at_once_is_read_as_any_other() -> None:
    earlier = ({"at": 0.1, "kind": "note", "message": "né\x00"},)
    values: Any = {"parent_id": UUID(int=5), "parent_span": f"{7:016x}-01", "depth": 3}
    values |= {"index": 2, "source": "topic" * 99, "dedupe_key": "k"}
    run = kept_run(input={"n": [1, None, 2**70]}, timeline=earlier, **values)
    taken = at_once(run)
    assert taken == ledger.find(run.id)
    assert (taken.status, taken.attempt, taken.fence) == (Status.RUNNING, 1, 1)
    assert (taken.index, taken.source) == (2, ("topic" * 99)[:LONGEST_SOURCE])
    assert row(run).worker == "here"


def test_at_once_nothing_is_taken_twice_nor_of_a_paused_step() -> None:
    first, second = kept_run(), kept_run()
    at_once(first)
    assert take_at_once(first) is None
    ledger.pause("Work", by="ann")
    assert take_at_once(second) is None
    assert row(second).status == Status.QUEUED


def test_a_run_that_is_limited_waits_its_turn_whatever_its_step_says_now() -> None:
    first, second = (kept_run(turn=Turn(pool="pool")) for _ in range(2))
    delivery = Delivery(concurrency=Concurrency(limit=1))
    values: Any = {"worker": "here", "lease": MINUTE, "step": "Work"}
    assert ledger.claim(first.id, delivery_of=lambda run: delivery, **values) is not None
    assert ledger.claim(second.id, delivery_of=lambda run: delivery, **values) is None


def test_who_was_frozen_when_he_had_taken_a_run_at_once_writes_nothing_of_anothers() -> None:
    run = kept_run()
    frozen = at_once(run)
    models.Run.objects.filter(id=run.id).update(wake_at=timezone.now())
    [lost] = ledger.take_lost(10)
    ledger.finish(lost, ledger.lost_outcome(lost), Delivery(backoff_delay_ms=0))
    ledger.wake(run.id)
    other = at_once(run)
    assert ledger.finish(frozen, outcome(), Delivery()) is None
    assert ledger.holds(other)


@pytest.mark.django_db(transaction=True)
def test_only_what_may_be_undone_is_not_waited_for() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL lets a statement say so")
    assert asked_to_wait(lambda: at_once(kept_run(), may_be_undone=True)) == [False]
    assert asked_to_wait(lambda: at_once(kept_run())) == [True]
    done, failed, apart, others = (at_once(kept_run()) for _ in range(4))
    assert asked_to_wait(lambda: ledger.finish(done, outcome(), Delivery())) == [False]
    assert asked_to_wait(lambda: ledger.finish(failed, outcome(Status.DEAD), Delivery())) == [True]
    with transaction.atomic():
        assert asked_to_wait(lambda: ledger.finish(others, outcome(), Delivery())) == [True]
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)
    assert ledger.finish(replace(apart, fence=7), outcome(), Delivery()) is None


def asked_to_wait(act: Callable[[], object]) -> list[bool]:
    """Return, of each UPDATE of a run, whether its commit is waited for."""
    with CaptureQueriesContext(connection) as captured:
        act()
    updates = [each["sql"] for each in captured if "UPDATE motia_run" in each["sql"]]
    return ["synchronous_commit" not in each for each in updates]
