"""`retry` and `rerun`."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from motia_django import enqueue, models, operations, repeats
from motia_django.runs import Status
from tests.commands.conftest import Fails, Steps
from tests.factories import installed, kept_run, make_step, published, row, rows, work_off

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    with installed(make_step(lambda input: None, index=["orderId"])):
        yield


def test_runs_that_wait_are_tried_at_once_by_id(steps: Steps) -> None:
    [run_id] = enqueue({"topic": "work", "data": 1, "delaySeconds": 3600})
    with published() as sent:
        printed = steps("retry", run_id, "--reason", "now")
    assert sent == [run_id]
    assert "1 run sent to be tried at once." in printed
    [noted] = row(run_id).timeline
    assert (noted["kind"], noted["reason"]) == ("retried", "now")
    assert "motia_steps" in noted["by"]


def test_runs_that_wait_are_tried_at_once_by_filters(steps: Steps) -> None:
    for _ in range(3):
        enqueue({"topic": "work", "data": 1, "delaySeconds": 3600})
    with published() as sent:
        steps("retry", "--step", "Work", "--yes")
    assert len(sent) == 3


def test_what_does_not_wait_is_refused(fails: Fails) -> None:
    printed, error, code = fails("retry", str(kept_run(status=Status.DEAD).id))
    assert "only runs that are scheduled or queued" in printed
    assert ("1 run refused" in error, code) == (True, 1)


def test_a_finished_run_is_run_again_and_the_new_id_printed(steps: Steps) -> None:
    old = kept_run(input={"n": 1}, status=Status.SUCCEEDED)
    new = UUID(steps("rerun", str(old.id)).strip())
    assert (row(new).parent_id, row(new).input) == (old.id, {"n": 1})


def test_finished_runs_are_run_again_with_another_input(steps: Steps) -> None:
    old = [kept_run(input={"n": 1}, status=Status.SUCCEEDED) for _ in range(2)]
    printed = steps("rerun", *(str(each.id) for each in old), "--input", '{"n": 2}')
    assert [row(each).input for each in printed.split()] == [{"n": 2}, {"n": 2}]
    work_off()


def test_what_cannot_be_run_again_is_refused_and_the_rest_is_done(fails: Fails) -> None:
    gone, over = uuid4(), kept_run(input=1, status=Status.SUCCEEDED)
    printed, error, code = fails("rerun", str(gone), str(over.id))
    refused, new = printed.splitlines()
    assert refused == f"refused: run {gone} is not there"
    assert row(new).parent_id == over.id
    assert (error, code) == ("1 of 2 refused", 1)


def test_many_are_run_again_by_filters_and_each_once(steps: Steps) -> None:
    old = [kept_run(input={"orderId": n}, status=Status.SUCCEEDED) for n in range(3)]
    left = [kept_run(input=1, status=each) for each in (Status.DEAD, Status.SKIPPED)]
    printed = steps("rerun", "--step", "Work", "--dry-run")
    assert "3 runs would be run again." in printed
    assert len(rows()) == 5
    steps("rerun", "--key", "orderId=1", "--yes")
    printed = steps("rerun", "--step", "Work", "--limit", "1", "--reason", "wrong", "--yes")
    assert "1 run run again." in printed
    assert [len(rows(parent_id=each.id)) for each in old] == [1, 1, 0]
    assert row(old[0]).timeline[0]["reason"] == "wrong"
    assert steps("rerun", "--status", "skipped", "--all", "--yes")
    assert [len(rows(parent_id=each.id)) for each in left] == [0, 1]


def test_what_was_discarded_by_mistake_is_run_again_by_its_error(
    steps: Steps, fails: Fails
) -> None:
    dead = [kept_run(input=n, status=Status.DEAD) for n in range(3)]
    for run, error in zip(dead, ("Unknown currency", "Declined", "Unknown CURRENCY"), strict=True):
        models.Run.objects.filter(id=run.id).update(error=error)
        operations.discard(run.id, by="somebody")
    words = ("rerun", "--status", "cancelled", "--error")
    steps(*words, "unknown currency", "--yes")
    assert [len(rows(parent_id=run.id)) for run in dead] == [1, 0, 1]
    _, error, code = fails(*words, "0123456789abcdef", "--yes")
    assert ("expected a part of an error's text" in error, code) == (True, 2)


def test_whoever_is_killed_on_the_way_sends_for_the_same_runs_again(steps: Steps) -> None:
    old = [kept_run(input=n, status=Status.SUCCEEDED) for n in range(3)]
    kept_run(parent_id=old[2].id, trace_id=old[2].trace_id, status=Status.SKIPPED)
    repeats.rerun_once(old[0].id, by="me, before I was killed")
    for printed in ("2 runs run again.", "None of the succeeded runs that were not run again yet"):
        assert printed in steps("rerun", "--step", "Work", "--yes")
    assert [len(rows(parent_id=each.id, status="queued")) for each in old] == [1, 1, 1]


def test_what_is_run_again_may_be_looked_at_first_by_id_too(fails: Fails) -> None:
    over, dead = kept_run(status=Status.SUCCEEDED), kept_run()
    printed, _, _ = fails("rerun", str(over.id), str(dead.id), "--dry-run")
    assert "1 run would be run again." in printed
    assert "only finished runs are run again" in printed
    assert len(rows()) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        (str(uuid4()), "--input", "{"),
        (str(uuid4()), "--step", "Work"),
        ("--step", "Work", "--input", "1", "--yes"),
        ("--step", "Work", "--status", "dead"),
        ("--all", "--status", "running"),
        (),
    ],
)
def test_a_wrong_command_line_is_told_of(fails: Fails, words: tuple[str, ...]) -> None:
    assert fails("rerun", *words)[2] == 2


def test_runs_are_listed_by_their_keys(steps: Steps) -> None:
    [one] = enqueue("work", {"orderId": 17})
    [other] = enqueue("work", {"orderId": 18})
    for key in ("17", "orderId=17"):
        printed = steps("runs", "--key", key)
        assert one in printed
        assert other not in printed
        assert "orderId=17" in printed
    assert one not in steps("runs", "--key", "orderId=18")
    assert steps("runs", "--key", "orderId=99") == (
        "No run was found by --key orderId=99. The index keys of the Steps: orderId.\n"
    )
    assert steps("runs", "--step", "Work", "--status", "dead,skipped") == (
        "No run was found by --step Work --status dead,skipped.\n"
    )
    assert steps("runs", "--key", "nix", "--format", "json") == "[]\n"
