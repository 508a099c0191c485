"""What is done to many runs in the background: once each, counted right, whoever dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import OperationalError, transaction
from django.utils import timezone
from pydantic import BaseModel

from motia_django import batches, ledger, models, operations, publish, upkeep
from motia_django.ledger.selections import Selection
from motia_django.runs import Status, new_run_id
from tests.factories import installed, kept_run, make_step, published, row, rows

pytestmark = pytest.mark.django_db

DEAD = Selection(wanted={"status__in": ["dead"], "step": "Work"})


class Amount(BaseModel):
    amount: int


@pytest.fixture(autouse=True)
def _step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The Step of these tests; a round takes as long as it takes."""
    monkeypatch.setattr(batches, "SECONDS", 60)
    trigger = {"type": "queue", "topic": "work", "input": Amount, "config": {"maxRetries": 0}}
    with installed(make_step(lambda input: None, trigger)):
        yield


def dead(count: int = 1, **values: Any) -> list[UUID]:
    """Insert dead runs of the Step."""
    usual = {"input": {"amount": 1}, "attempt": 1, "finished_at": timezone.now()}
    made = [
        models.Run(
            **{
                "id": new_run_id(),
                "step": "Work",
                "trigger": "queue",
                "source": "work",
                "status": Status.DEAD,
                "trace_id": "a" * 32,
                **usual,
                **values,
            }
        )
        for _ in range(count)
    ]
    models.Run.objects.bulk_create(made)
    return [each.id for each in made]


def statuses() -> list[str]:
    return [each.status for each in rows()]


def now(batch: models.Batch) -> models.Batch:
    return models.Batch.objects.get(id=batch.id)


def counted(batch: models.Batch) -> tuple[int, int]:
    return now(batch).done, now(batch).refused


def test_a_batch_does_its_deed_to_all_runs_and_says_so(
    django_capture_on_commit_callbacks: Any,
) -> None:
    good, bad = dead(60), dead(2, input={})
    batch = batches.begin("redrive", DEAD, by="ada (admin)", reason="mended", total=62)
    with published() as sent, django_capture_on_commit_callbacks(execute=True):
        assert batches.work_off() is False
    assert sorted(sent) == sorted(map(str, good))
    ended = now(batch)
    assert (ended.done, ended.refused, ended.stopped_by) == (60, 2, "")
    [(reason, number)] = ended.reasons.items()
    assert reason.startswith("The input of this run is invalid: amount")
    assert number == 2
    assert ended.started_at
    assert ended.finished_at
    assert {row(each).status for each in good} == {"queued"}
    assert {row(each).status for each in bad} == {"dead"}
    [note] = row(good[0]).timeline
    assert (note["by"], note["reason"]) == (f"ada (admin), batch {batch.id}", "mended")


@pytest.mark.parametrize(
    ("deed", "before", "after"),
    [
        ("redrive", "dead", "queued"),
        ("discard", "dead", "cancelled"),
        ("cancel", "queued", "cancelled"),
        ("retry", "scheduled", "queued"),
    ],
)
def test_each_deed_has_its_effect(deed: str, before: str, after: str) -> None:
    dead(3, status=before)
    selection = Selection(wanted={"status__in": [before]})
    batch = batches.begin(deed, selection, by="ada")
    batches.work_off()
    assert statuses() == [after] * 3
    assert counted(batch) == (3, 0)


def test_one_batch_is_stopped_alone() -> None:
    one, other = (batches.begin("discard", DEAD, by="ada") for _ in range(2))
    assert ledger.stop_batch(one.id, by="me" * 200)
    assert not ledger.stop_batch(one.id, by="you")
    assert now(one).finished_at
    assert (now(one).stopped_by, now(other).finished_at) == (("me" * 200)[:255], None)


def test_there_are_no_other_deeds() -> None:
    with pytest.raises(ValueError, match="not 'delete'"):
        batches.begin("delete", DEAD, by="ada")


def test_runs_that_are_born_later_are_left_alone() -> None:
    dead(2)
    batch = batches.begin("discard", DEAD, by="ada")
    later = dead()
    batches.work_off()
    assert counted(batch) == (2, 0)
    assert row(later[0]).status == "dead"


def test_runs_that_a_preview_did_not_count_are_left_alone() -> None:
    dead(2)
    shown = DEAD.also(id__lte=str(new_run_id()))
    later = dead()
    batch = batches.begin("discard", shown, by="ada")
    batches.work_off()
    assert counted(batch) == (2, 0)
    assert row(later[0]).status == "dead"


def test_a_batch_of_a_newer_release_is_left_to_its_workers_and_holds_nobody_up() -> None:
    dead()
    newer = batches.begin("discard", DEAD, by="ada")
    models.Batch.objects.filter(id=newer.id).update(deed="polish")
    other = batches.begin("discard", DEAD, by="bob")
    batches.work_off()
    assert counted(other) == (1, 0)
    assert now(newer).finished_at is None
    assert newer.id not in {each.id for each in ledger.waiting_batches()}


def test_what_is_redriven_does_not_pretend_to_be_born_just_now(monkeypatch: Any) -> None:
    sent: list[bool] = []
    monkeypatch.setattr(publish, "publish", lambda runs, *, fresh: sent.append(fresh))
    [one] = dead()
    with transaction.atomic():
        operations.redrive(one, by="ada")
    [each() for _, each, *_ in transaction.get_connection().run_on_commit]
    assert sent == [False]


def test_runs_may_be_named_by_their_ids() -> None:
    chosen, other = dead(3), dead(1)
    batch = batches.begin("discard", Selection(ids=tuple(chosen)), by="ada")
    batches.work_off()
    assert counted(batch) == (3, 0)
    assert row(other[0]).status == "dead"


def test_a_run_that_dies_again_meanwhile_is_not_redriven_twice(monkeypatch: Any) -> None:
    ids = dead(6)
    monkeypatch.setattr(batches, "CHUNK", 2)
    batch = batches.begin("redrive", DEAD, by="ada")
    act = operations.redrive
    done: list[UUID] = []

    def redrive(run_id: UUID, **values: Any) -> None:
        act(run_id, **values)
        done.append(run_id)
        models.Run.objects.filter(id=run_id).update(status=Status.DEAD)

    monkeypatch.setitem(batches.DEEDS, "redrive", redrive)
    batches.work_off()
    assert done == ids
    assert counted(batch) == (6, 0)


def test_it_stops_in_time_and_goes_on_in_the_next_round(monkeypatch: Any) -> None:
    dead(5)
    monkeypatch.setattr(batches, "CHUNK", 2)
    monkeypatch.setattr(batches, "SECONDS", 0)
    batch = batches.begin("discard", DEAD, by="ada")
    progress = []
    for _ in range(7):
        assert batches.work_off() is True or now(batch).finished_at
        progress.append(counted(batch)[0])
    assert progress[-1] == 5
    assert len(set(progress)) > 2
    assert now(batch).finished_at


def test_two_batches_take_turns(monkeypatch: Any) -> None:
    dead(4), dead(4, step="Other")
    monkeypatch.setattr(batches, "CHUNK", 1)
    monkeypatch.setattr(batches, "SECONDS", 0)
    made = [
        batches.begin("discard", Selection(wanted={"status__in": ["dead"], "step": step}), by="a")
        for step in ("Work", "Other")
    ]
    for _ in range(2):
        batches.work_off()
    assert [counted(each) for each in made] == [(1, 0), (1, 0)]


def test_a_batch_that_is_stopped_does_no_more(monkeypatch: Any) -> None:
    dead(4)
    monkeypatch.setattr(batches, "SECONDS", 0)
    monkeypatch.setattr(batches, "CHUNK", 1)
    batch = batches.begin("discard", DEAD, by="ada")
    batches.work_off()
    assert batches.stop(batch.id, by="bob")
    assert not batches.stop(batch.id, by="eve")
    batches.work_off()
    assert counted(batch) == (1, 0)
    assert (now(batch).stopped_by, bool(now(batch).finished_at)) == ("bob", True)


def interrupted(
    monkeypatch: Any, at: int, act: Callable[[], object], name: str = "discard"
) -> None:
    """Let the deed call `act` before it does its run number `at`."""
    deed, calls = batches.DEEDS[name], [0]

    def counting(run_id: UUID, **values: Any) -> None:
        calls[0] += 1
        if calls[0] == at:
            act()
        deed(run_id, **values)

    monkeypatch.setitem(batches.DEEDS, name, counting)


def test_what_was_done_while_it_was_stopped_is_undone_and_not_counted(monkeypatch: Any) -> None:
    dead(4)
    monkeypatch.setattr(batches, "CHUNK", 2)
    batch = batches.begin("discard", DEAD, by="ada")
    interrupted(monkeypatch, 4, lambda: batches.stop(batch.id, by="bob"))
    batches.work_off()
    assert statuses() == ["cancelled", "cancelled", "dead", "dead"]


class Killed(BaseException):
    """Ends a worker in the middle."""


def test_another_worker_goes_on_where_one_was_killed(monkeypatch: Any) -> None:
    dead(6)
    monkeypatch.setattr(batches, "CHUNK", 2)
    batch = batches.begin("discard", DEAD, by="ada")

    def die() -> None:
        raise Killed

    interrupted(monkeypatch, 4, die)
    with pytest.raises(Killed), transaction.atomic():
        batches.work_off()
    with pytest.raises(Killed):
        interrupted(monkeypatch, 4, die)
        batches.work_off()
    assert counted(batch) == (2, 0)
    assert not batches.work_off()
    assert counted(batch) == (2, 0), "it is the dead worker's until its time is up"
    with time_machine.travel(timezone.now() + ledger.batches.HOLD + timedelta(seconds=1)):
        batches.work_off()
    assert counted(batch) == (6, 0)
    assert [len(each.timeline) for each in rows()] == [1] * 6


def test_many_are_run_again_once_each_though_a_worker_is_killed_on_the_way(
    monkeypatch: Any,
) -> None:
    old = dead(5, status=Status.SUCCEEDED)
    monkeypatch.setattr(batches, "CHUNK", 2)
    selection = Selection(wanted={"status__in": ["succeeded"], "step": "Work"})
    batch = batches.begin("rerun", selection, by="ada", reason="wrong", total=5)

    def die() -> None:
        raise Killed

    with monkeypatch.context() as patch:
        interrupted(patch, 4, die, "rerun")
        with pytest.raises(Killed):
            batches.work_off()
    assert [each.parent_id for each in rows(status="queued")] == old[:2]
    with time_machine.travel(timezone.now() + ledger.batches.HOLD + timedelta(seconds=1)):
        batches.work_off()
    assert [each.parent_id for each in rows(status="queued")] == old
    assert counted(batch) == (5, 0)
    for run_id, new in zip(old, rows(status="queued"), strict=True):
        [told], [repeats] = row(run_id).timeline, new.timeline
        assert (told["kind"], told["run_id"], told["reason"]) == ("rerun", str(new.id), "wrong")
        assert (repeats["kind"], repeats["by"]) == ("repeats", f"ada, batch {batch.id}")
    again = batches.begin("rerun", selection, by="ada")
    batches.work_off()
    assert counted(again) == (0, 5)


def test_a_worker_that_comes_back_does_not_go_on_with_what_is_anothers(monkeypatch: Any) -> None:
    dead(4)
    batch = batches.begin("discard", DEAD, by="ada")

    def freeze() -> None:
        other = now(batch)
        assert ledger.take_batch(other)

    interrupted(monkeypatch, 2, freeze)
    batches.work_off()
    assert counted(batch) == (0, 0)
    assert statuses() == ["dead"] * 4


def test_a_deadlock_is_tried_again(monkeypatch: Any) -> None:
    dead(3)
    batch = batches.begin("discard", DEAD, by="ada")

    def lock() -> None:
        raise OperationalError("deadlock")

    interrupted(monkeypatch, 2, lock)
    batches.work_off()
    assert counted(batch) == (3, 0)
    assert statuses() == ["cancelled"] * 3


def test_a_run_that_the_database_always_refuses_does_not_hold_up_the_others(
    monkeypatch: Any,
) -> None:
    ids = dead(4)
    batch = batches.begin("discard", DEAD, by="ada")
    real = batches.DEEDS["discard"]

    def discard(run_id: UUID, **values: Any) -> None:
        if run_id == ids[1]:
            raise OperationalError("statement timeout")
        real(run_id, **values)

    monkeypatch.setattr(batches, "DEEDS", {"discard": discard})
    batches.work_off()
    assert counted(batch) == (3, 1)
    assert now(batch).finished_at
    [reason] = now(batch).reasons
    assert "the database refused it: OperationalError: statement timeout" in reason


def test_a_database_that_is_away_refuses_nothing_and_the_batch_goes_on_later(
    monkeypatch: Any,
) -> None:
    dead(2)
    batch = batches.begin("discard", DEAD, by="ada")

    def away(*_: Any) -> bool:
        raise OperationalError("server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "advance_batch", away)
        batches.work_off()
    assert (counted(batch), statuses()) == ((0, 0), ["dead"] * 2)
    batches.work_off()
    assert counted(batch) == (2, 0)


def test_a_run_that_breaks_the_check_itself_is_refused(monkeypatch: Any) -> None:
    dead(3)
    batch = batches.begin("discard", DEAD, by="ada")

    def fail() -> None:
        raise TypeError("a broken schema")

    interrupted(monkeypatch, 2, fail)
    batches.work_off()
    assert counted(batch) == (2, 1)
    assert now(batch).reasons == {"TypeError: a broken schema": 1}


def test_a_limit_spreads_the_runs_over_the_seconds() -> None:
    dead(10)
    batch = batches.begin("discard", DEAD, by="ada", per_second=3)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        progress = []
        for _ in range(6):
            batches.work_off()
            progress.append(counted(batch)[0])
            clock.shift(0.5)
        clock.shift(60)
        batches.work_off()
        progress.append(counted(batch)[0])
    assert progress == [3, 4, 5, 6, 7, 8, 10]


def test_reasons_are_bounded(monkeypatch: Any) -> None:
    for number in range(30):
        dead(1, status="queued", step=f"Step{number}")
    deed = batches.begin("discard", Selection(wanted={"status__in": ["queued"]}), by="ada")

    def refuse(run_id: UUID, **values: Any) -> None:
        raise TypeError(row(run_id).step)

    monkeypatch.setitem(batches.DEEDS, "discard", refuse)
    batches.work_off()
    reasons = now(deed).reasons
    assert sum(reasons.values()) == 30
    assert len(reasons) == 21
    assert reasons[ledger.batches.OTHER] == 10


def test_upkeep_forgets_batches_of_long_ago() -> None:
    old, new = (batches.begin("discard", DEAD, by="ada") for _ in range(2))
    batches.work_off()
    long_ago = timezone.now() - ledger.batches.KEPT_FOR - timedelta(days=1)
    models.Batch.objects.filter(id=old.id).update(finished_at=long_ago)
    upkeep.prune()
    assert [each.id for each in models.Batch.objects.all()] == [new.id]


def test_without_a_batch_a_round_costs_one_query(django_assert_num_queries: Any) -> None:
    kept_run()
    with django_assert_num_queries(1):
        assert batches.work_off() is False


def test_a_selection_survives_being_kept() -> None:
    [one, other] = dead(2)
    before = Selection(
        wanted={"status__in": ["dead"], "finished_at__gte": timezone.now() - timedelta(hours=1)},
        unwanted={"step__in": ["Gone"]},
        ids=(one, other),
    )
    after = Selection.from_json(before.to_json())
    assert list(after.rows()) == list(before.rows()) == [row(one), row(other)]
    assert list(after.rows(after=one)) == [row(other)]


def test_a_selection_takes_no_other_lookups() -> None:
    with pytest.raises(ValueError, match="input__contains"):
        Selection(wanted={"input__contains": "x"})
    with pytest.raises(ValueError, match="error"):
        Selection.from_json({"unwanted": {"error": "x"}})
    with pytest.raises(ValueError, match="no limit"):
        Selection.from_json({**DEAD.to_json(), "limit": 5})
