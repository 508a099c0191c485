"""Trying again: what waits at once, what is finished as a new run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections
from django.utils import timezone

from motia_django import enqueue, invoke, ledger, models, operations, repeats
from motia_django.exceptions import CannotIntervene, Retry
from motia_django.runs import Status
from tests.factories import (
    deliver,
    installed,
    kept_run,
    let_time_pass,
    make_step,
    published,
    row,
    rows,
    work_off,
)

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FINAL = [each for each in Status if each.final]
seen: list[Any] = []


def handle(input: Any) -> Any:
    seen.append(input)
    if input.get("fail"):
        raise Retry("not yet", after=600)
    return {"n": input["n"]}


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    seen.clear()
    work = make_step(handle, {"type": "queue", "topic": "work", "input": SCHEMA})
    ordered = {"type": "queue", "topic": "ordered", "config": {"type": "fifo"}}
    web = make_step(lambda: None, {"type": "http", "path": "/nowhere"}, name="Web")
    with installed(work, web, make_step(handle, ordered, name="Ordered")):
        yield


def refusal(run_id: Any, **changes: Any) -> str:
    """Return why a run is not run again."""
    before = models.Run.objects.count()
    with pytest.raises(CannotIntervene) as error:
        repeats.rerun(run_id, by="me", **changes)
    assert models.Run.objects.count() == before
    return str(error.value)


# -- at once


def test_a_run_in_backoff_is_tried_before_its_time() -> None:
    [run_id] = enqueue("work", {"n": 1, "fail": True})
    deliver([run_id])
    assert row(run_id).status == "scheduled"
    models.Run.objects.filter(id=run_id).update(input={"n": 1})
    with published() as sent:
        repeats.retry(UUID(run_id), by="me", reason="it is mended")
    assert sent == [run_id]
    assert row(run_id).publishes == 1
    deliver([run_id])
    assert (row(run_id).status, row(run_id).attempt) == ("succeeded", 2)
    noted = [each for each in row(run_id).timeline if each["kind"] == "retried"]
    assert [(each["by"], each["reason"]) for each in noted] == [("me", "it is mended")]


def test_a_delayed_message_is_sent_before_its_time() -> None:
    [run_id] = enqueue({"topic": "work", "data": {"n": 1}, "delaySeconds": 3600})
    with published() as sent:
        repeats.retry(UUID(run_id), by="me")
    assert sent == [run_id]
    assert row(run_id).status == "queued"


def test_a_queued_run_is_sent_once_more_and_runs_once() -> None:
    [run_id] = enqueue("work", {"n": 1})
    with published() as sent:
        repeats.retry(UUID(run_id), by="me")
    assert sent == [run_id]
    deliver([run_id, run_id])
    assert seen == [{"n": 1}]


def test_a_run_that_holds_its_order_is_tried_at_once() -> None:
    [first] = enqueue("ordered", {"n": 1, "fail": True})
    [second] = enqueue("ordered", {"n": 2})
    deliver([first])
    with published() as sent:
        repeats.retry(UUID(first), by="me")
    assert sent == [first]
    with published() as sent:
        repeats.retry(UUID(second), by="me")
    assert sent == []


@pytest.mark.parametrize("status", [*FINAL, Status.RUNNING])
def test_what_does_not_wait_is_not_tried_at_once(status: Status) -> None:
    run = kept_run(status=status)
    with pytest.raises(CannotIntervene, match=f"is {status}: only runs that are scheduled"):
        repeats.retry(run.id, by="me")
    assert row(run).timeline == []


def test_a_run_of_a_paused_step_is_not_tried_at_once() -> None:
    run = kept_run()
    operations.pause("Work", by="me")
    with pytest.raises(CannotIntervene, match="paused"):
        repeats.retry(run.id, by="me")


def test_a_run_without_a_step_is_not_tried_at_once() -> None:
    with pytest.raises(CannotIntervene, match="no Step 'Gone'"):
        repeats.retry(kept_run(step="Gone").id, by="me")


def test_a_run_that_was_claimed_meanwhile_is_left_alone() -> None:
    run = kept_run()
    seen_row = operations.row_of(run.id)
    deliver([run.id])
    assert not ledger.retry(seen_row, run, {"kind": "retried"})
    assert row(run).attempt == 1


# -- as a new run


def test_a_run_that_succeeded_is_run_again_as_another() -> None:
    [old] = enqueue("work", {"n": 1})
    work_off()
    new = repeats.rerun(UUID(old), by="me", reason="the mail was lost")
    work_off()
    assert seen == [{"n": 1}, {"n": 1}]
    assert (row(new).status, row(new).parent_id) == ("succeeded", UUID(old))
    assert row(new).trace_id != row(old).trace_id
    told, made = row(old).timeline[-1], row(new).timeline[0]
    assert (told["kind"], told["run_id"], told["by"]) == ("rerun", str(new), "me")
    assert (made["kind"], made["run_id"], made["reason"]) == ("repeats", old, "the mail was lost")


@pytest.mark.parametrize("status", FINAL)
def test_a_run_is_run_again_whatever_became_of_it(status: Status) -> None:
    run = kept_run(input={"n": 3})
    models.Run.objects.filter(id=run.id).update(status=status)
    assert row(repeats.rerun(run.id, by="me")).status == "queued"
    assert row(run).status == status


def test_a_run_is_run_again_with_another_input() -> None:
    run = kept_run(input={"n": 1}, status=Status.SUCCEEDED)
    new = repeats.rerun(run.id, by="me", input={"n": 2})
    assert row(new).input == {"n": 2}
    assert row(new).timeline[0]["input"] == "edited"


def test_an_invocation_is_run_again_as_a_message() -> None:
    invoke("Work", {"n": 5})
    [old] = rows()
    new = row(repeats.rerun(old.id, by="me"))
    assert (new.trigger, new.source) == ("queue", "work")
    work_off()
    assert row(new.id).output == {"n": 5}


def test_a_run_again_keeps_its_order() -> None:
    [old] = enqueue({"topic": "ordered", "data": {"n": 1}, "messageGroupId": "g"})
    work_off()
    new = row(repeats.rerun(UUID(old), by="me"))
    assert (new.message_group, new.limited) == ("g", True)
    work_off()
    assert not models.Turn.objects.exists()


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SCHEDULED, Status.RUNNING])
def test_what_is_not_finished_is_not_run_again(status: Status) -> None:
    assert f"is {status}: only finished" in refusal(kept_run(status=status).id)


def test_what_answered_a_request_is_not_run_again() -> None:
    run = kept_run(step="Web", trigger="http", source="GET /nowhere", status=Status.SUCCEEDED)
    assert "answered a request" in refusal(run.id)
    invoked = kept_run(step="Web", trigger="invoke", status=Status.SUCCEEDED)
    assert "answered a request" in refusal(invoked.id)


def test_what_has_no_step_or_is_not_there_is_not_run_again() -> None:
    assert "no Step named 'Gone'" in refusal(kept_run(step="Gone", status=Status.DEAD).id)
    assert "is not there" in refusal(uuid4())


def test_an_input_that_was_masked_or_cut_has_to_be_given_whole() -> None:
    [old] = enqueue("work", {"n": 1, "token": "t-1"})
    work_off()
    for refused in (refusal(UUID(old)), refusal(UUID(old), input={"n": 1, "token": "********"})):
        assert "masked when the run was over: token (" in refused
        assert '"redact"' in refused
        assert "by --input" in refused
    new = repeats.rerun(UUID(old), by="me", input={"n": 1, "token": "t-1"})
    assert row(new).input["token"] == "t-1"
    invoke("Work", {"n": 1, "text": "x" * 100_000})
    assert "only its beginning was kept" in refusal(rows(trigger="invoke")[0].id)


def test_masks_that_were_copied_are_put_back_if_what_they_hide_was_kept() -> None:
    dead = kept_run(input={"n": 1, "token": "t-1"}, status=Status.DEAD)
    new = repeats.rerun(dead.id, by="me", input={"n": 2, "token": "********"})
    assert row(new).input == {"n": 2, "token": "t-1"}
    assert "text: ********" in refusal(dead.id, input={"n": 2, "text": "********"})


def test_an_input_that_breaks_todays_schema_is_not_run_again() -> None:
    run = kept_run(input={"n": "x"}, status=Status.SUCCEEDED)
    assert "n" in refusal(run.id)
    assert "n" in refusal(run.id, input=None)
    assert repeats.refusal(run.id, input={"n": 1}) == ""


def test_a_run_that_was_redriven_meanwhile_is_not_run_again() -> None:
    run = kept_run(input={"n": 1}, status=Status.DEAD)
    before = operations.row_of(run.id)
    operations.redrive(run.id, by="somebody")
    assert not ledger.rerun(before, run, {"kind": "rerun"})


# -- by two at once


def test_whoever_repeats_a_run_keeps_the_note_of_who_did_just_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting, [finished] = kept_run(), enqueue("work", {"n": 1})
    deliver([finished])
    for act, run_id in ((repeats.retry, waiting.id), (repeats.rerun, UUID(finished))):
        seen_row = operations.row_of(run_id)
        act(run_id, by="ada")
        with monkeypatch.context() as patch:
            patch.setattr(repeats, "row_of", lambda run_id, seen_row=seen_row: seen_row)
            try:
                act(run_id, by="bob")
                told = ["ada", "bob"]
            except CannotIntervene:
                told = ["ada"]
        assert [note["by"] for note in row(run_id).timeline] == told


def test_of_many_who_retry_a_run_at_once_each_leaves_a_note() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("in-memory SQLite has no real concurrency")
    run = kept_run()

    def retry(number: int) -> str | None:
        try:
            repeats.retry(run.id, by=str(number))
            return str(number)
        except CannotIntervene:
            return None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        done = set(pool.map(retry, range(12))) - {None}
    assert {note["by"] for note in row(run).timeline} == done


def test_one_of_many_is_run_again_once_and_by_its_own_id_as_often_as_one_likes() -> None:
    [old] = enqueue("work", {"n": 1})
    work_off()
    repeats.rerun_once(UUID(old), by="ada")
    for _ in range(2):
        with pytest.raises(CannotIntervene, match=f"run {old} was run again already"):
            repeats.rerun_once(UUID(old), by="bob")
    new = repeats.rerun(UUID(old), by="bob")
    work_off()
    assert [each.reason for each in repeats.refusals(rows())] == [
        "this run was run again already: once more it is run by its own id only",
        "",
        "",
    ]
    repeats.rerun_once(new, by="ada")
    assert len(rows(parent_id=new)) == 1
    with pytest.raises(CannotIntervene, match="is not there"):
        repeats.rerun_once(uuid4(), by="ada")


def test_of_many_who_run_many_again_at_once_one_does_each() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("in-memory SQLite has no real concurrency")
    old = [kept_run(input={"n": 1}, status=Status.SUCCEEDED).id for _ in range(6)]

    def rerun_all(number: int) -> int:
        try:
            act = partial(repeats.rerun_once, by=str(number))
            return sum(not each.refusal for each in operations.many(old, act))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(rerun_all, range(4))) == 6
    assert [len(rows(parent_id=each)) for each in old] == [1] * 6


# -- when each attempt was


def test_the_timeline_tells_when_each_attempt_that_failed_was() -> None:
    [run_id] = enqueue("work", {"n": 1, "fail": True})
    began = timezone.now()
    deliver([run_id])
    let_time_pass(run_id)
    deliver([run_id])
    tried = [each for each in row(run_id).timeline if each["kind"] == "attempt"]
    assert [each["attempt"] for each in tried] == [1, 2]
    assert all(each["error"] == "Retry: not yet" for each in tried)
    assert began.isoformat() <= tried[0]["began"] <= tried[0]["ended"] <= tried[1]["began"]


def test_an_attempt_that_succeeds_adds_nothing_to_the_timeline() -> None:
    [run_id] = enqueue("work", {"n": 1})
    work_off()
    assert row(run_id).timeline == []


def test_an_attempt_whose_worker_was_lost_is_told_from_its_beginning() -> None:
    run = kept_run(input={"n": 1})
    lease = timedelta(seconds=60)
    claimed = ledger.claim(run.id, worker="w", lease=lease)
    assert claimed is not None
    models.Run.objects.filter(id=run.id).update(wake_at=timezone.now())
    [lost] = ledger.take_lost(10)
    assert ledger.lost_outcome(lost).started_at == row(run).started_at
