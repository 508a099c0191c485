"""What operators do to runs and Steps, from the domain's side: the doors are tested elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection, connections
from django.test import override_settings
from django.utils import timezone
from pydantic import BaseModel, field_validator

from motia_django import enqueue, ledger, models, operations, upkeep
from motia_django.dispatch import tick
from motia_django.exceptions import CannotIntervene, UnknownStep
from motia_django.payloads import MASK, dumps, is_cut
from motia_django.redriving import AS_IT_WAS
from motia_django.runs import Run, Status, lowest_id_at
from motia_django.timeline import in_words
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

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ONCE = {"maxRetries": 0}
FIFO = {"type": "queue", "topic": "work", "config": {"type": "fifo", **ONCE}}
LIMITED = {"type": "queue", "topic": "work", "config": {"concurrency": 1, **ONCE}}


class Amount(BaseModel):
    amount: int


AMOUNTS = {"type": "queue", "topic": "work", "input": Amount, "config": ONCE}


class Fussy(BaseModel):
    """A schema that raises what it should not, or breaks what the database demands."""

    amount: int

    @field_validator("amount")
    @classmethod
    def _known(cls, value: int) -> int:
        if value == 13:
            raise KeyError("unlucky")
        if value == 14:
            for _ in range(2):
                models.Pause.objects.create(step="Some other")
        return value


class Mended:
    """A handler that fails until its cause is mended."""

    def __init__(self) -> None:
        self.works = False
        self.seen: list[Any] = []

    def __call__(self, input: Any) -> None:
        self.seen.append(input)
        if not self.works:
            raise ValueError("broken")


@pytest.fixture
def handler() -> Mended:
    return Mended()


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """The ids of the runs that were handed to the broker."""
    with published() as ids:
        yield ids


def dead_run(data: Any = None, **keys: Any) -> UUID:
    """Return a run of the installed Step that has just died."""
    [run_id] = enqueue("work", data, **keys)
    deliver([run_id])
    assert row(run_id).status == Status.DEAD
    return UUID(run_id)


def kinds(run_id: UUID) -> list[str]:
    return [entry["kind"] for entry in row(run_id).timeline]


# -- redrive


def test_a_redriven_run_is_the_same_run_with_its_attempts_afresh(handler: Mended) -> None:
    step = make_step(handler, {"type": "queue", "topic": "work", "config": {"maxRetries": 1}})
    with installed(step):
        [run_id] = enqueue("work", {"n": 1})
        deliver([run_id])
        let_time_pass(run_id)
        deliver([run_id])
        assert (row(run_id).status, row(run_id).attempt) == (Status.DEAD, 2)
        operations.redrive(UUID(run_id), by="ada", reason="mended")
        assert (row(run_id).status, row(run_id).attempt) == (Status.QUEUED, 0)
        deliver([run_id])
        assert (row(run_id).status, row(run_id).attempt) == (Status.SCHEDULED, 1)
        handler.works = True
        let_time_pass(run_id)
        deliver([run_id])
    assert row(run_id).status == Status.SUCCEEDED
    assert len(rows()) == 1
    note = next(entry for entry in row(run_id).timeline if entry["kind"] == "redriven")
    assert (note["by"], note["reason"], note["attempts"]) == ("ada", "mended", 2)


def test_a_redriven_run_is_published(
    handler: Mended, sent: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with installed(make_step(handler, AMOUNTS)), override_settings(DEBUG=False):
        run_id = dead_run({"amount": 1})
        with django_capture_on_commit_callbacks(execute=True):
            operations.redrive(run_id, by="ada")
    assert sent == [str(run_id)]


def test_a_run_is_redriven_with_another_input(handler: Mended) -> None:
    with installed(make_step(handler, AMOUNTS)):
        run_id = dead_run({"amount": 1})
        handler.works = True
        operations.redrive(run_id, by="ada", input={"amount": 2})
        deliver([str(run_id)])
    assert handler.seen[-1] == Amount(amount=2)
    assert row(run_id).status == Status.SUCCEEDED
    note = next(entry for entry in row(run_id).timeline if entry["kind"] == "redriven")
    assert (note["input"], note["old"]) == ("edited", {"amount": 1})


def test_what_the_input_was_is_noted_masked_and_cut(handler: Mended) -> None:
    with installed(make_step(handler, {"type": "queue", "topic": "work", "config": ONCE})):
        for old in ({"id": 1, "door": {"password": "p-1"}}, {"id": 2, "text": "x" * 9000}):
            run_id = dead_run(old)
            operations.redrive(run_id, by="ada", input={"id": 3})
    secret, large = (each.timeline[-1] for each in rows())
    assert secret["old"] == {"id": 1, "door": {"password": MASK}}
    assert is_cut(large["old"])
    assert len(dumps(large)) < 5000


def test_a_redrive_with_the_same_input_says_nothing_of_it(handler: Mended) -> None:
    with installed(make_step(handler, AMOUNTS)):
        run_id = dead_run({"amount": 1})
        operations.redrive(run_id, by="ada", input={"amount": 1})
    assert not {"input", "old"} & set(row(run_id).timeline[-1])


@pytest.mark.parametrize("to", [None, "Other"])
def test_masks_that_were_copied_are_put_back(handler: Mended, to: str | None) -> None:
    told = {"to": [{"password": "p-1"}], "door": {"password": "p-2"}, "n": 1}
    queue = {"type": "queue", "topic": "work", "config": ONCE}
    other = make_step(handler, {"type": "queue", "topic": "other"}, name="Other")
    with installed(make_step(handler, queue), other):
        run_id = dead_run(told)
        copied = {"to": [{"password": MASK}], "door": {"password": MASK}, "n": 2}
        operations.redrive(run_id, by="ada", input=copied, to=to)
    assert row(run_id).input == {**told, "n": 2}


def test_what_was_copied_and_not_changed_is_the_same_input(handler: Mended) -> None:
    with installed(make_step(handler, {"type": "queue", "topic": "work", "config": ONCE})):
        run_id = dead_run({"password": "p-1"})
        operations.redrive(run_id, by="ada", input={"password": MASK})
    assert row(run_id).input == {"password": "p-1"}
    assert "old" not in row(run_id).timeline[-1]


@pytest.mark.parametrize("insist", [False, True])
def test_a_mask_where_nothing_was_masked_is_refused(handler: Mended, insist: bool) -> None:
    with installed(make_step(handler, {"type": "queue", "topic": "work", "config": ONCE})):
        run_id = dead_run({"door": {"name": "n"}})
        changes: Any = {"input": {"door": {"name": MASK}}, "insist": insist}
        with pytest.raises(CannotIntervene, match=r"door\.name: \*{8} stands where"):
            operations.redrive(run_id, by="ada", **changes)
        assert "write it out" in operations.refusal(run_id, **changes)
    assert (row(run_id).status, row(run_id).input) == (Status.DEAD, {"door": {"name": "n"}})


def test_null_is_an_input_like_any_other(handler: Mended) -> None:
    with installed(make_step(handler, {"type": "queue", "topic": "work", "config": ONCE})):
        run_id = dead_run({"n": 1})
        operations.redrive(run_id, by="ada", input=None)
    assert row(run_id).input is None


@pytest.mark.parametrize("given", [{"amount": "x"}, None, {}])
def test_an_input_that_breaks_todays_schema_is_refused_unless_one_insists(
    handler: Mended, given: Any
) -> None:
    with installed(make_step(handler, AMOUNTS)):
        run_id = dead_run({"amount": 1})
        assert "is invalid" in operations.refusal(run_id, input=given)
        with pytest.raises(CannotIntervene, match="is invalid"):
            operations.redrive(run_id, by="ada", input=given)
        assert (row(run_id).status, row(run_id).input) == (Status.DEAD, {"amount": 1})
        operations.redrive(run_id, by="ada", input=given, insist=True)
    assert (row(run_id).status, row(run_id).input) == (Status.QUEUED, given)


def test_what_can_be_redriven_has_no_refusal(handler: Mended) -> None:
    with installed(make_step(handler, AMOUNTS)):
        assert operations.refusal(dead_run({"amount": 1})) == ""


@pytest.mark.parametrize(
    "status", [each for each in Status if each is not Status.DEAD], ids=lambda each: each.value
)
def test_only_dead_runs_are_redriven_and_discarded(status: Status) -> None:
    run = kept_run(status=status)
    with installed(make_step()):
        says = f"is {status}: only dead runs are"
        assert says in operations.refusal(run.id)
        with pytest.raises(CannotIntervene, match=says):
            operations.redrive(run.id, by="ada")
        with pytest.raises(CannotIntervene, match=says):
            operations.discard(run.id, by="ada")
    assert (row(run).status, row(run).timeline) == (status, [])


@pytest.mark.parametrize("kind", ["http", "invoke"])
def test_a_run_whose_caller_has_had_its_answer_is_not_redriven(kind: str) -> None:
    run = kept_run(status=Status.DEAD, trigger=kind)
    with installed(make_step()), pytest.raises(CannotIntervene, match="has had it"):
        operations.redrive(run.id, by="ada")


def test_a_run_that_is_not_there_is_said_so() -> None:
    unknown = uuid4()
    assert operations.refusal(unknown) == f"run {unknown} is not there"
    for act in (operations.redrive, operations.discard, operations.cancel):
        with pytest.raises(CannotIntervene, match="is not there"):
            act(unknown, by="ada")


def test_who_redrives_after_another_has_is_refused(handler: Mended) -> None:
    with installed(make_step(handler, AMOUNTS)):
        run_id = dead_run({"amount": 1})
        operations.redrive(run_id, by="ada")
        with pytest.raises(CannotIntervene, match="is queued: only dead runs"):
            operations.redrive(run_id, by="bob")
    assert kinds(run_id).count("redriven") == 1


def test_of_two_who_saw_the_same_dead_run_one_redrives_it(
    handler: Mended, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installed(make_step(handler, AMOUNTS)):
        run_id = dead_run({"amount": 1})
        seen = row(run_id)
        operations.redrive(run_id, by="ada", input={"amount": 2})
        monkeypatch.setattr(operations, "row_of", lambda run_id: seen)
        with pytest.raises(CannotIntervene, match="changed by somebody else"):
            operations.redrive(run_id, by="bob", input={"amount": 3})
    assert row(run_id).input == {"amount": 2}


@pytest.mark.django_db(transaction=True)
def test_of_many_redrives_at_once_one_is_done(handler: Mended, sent: list[str]) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("in-memory SQLite has no real concurrency")

    def redrive(number: int) -> bool:
        try:
            operations.redrive(run_id, by=str(number), input={"amount": number})
        except CannotIntervene:
            return False
        finally:
            connections.close_all()
        return True

    with installed(make_step(handler, AMOUNTS)):
        run_id = dead_run({"amount": 1})
        sent.clear()
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(redrive, range(8)))
    assert done.count(True) == 1
    assert row(run_id).input == {"amount": done.index(True)}
    assert kinds(run_id).count("redriven") == 1
    assert sent == [str(run_id)]


def test_a_redriven_fifo_run_waits_behind_those_of_its_group(handler: Mended) -> None:
    with installed(make_step(handler, FIFO)):
        first = dead_run("first", messageGroupId="a")
        [second] = enqueue("work", "second", messageGroupId="a")
        operations.redrive(first, by="ada")
        handler.works = True
        deliver([str(first)])
        assert row(first).status == Status.QUEUED
        deliver([second, str(first)])
    assert handler.seen == ["first", "second", "first"]
    assert row(first).status == Status.SUCCEEDED
    assert models.Turn.objects.count() == 0


def test_a_run_redriven_to_a_limited_step_waits_its_turn(handler: Mended) -> None:
    waits = {**LIMITED, "topic": "other"}
    other = make_step(handler, {"type": "state"}, waits, name="Other")
    with installed(make_step(handler, AMOUNTS), other):
        run_id = dead_run({"amount": 1})
        operations.redrive(run_id, by="ada", to="Other")
        assert ledger.turns_of([run_id])[run_id].pool
    redriven = row(run_id)
    assert (redriven.step, redriven.index, redriven.limited) == ("Other", 1, True)
    assert (redriven.started_at, redriven.finished_at) == (None, None)


@override_settings(MOTIA={"MAX_DEPTH": 1})
def test_a_run_that_was_born_dead_is_redriven_with_its_input_whole() -> None:
    def again(input: Any, ctx: Any) -> None:
        if input["left"]:
            ctx.enqueue("work", {**input, "left": input["left"] - 1})

    with installed(make_step(again, enqueues=["work"])):
        deliver(enqueue("work", {"left": 2, "token": "t", "text": "x" * 100_000}))
        deliver([rows(status=Status.QUEUED)[0].id])
        [dead] = rows(status=Status.DEAD)
        assert "TooDeep" in dead.error
        operations.redrive(dead.id, by="ada")
        deliver([dead.id])
    assert row(dead.id).status == Status.SUCCEEDED
    assert (dead.input["token"], len(dead.input["text"])) == ("t", 100_000)


@override_settings(MOTIA={"MAX_DEPTH": 3})
@pytest.mark.parametrize("edited", [False, True])
def test_what_follows_from_a_redrive_is_counted_anew(edited: bool) -> None:
    def chain(left: Any, ctx: Any) -> None:
        if left:
            ctx.enqueue("work", left - 1)

    with installed(make_step(chain, enqueues=["work"])):
        enqueue("work", 7)
        work_off()
        [dead] = rows(status=Status.DEAD)
        assert (dead.depth, dead.input) == (4, 3)
        operations.redrive(dead.id, by="ada", input=2 if edited else AS_IT_WAS)
        work_off()
    assert {run.status for run in rows()} == {Status.SUCCEEDED}
    assert row(dead.id).depth == 0
    assert row(dead.id).parent_id == dead.parent_id


# -- runs without a Step


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SCHEDULED, Status.DEAD])
def test_a_run_whose_step_is_gone_is_redriven_to_another(handler: Mended, status: Status) -> None:
    run = kept_run(step="OldName", status=status, input=7)
    handler.works = True
    with installed(make_step(handler)):
        with pytest.raises(CannotIntervene, match="no Step 'OldName' any more: redrive run .* to"):
            operations.redrive(run.id, by="ada")
        assert operations.refusal(run.id, to="Work") == ""
        operations.redrive(run.id, by="ada", to="Work")
        deliver([str(run.id)])
    assert (row(run).status, row(run).step, handler.seen) == (Status.SUCCEEDED, "Work", [7])
    note = next(entry for entry in row(run).timeline if entry["kind"] == "moved")
    assert (note["from"], note["to"], note["by"]) == ("OldName", "Work", "ada")


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SCHEDULED, Status.DEAD])
def test_a_run_whose_trigger_is_gone_is_redriven_to_the_one_that_took_its_place(
    handler: Mended, status: Status
) -> None:
    run = kept_run(source="old.topic", status=status, input=7)
    handler.works = True
    with installed(make_step(handler)):
        with pytest.raises(CannotIntervene, match="is gone, or newer than this process; redrive"):
            operations.redrive(run.id, by="ada")
        operations.redrive(run.id, by="ada", to="Work")
        deliver([str(run.id)])
    now = row(run)
    assert (now.status, now.source, handler.seen) == (Status.SUCCEEDED, "work", [7])
    note = next(entry for entry in now.timeline if entry["kind"] == "moved")
    assert in_words(note).startswith("moved from Work to Work (started by old.topic) by ada")


def test_upkeep_keeps_a_run_whose_step_is_gone() -> None:
    run = kept_run(step="OldName")
    with installed(make_step()):
        for _ in range(3):
            let_time_pass(run)
    assert row(run).status == Status.QUEUED


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("Wrok", "There is no Step named 'Wrok'. Did you mean 'Work'?"),
        ("Web", "has no trigger of type queue"),
    ],
)
def test_a_run_is_not_redriven_to_a_step_that_cannot_take_it(to: str, says: str) -> None:
    run = kept_run(step="OldName", status=Status.DEAD)
    web = make_step(lambda: None, {"type": "http", "method": "GET", "path": "/nowhere"}, name="Web")
    with installed(make_step(), web):
        assert says in operations.refusal(run.id, to=to)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SCHEDULED, Status.RUNNING])
def test_a_run_whose_step_is_there_is_not_taken_from_it(status: Status) -> None:
    run = kept_run(status=status)
    with installed(make_step(), make_step(name="Other")):
        with pytest.raises(
            CannotIntervene, match="those that wait for a Step or a trigger that is gone"
        ):
            operations.redrive(run.id, by="ada", to="Other")


def test_of_two_who_move_the_same_waiting_run_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    run = kept_run(step="OldName")
    with installed(make_step(), make_step(name="Other")):
        seen = row(run)
        operations.redrive(run.id, by="ada", to="Work")
        monkeypatch.setattr(operations, "row_of", lambda run_id: seen)
        with pytest.raises(CannotIntervene, match="changed by somebody else"):
            operations.redrive(run.id, by="bob", to="Other")
    assert row(run).step == "Work"


# -- discard and cancel


def test_a_discarded_run_is_cancelled_and_says_who_did_it(handler: Mended) -> None:
    with installed(make_step(handler, AMOUNTS)):
        run_id = dead_run({"amount": 1})
        operations.discard(run_id, by="ada", reason="a test order")
    assert row(run_id).status == Status.CANCELLED
    note = row(run_id).timeline[-1]
    assert (note["kind"], note["by"], note["reason"]) == ("discarded", "ada", "a test order")
    assert note["time"].startswith("20")


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SCHEDULED])
def test_a_run_that_waits_is_cancelled_and_never_runs(handler: Mended, status: Status) -> None:
    run = kept_run(status=status)
    with installed(make_step(handler)):
        operations.cancel(run.id, by="ada")
        deliver([str(run.id)])
    assert (row(run).status, handler.seen) == (Status.CANCELLED, [])
    assert row(run).wake_at is None
    assert kinds(run.id) == ["cancelled"]


@pytest.mark.parametrize(
    "status", [each for each in Status if each.final or each is Status.RUNNING]
)
def test_what_runs_or_is_finished_is_not_cancelled(status: Status) -> None:
    run = kept_run(status=status)
    with pytest.raises(CannotIntervene, match=f"is {status}: only runs that are queued or"):
        operations.cancel(run.id, by="ada")
    assert row(run).status == status


def test_a_run_that_is_queued_while_it_is_being_cancelled_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = kept_run(status=Status.SCHEDULED)
    cancel: Callable[..., Any] = ledger.cancel

    def late(seen: models.Run, note: Any) -> Any:
        ledger.wake(run.id)
        return cancel(seen, note)

    monkeypatch.setattr(ledger, "cancel", late)
    operations.cancel(run.id, by="ada")
    assert row(run).status == Status.CANCELLED


def test_what_was_changed_since_it_was_seen_is_left_alone() -> None:
    run = kept_run(status=Status.SCHEDULED)
    seen = row(run)
    ledger.wake(run.id)
    assert ledger.cancel(seen, {"at": None, "kind": "cancelled"}) is None
    assert (row(run).status, row(run).timeline) == (Status.QUEUED, [])
    seen = row(run)
    models.Run.objects.filter(id=run.id).update(fence=run.fence + 1)
    assert ledger.cancel(seen, {"at": None, "kind": "cancelled"}) is None
    assert row(run).status == Status.QUEUED


def test_the_secrets_of_a_run_that_is_never_to_run_are_masked() -> None:
    run = kept_run(input={"password": "secret", "n": 1})
    operations.cancel(run.id, by="ada")
    assert row(run).input == {"password": "********", "n": 1}


def test_a_note_is_added_to_the_runs_own_timeline() -> None:
    older, run, newer = (kept_run(timeline=({"at": None, "kind": kind},)) for kind in "abc")
    operations.cancel(run.id, by="ada")
    assert [kinds(each.id) for each in (older, run, newer)] == [["a"], ["b", "cancelled"], ["c"]]


def test_cancel_frees_the_key_by_which_messages_are_told_apart() -> None:
    with installed(make_step()):
        [first] = enqueue("work", 1, dedupeKey="k")
        operations.cancel(UUID(first), by="ada")
        assert enqueue("work", 2, dedupeKey="k") != [first]


def test_a_cancelled_tick_is_not_made_again() -> None:
    cron = make_step(lambda: None, {"type": "cron", "schedule": "0 0 * * *"})
    with installed(cron):
        due = timezone.now().replace(microsecond=0)
        run_id = tick("Work", 0, due)
        assert run_id is not None
        operations.cancel(run_id, by="ada")
        assert tick("Work", 0, due) is None


@pytest.mark.parametrize("trigger", [FIFO, LIMITED], ids=["fifo", "concurrency"])
def test_cancel_lets_the_next_one_in_its_lane_go_on(
    trigger: dict[str, Any],
    sent: list[str],
    handler: Mended,
    django_capture_on_commit_callbacks: Any,
) -> None:
    handler.works = True
    with installed(make_step(handler, trigger)):
        [first] = enqueue("work", "first")
        [second] = enqueue("work", "second")
        with django_capture_on_commit_callbacks(execute=True):
            operations.cancel(UUID(first), by="ada")
        assert sent == [second]
        deliver([first, second])
    assert handler.seen == ["second"]


def test_what_is_done_to_many_is_done_to_each_that_allows_it() -> None:
    waiting, dead, unknown = kept_run(), kept_run(status=Status.DEAD), uuid4()
    results = list(
        operations.many(
            [waiting.id, dead.id, unknown], lambda run_id: operations.cancel(run_id, by="ada")
        )
    )
    assert [each.run_id for each in results] == [waiting.id, dead.id, unknown]
    assert results[0].refusal == ""
    assert "is dead" in results[1].refusal
    assert "is not there" in results[2].refusal


@pytest.mark.parametrize(
    ("amount", "told"), [(13, "KeyError: 'unlucky'"), (14, "IntegrityError: ")]
)
def test_a_schema_that_raises_leaves_one_run_and_not_the_others(
    handler: Mended, amount: int, told: str
) -> None:
    with installed(make_step(handler, AMOUNTS)):
        ids = [dead_run({"amount": each}) for each in (1, amount, 2)]
    with installed(make_step(handler, {**AMOUNTS, "input": Fussy})):
        assert told in operations.refusal(ids[1])
        results = list(operations.many(ids, lambda run_id: operations.redrive(run_id, by="ada")))
    assert [bool(each.refusal) for each in results] == [False, True, False]
    assert told in results[1].refusal
    assert [row(run_id).status for run_id in ids] == ["queued", "dead", "queued"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trigger", [FIFO, LIMITED], ids=["fifo", "concurrency"])
def test_a_cancel_and_a_claim_at_once_never_wait_for_each_other(
    trigger: dict[str, Any], sent: list[str]
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("in-memory SQLite has no real concurrency")
    delivery = make_step(lambda input: None, trigger).triggers[0].delivery

    def claim(run_id: UUID) -> bool:
        lease = timedelta(minutes=1)
        taken = ledger.claim(run_id, worker="here", lease=lease, delivery_of=lambda run: delivery)
        return taken is not None

    def cancel(run_id: UUID) -> bool:
        try:
            operations.cancel(run_id, by="ada")
        except CannotIntervene:
            return False
        return True

    def at_once(act: Callable[[UUID], bool]) -> bool:
        try:
            return act(run_id)
        finally:
            connections.close_all()

    with installed(make_step(lambda input: None, trigger)), ThreadPoolExecutor(2) as pool:
        for number in range(25):
            run_id = UUID(enqueue("work", number)[0])
            done = list(pool.map(at_once, (claim, cancel)))
            assert done.count(True) == 1
            if done[0]:
                models.Turn.objects.all().delete()


@pytest.mark.django_db(transaction=True)
@override_settings(MOTIA={"PUBLISH_TIMEOUT": 600})
def test_many_that_are_cancelled_hand_over_together(sent: list[str]) -> None:
    messages = [{"topic": "work", "messageGroupId": f"g{n % 5}"} for n in range(15)]
    with installed(make_step(lambda input: None, FIFO)):
        ids = enqueue(messages)
        assert sorted(sent) == sorted(ids[:5])
        cancel = partial(operations.cancel, by="ada")
        results = list(operations.many(map(UUID, ids[:5]), cancel))
        assert not any(each.refusal for each in results)
        assert sorted(sent[5:]) == sorted(ids[5:10])


@pytest.mark.django_db(transaction=True)
def test_those_who_cancel_many_and_call_many_never_wait_for_each_other(sent: list[str]) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("in-memory SQLite has no real concurrency")

    def at_once(act: Callable[[], object]) -> object:
        try:
            return act()
        finally:
            connections.close_all()

    def call() -> None:
        ledger.recall(map(UUID, ids))
        turns = ledger.turns_of(map(UUID, reversed(ids)))
        ledger.call_up([(turn, None) for turn in turns.values()])

    def cancel() -> list[operations.Result]:
        mixed = [UUID(each) for each in [*ids[::2], *ids[1::2]]]
        return list(operations.many(mixed, partial(operations.cancel, by="ada")))

    with installed(make_step(lambda input: None, FIFO)), ThreadPoolExecutor(3) as pool:
        for _ in range(8):
            ids = enqueue([{"topic": "work", "messageGroupId": str(n)} for n in range(40)])
            done, *_others = pool.map(at_once, (cancel, call, call))
            assert isinstance(done, list) and [each.refusal for each in done] == [""] * 40
            assert not models.Turn.objects.exists()


def test_when_two_wait_for_each_other_each_run_is_done_by_itself() -> None:
    runs = [kept_run(), kept_run()]
    fails = iter([True])

    def cancel(run_id: UUID) -> None:
        operations.cancel(run_id, by="ada")
        if run_id == runs[1].id and next(fails, False):
            raise OperationalError("deadlock detected")

    results = list(operations.many([run.id for run in runs], cancel))
    assert [each.refusal for each in results] == ["", ""]
    assert [kinds(run.id) for run in runs] == [["cancelled"], ["cancelled"]]


# -- pause and resume


def test_a_paused_steps_runs_wait_until_it_is_resumed(
    handler: Mended, sent: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    handler.works = True
    with installed(make_step(handler)):
        [run_id] = enqueue("work", 1)
        assert operations.pause("Work", by="ada", reason="the bank is down")
        deliver([run_id])
        let_time_pass(run_id)
        assert (row(run_id).status, handler.seen, sent) == (Status.QUEUED, [], [])
        assert operations.resume("Work", by="bob")
        assert row(run_id).publishes == 0
        upkeep.upkeep()
        assert sent == [run_id]
        deliver([run_id])
    assert handler.seen == [1]


def test_a_pause_is_in_the_database_so_it_survives_restarts() -> None:
    with installed(make_step()):
        operations.pause("Work", by="ada", reason="the bank is down")
        assert not operations.pause("Work", by="bob")
    pause = models.Pause.objects.get()
    assert (pause.step, pause.by, pause.reason) == ("Work", "ada", "the bank is down")


def test_only_a_paused_step_is_resumed() -> None:
    with installed(make_step()):
        assert not operations.resume("Work", by="ada")


def test_a_step_that_is_gone_is_resumed_but_not_paused() -> None:
    models.Pause.objects.create(step="OldName")
    with installed(make_step()):
        with pytest.raises(UnknownStep):
            operations.pause("OldName", by="ada")
        assert operations.resume("OldName", by="ada")


# -- prune


def finished_run(status: Status, days: float) -> Run:
    moment = timezone.now() - days * DAY
    run_id = UUID(int=lowest_id_at(moment).int + uuid4().int % 2**60)
    run = kept_run(id=run_id, status=status, created_at=moment)
    models.Run.objects.filter(id=run.id).update(finished_at=moment, wake_at=None)
    return run


def test_prune_deletes_what_is_old_and_of_that_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "PRUNED_AT_ONCE", 2)
    for _ in range(5):
        finished_run(Status.SUCCEEDED, 8)
    kept = [finished_run(Status.SUCCEEDED, 6), finished_run(Status.DEAD, 8)]
    assert operations.prunable(Status.SUCCEEDED, 7) == 5
    assert list(operations.prune(Status.SUCCEEDED, 7)) == [2, 2, 1]
    assert {each.id for each in rows()} == {each.id for each in kept}
    assert operations.prunable(Status.SUCCEEDED, 7) == 0


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SCHEDULED, Status.RUNNING])
def test_what_is_not_finished_is_never_pruned(status: Status) -> None:
    finished_run(status, 99)
    with pytest.raises(ValueError, match="not finished"):
        list(operations.prune(status, 1))
    with pytest.raises(ValueError, match="not finished"):
        operations.prunable(status, 1)
    assert len(rows()) == 1


@override_settings(MOTIA={"RETENTION": {"succeeded": 5}})
def test_upkeep_prunes_by_the_setting_and_never_the_dead() -> None:
    old = {status: finished_run(status, 99) for status in Status if status.final}
    young = finished_run(Status.SUCCEEDED, 4)
    assert upkeep.prune() == 3
    assert {each.id for each in rows()} == {old[Status.DEAD].id, young.id}
