from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from motia_django import ledger, models
from motia_django.delivery import ONCE, Delivery
from motia_django.runs import Outcome, Run, Status
from tests.factories import kept_run, make_run, row

MINUTE = timedelta(minutes=1)
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


def test_a_claim_counts_the_attempt_and_takes_the_lease() -> None:
    run = claimed(kept_run(input={"n": 1}))
    assert (run.status, run.attempt, run.fence, run.input) == (Status.RUNNING, 1, 1, {"n": 1})
    assert run.wake_at is not None
    assert run.wake_at > timezone.now()
    assert row(run).worker == "here"


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


def test_a_lost_run_is_given_to_one_rescuer() -> None:
    run = claimed(kept_run())
    models.Run.objects.filter(id=run.id).update(wake_at=timezone.now() - MINUTE)
    assert [each.id for each in ledger.take_lost(10)] == [run.id]
    assert ledger.take_lost(10) == []


def test_the_loss_of_a_worker_is_in_the_timeline() -> None:
    run = claimed(kept_run())
    ledger.finish(run, ledger.lost_outcome(run), Delivery())
    assert [entry["kind"] for entry in row(run).timeline] == ["worker_lost", "attempt"]
    assert "WorkerLost" in row(run).error


def test_scheduled_runs_become_due_and_others_do_not() -> None:
    past, future = timezone.now() - MINUTE, timezone.now() + MINUTE
    due = kept_run(status=Status.SCHEDULED, wake_at=past)
    later = kept_run(status=Status.SCHEDULED, wake_at=future)
    assert [run.id for run in ledger.take_due(10)] == [due.id]
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


def test_take_due_takes_the_longest_overdue_first_and_no_more_than_asked() -> None:
    now = timezone.now()
    runs = [kept_run(wake_at=now - timedelta(seconds=seconds)) for seconds in (1, 3, 2)]
    assert [run.id for run in ledger.take_due(2)] == [runs[1].id, runs[2].id]


def test_patience_is_bounded() -> None:
    assert ledger.patience(0) < ledger.patience(1)
    assert ledger.patience(10_000) == ledger.LONGEST_PATIENCE


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


def test_a_claim_and_a_finish_cost_three_queries(django_assert_num_queries: object) -> None:
    run = kept_run()
    with django_assert_num_queries(3):  # type: ignore[operator]
        taken = ledger.claim(run.id, worker="here", lease=MINUTE)
        assert taken is not None
        ledger.finish(taken, outcome(), Delivery())
