"""`trace`: a tree of runs, their attempts among what happened in them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import transaction
from django.utils import timezone

from motia_django import Snooze, enqueue, models, operations, wake
from motia_django.runs import Status
from tests.commands.conftest import Fails, Steps
from tests.factories import (
    QUEUE,
    deliver,
    installed,
    kept_run,
    let_time_pass,
    make_step,
    row,
    rows,
    work_off,
)

pytestmark = pytest.mark.django_db


def test_a_trace_is_a_tree_with_timelines(steps: Steps) -> None:
    def begin(input: Any, ctx: Any) -> None:
        ctx.logger.info("beginning", {"id": 7})
        ctx.enqueue("work", {})

    first = make_step(begin, {"type": "queue", "topic": "begin"}, name="First", enqueues=["work"])
    with installed(first, make_step()):
        [run_id] = enqueue("begin")
        deliver([run_id])
        by_run = steps("trace", run_id)
        by_trace = steps("trace", rows()[0].trace_id)
        assert len(json.loads(steps("trace", run_id, "--format", "json"))) == 2
    assert by_run == by_trace
    lines = by_run.splitlines()
    assert any(line.startswith("First  succeeded") for line in lines)
    assert any(line.startswith("  Work  queued") for line in lines)
    assert 'info: beginning {"id":7}' in by_run
    assert "enqueue work -> Work" in by_run


def test_what_was_rolled_back_is_told_of_as_undone(steps: Steps) -> None:
    def begin(input: Any, ctx: Any) -> None:
        with transaction.atomic():
            ctx.enqueue("work", {})
            transaction.set_rollback(True)
        ctx.state.set("g", "k", 1)

    with installed(make_step(begin, {"type": "queue", "topic": "begin"}, name="First")):
        [run_id] = enqueue("begin")
        deliver([run_id])
        lines = [line.rpartition("s  ")[2] for line in steps("trace", run_id).splitlines()]
    assert lines[-2:] == ["enqueue work -> nobody (undone)", "state set g/k"]


def test_a_long_chain_is_not_indented_without_end(steps: Steps) -> None:
    def chain(left: Any, ctx: Any) -> None:
        if left:
            ctx.enqueue("work", left - 1)

    with installed(make_step(chain, enqueues=["work"])):
        enqueue("work", 30)
        work_off(rounds=40)
        told = steps("trace", rows()[0].trace_id)
    lines = [line for line in told.splitlines() if line.lstrip().startswith("Work")]
    assert len(lines) == 31
    assert max(len(line) - len(line.lstrip()) for line in lines) == 24


def test_a_trace_tells_where_it_comes_from_and_where_it_goes_on(steps: Steps) -> None:
    def begin(input: Any, ctx: Any) -> None:
        ctx.enqueue("work", newTrace=True)

    first = make_step(begin, {"type": "queue", "topic": "begin"}, name="First", enqueues=["work"])
    with installed(first, make_step()):
        enqueue("begin")
        work_off()
        [one], [other] = rows(step="First"), rows(step="Work")
        before, after = steps("trace", one.trace_id), steps("trace", other.trace_id)
    assert before.splitlines()[-1] == f"begins Work  {other.id}  in trace {other.trace_id}"
    assert after.splitlines()[-1] == f"begun by First  {one.id}  in trace {one.trace_id}"


@pytest.mark.parametrize("id", ["nonsense", "0" * 32, "01a20471-6247-70bc-9f51-1d2a934d20bd"])
def test_a_trace_that_is_not_there_is_said_so(id: str, steps: Steps) -> None:
    with pytest.raises(CommandError, match="There is no trace, no run and no index key"):
        steps("trace", id)


def fails(input: Any, ctx: Any) -> None:
    ctx.logger.info("Trying")
    raise LookupError("no answer")


def test_snoozes_are_a_quiet_line_between_the_attempts(steps: Steps) -> None:
    raised = [Snooze("the bank is closed", after=0), LookupError("no answer")]
    raised += [Snooze("the bank is closed", after=0)] * 3

    def handler(input: Any) -> None:
        if raised:
            raise raised.pop(0)

    with installed(make_step(handler)):
        [run_id] = enqueue("work")
        deliver([run_id])
        for _ in range(4):
            let_time_pass(run_id)
            deliver([run_id])
        waiting = steps("trace", run_id)
        let_time_pass(run_id)
        deliver([run_id])
        over = steps("trace", run_id).splitlines()
    assert "scheduled  queue work" in waiting
    assert "  Work  succeeded, attempt 2  " in f"  {over[2]}"
    told = [re.sub(r"20[\d :-]+\d|\d\.\d{3}", "*", each).strip() for each in over[3:]]
    assert told == [
        "+* s  snoozed until *, when it was due: the bank is closed",
        "attempt 1  *  failed after * s: LookupError: no answer",
        "+* s  snoozed 3 times, until *, when it was due: the bank is closed",
    ]
    assert re.search(r"  took \d\.\d{3} s in 4 calls  ", over[2])


def test_who_has_woken_a_run_is_told_and_how_long_all_of_its_calls_took(steps: Steps) -> None:
    def ship(input: Any, ctx: Any) -> None:
        wake(input)

    raised = [Snooze("its order goes on", after=3600)]

    def conduct(input: Any) -> None:
        if raised:
            raise raised.pop()

    shipping = make_step(ship, {"type": "queue", "topic": "ship"}, name="ShipOrder")
    with installed(make_step(conduct), shipping):
        [run_id] = enqueue("work")
        deliver([run_id])
        [waker] = enqueue("ship", run_id)
        deliver([waker, run_id])
        told = steps("trace", run_id).splitlines()[2:]
    assert "  took " in told[0] and " s in 2 calls  " in told[0]
    assert re.fullmatch(r" +\+[\d.]+ s  snoozed until [\d :-]+: its order goes on", told[1])
    assert re.fullmatch(rf" +woken at [\d :-]+ by ShipOrder, run {waker}", told[2])
    assert len(told) == 3


def test_each_attempt_that_failed_is_a_line_and_so_is_a_redrive(steps: Steps) -> None:
    with installed(make_step(fails, {**QUEUE, "config": {"maxRetries": 1}})):
        [run_id] = enqueue("work")
        deliver([run_id])
        let_time_pass(run_id)
        deliver([run_id])
        operations.redrive(row(run_id).id, by="ada")
        deliver([run_id])
        told, at_length = steps("trace", run_id), steps("trace", run_id, "--traceback")
    lines = [
        re.sub(r"[\d:-]{5,}( [\d:]{8})?|\d\.\d{3}", "*", each) for each in told.splitlines()[3:]
    ]
    attempt = "attempt {}  *  failed after * s: LookupError: no answer"
    assert [line.strip() for line in lines if "Trying" not in line] == [
        attempt.format(1),
        attempt.format(2),
        lines[4].strip(),
        attempt.format(1),
    ]
    assert lines[4].strip().startswith("redriven by ada at")
    assert told.count("info: Trying") == 3
    assert "Traceback" not in told
    assert at_length.count('raise LookupError("no answer")') == 3


def test_an_entry_without_its_attempt_is_told_all_the_same(steps: Steps) -> None:
    error = {"at": 1.5, "kind": "error", "message": "ValueError: no", "traceback": "at home"}
    run = kept_run()
    models.Run.objects.filter(id=run.id).update(timeline=[error], error="ValueError: no")
    with installed(make_step()):
        told = steps("trace", str(run.id), "--traceback").splitlines()
    assert [line.strip() for line in told[3:]] == ["+1.500 s  error: ValueError: no", "at home"]


def test_a_run_that_goes_on_says_how_long_and_one_that_waits_nothing(steps: Steps) -> None:
    run = kept_run()
    assert re.search(r"work  \+0\.000 s  \w{8}-", steps("trace", str(run.id)))
    models.Run.objects.filter(id=run.id).update(status=Status.RUNNING, started_at=timezone.now())
    assert re.search(r"\+0\.000 s  running for \d+\.\d{3} s  \w{8}-", steps("trace", str(run.id)))


def test_a_run_that_goes_on_says_in_which_process_of_which_worker(steps: Steps) -> None:
    run, goes_on = kept_run(), {"status": Status.RUNNING, "started_at": timezone.now()}
    models.Run.objects.filter(id=run.id).update(**goes_on, worker="waiting@shop/4711")
    told = steps("trace", str(run.id))
    assert re.search(r"running for \d+\.\d{3} s on waiting@shop/4711  \w{8}-", told)
    [listed] = json.loads(steps("runs", "--format", "json"))
    assert listed["worker"] == "waiting@shop/4711"


def test_runs_are_found_by_their_index_key(steps: Steps, fails: Fails) -> None:
    with installed(make_step(lambda: 1 / 0, {**QUEUE, "config": {"maxRetries": 0}}, index=["id"])):
        ids = enqueue("work", {"id": "A-17"}) + enqueue("work", {"id": "A-17"})
        others = enqueue("work", {"id": "A-18"})
        deliver([*ids, *others])
        told = json.loads(steps("trace", "id=A-17", "--format", "json"))
        assert [each["id"] for each in told] == ids
        assert "A-17" in fails("redrive", "A-17")[1]
        steps("redrive", "--key", "A-17", "--yes")
    assert {str(each.id) for each in rows(status=Status.QUEUED)} == set(ids)
