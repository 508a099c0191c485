"""Errors of dead runs: their fingerprints are kept as long as they hold, and their runs counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from pydantic import BaseModel

from motia_django import enqueue, invoke, ledger, models, operations
from motia_django.celery_app import project_app, task_name
from motia_django.fingerprints import LENGTH
from motia_django.ledger import errors
from motia_django.models import FilledIndex
from motia_django.runs import Status, new_run_id
from motia_django.upkeep import upkeep
from tests.factories import (
    deliver,
    installed,
    kept_run,
    let_time_pass,
    make_run,
    make_step,
    row,
    rows,
    work_off,
)
from tests.ledger.taking import begin

pytestmark = pytest.mark.django_db


class Amount(BaseModel):
    amount: int


def queue(**config: Any) -> dict[str, Any]:
    return {"type": "queue", "topic": "work", "config": {"maxRetries": 0, **config}}


def failing(input: Any) -> None:
    raise ValueError(f"order {input} is wrong")


def sent(data: Any = None) -> str:
    [run_id] = enqueue("work", data)
    deliver([run_id])
    return run_id


def mark_of(run_id: Any) -> str | None:
    return row(run_id).fingerprint


def test_runs_that_die_of_the_same_error_have_the_same_fingerprint() -> None:
    with installed(make_step(failing, queue())):
        one, other = sent(1), sent(22)
    assert mark_of(one) == mark_of(other)
    assert len(mark_of(one) or "") == LENGTH


def test_a_run_that_is_to_be_tried_again_has_one_until_it_succeeds() -> None:
    broken = [True]

    def handler(input: Any) -> None:
        if broken.pop():
            raise ValueError("broken")
        broken.append(False)

    broken = [False, True]
    with installed(make_step(handler, queue(maxRetries=1, backoffDelayMs=0))):
        run_id = sent()
        assert (row(run_id).status, bool(mark_of(run_id))) == ("scheduled", True)
        let_time_pass(run_id)
        assert (row(run_id).status, bool(mark_of(run_id))) == ("queued", True)
        deliver([run_id])
    assert (row(run_id).status, mark_of(run_id)) == ("succeeded", None)


def test_rejected_input_a_lost_worker_and_a_loop_have_one_each() -> None:
    step = make_step(failing, {**queue(), "input": Amount})
    with installed(step):
        rejected = mark_of(sent({}))
        lost = kept_run()
        begin(lost.id)
        models.Run.objects.filter(id=lost.id).update(wake_at=timezone.now())
        upkeep()
    with installed(make_step(lambda: enqueue("work"), queue(), enqueues=["work"])):
        with override_settings(MOTIA={"MAX_DEPTH": 1}):
            enqueue("work")
            work_off()
    [born_dead] = rows(depth=2)
    marks = [rejected, mark_of(lost), born_dead.fingerprint]
    assert all(marks)
    assert len(set(marks)) == 3


def test_light_and_invoked_runs_that_fail_have_one() -> None:
    run = make_run(input=1, light=True)
    with installed(make_step(failing, queue(), record="failures")):
        task = project_app().tasks[task_name("Work")]
        task.apply(args=(str(run.id), run.to_message()), throw=True)
        with pytest.raises(ValueError, match="wrong"):
            invoke("Work", 2)
    assert [bool(each.fingerprint) for each in rows(status=Status.DEAD)] == [True, True]


@pytest.mark.parametrize("act", [operations.redrive, operations.discard])
def test_what_an_operator_has_looked_at_has_none(act: Any) -> None:
    with installed(make_step(failing, queue())):
        run = row(sent())
        act(run.id, by="ada")
    assert mark_of(run.id) is None


def test_a_retry_that_is_cancelled_has_none() -> None:
    with installed(make_step(failing, queue(maxRetries=3))):
        run_id = sent()
        operations.cancel(row(run_id).id, by="ada")
    assert (row(run_id).status, mark_of(run_id)) == ("cancelled", None)


def dead(mark: str | None, minutes: int = 0, **values: Any) -> models.Run:
    """Insert a run that died so many minutes ago."""
    usual = {
        "id": new_run_id(),
        "step": "Work",
        "trigger": "queue",
        "status": Status.DEAD,
        "trace_id": "a" * 32,
        "error": f"E: {mark}",
        "fingerprint": mark,
        "finished_at": timezone.now() - timedelta(minutes=minutes),
    }
    return models.Run.objects.create(**{**usual, **values})


def test_dead_runs_are_counted_by_error_the_newest_first() -> None:
    first = dead("a" * 16, minutes=9)
    dead("a" * 16, minutes=5)
    last = dead("a" * 16, minutes=3)
    alone = dead("b" * 16, minutes=1)
    dead(None)
    dead("a" * 16, status=Status.SCHEDULED)
    dead("c" * 16, status=Status.QUEUED)
    groups, is_cut = ledger.dead_by_error()
    assert not is_cut
    assert [(each.fingerprint, each.runs) for each in groups] == [("b" * 16, 1), ("a" * 16, 3)]
    assert [groups[1].first.id, groups[1].last.id] == [first.id, last.id]
    assert groups[0].first.id == groups[0].last.id == alone.id
    assert groups[0].last.error == f"E: {'b' * 16}"
    assert "input" in groups[0].last.get_deferred_fields()


def test_without_dead_runs_there_is_no_error() -> None:
    assert ledger.dead_by_error() == ([], False)
    assert ledger.dead_by(["a" * 16]) == []


def test_what_is_too_much_is_cut_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "MOST_ERRORS", 3)
    monkeypatch.setattr(errors, "MOST_RUNS", 2)
    monkeypatch.setattr(errors, "_NEWEST", 2)
    for number in range(5):
        dead(f"{number}" * 16, minutes=10 - number)
    for _ in range(4):
        dead("4" * 16)
    groups, is_cut = ledger.dead_by_error()
    assert is_cut
    assert len(groups) == 3
    assert (groups[0].fingerprint, groups[0].runs) == ("4" * 16, 3)
    monkeypatch.setattr(errors, "MOST_ERRORS", 5)
    groups, is_cut = ledger.dead_by_error()
    assert (len(groups), is_cut) == (5, False)


def test_the_errors_of_a_few_steps_are_found_below_those_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(errors, "MOST_ERRORS", 3)
    monkeypatch.setattr(errors, "_NEWEST", 2)
    dead("f" * 16, step="Mine", minutes=99)
    for number in range(8):
        dead(f"{number}" * 16, step="Other", minutes=number)
    for _ in range(3):
        dead("e" * 16, step="Mine", minutes=9)
    groups, is_cut = ledger.dead_by_error(["Mine"])
    assert [(each.fingerprint, each.runs) for each in groups] == [("e" * 16, 3), ("f" * 16, 1)]
    assert not is_cut
    assert ledger.dead_by_error([]) == ([], False)
    monkeypatch.setattr(errors, "_LOOKED_AT", 2)
    groups, is_cut = ledger.dead_by_error(["Mine"])
    assert ([each.fingerprint for each in groups], is_cut) == (["e" * 16], True)


def test_few_queries_suffice_for_many_errors(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        dead(f"{number:016d}")
    with django_assert_num_queries(3):
        ledger.dead_by_error()
    monkeypatch.setattr(errors, "_NEWEST", 10)
    with django_assert_num_queries(4):
        groups, is_cut = ledger.dead_by_error()
    assert (len(groups), is_cut) == (60, False)


def test_the_index_of_errors_leaves_out_what_has_none_where_it_can() -> None:
    index = next(each for each in models.Run._meta.indexes if isinstance(each, FilledIndex))
    editor = connection.schema_editor(collect_sql=True)
    statement = str(index.create_sql(models.Run, editor))
    can = connection.features.supports_partial_indexes
    assert ("IS NOT NULL" in statement) is can
    assert FilledIndex(*index.deconstruct()[1], **index.deconstruct()[2]) == index
