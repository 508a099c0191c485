"""`dead`, `redrive` and `discard`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydantic import BaseModel, field_validator

from motia_django import models, operations
from motia_django.commands import bulk, selection
from motia_django.commands.selection import Selection, moment
from motia_django.runs import Run, Status
from tests.commands.conftest import Fails, Steps
from tests.factories import installed, kept_run, make_step, nothing, row, rows

pytestmark = pytest.mark.django_db


class Amount(BaseModel):
    amount: int


AMOUNTS = {"type": "queue", "topic": "work", "input": Amount}


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    """The Steps of these tests."""
    with installed(make_step(lambda input: None, AMOUNTS), make_step(name="Other")):
        yield


def dead_run(hours: float = 0, error: str = "ValueError: no", **values: Any) -> Run:
    """Return a run that died so many hours ago."""
    run = kept_run(**{"status": Status.DEAD, "input": {"amount": 1}, **values})
    died = timezone.now() - timedelta(hours=hours)
    trace = f"Traceback (most recent call last):\n  somewhere\n{error}\n"
    models.Run.objects.filter(id=run.id).update(
        finished_at=died, error=trace, wake_at=None, attempt=4
    )
    return run


def status(run: Run) -> str:
    return row(run).status


# -- dead


def test_dead_runs_are_listed_with_age_attempts_and_the_error_in_a_line(steps: Steps) -> None:
    older, newer = dead_run(50), dead_run(error="KeyError: 'x'")
    kept_run()
    head, first, second = steps("dead").splitlines()
    assert head.split() == ["RUN", "DIED", "(UTC)", "AGE", "STEP", "TRIGGER", "TRY", "ERROR"]
    assert first.startswith(str(newer.id))
    assert first.endswith("Work  queue work  4    KeyError: 'x'")
    assert second.startswith(str(older.id))
    assert "  2 d  " in second
    assert steps("dead", "--oldest").splitlines()[1] == second


def test_a_dead_run_whose_step_is_gone_is_marked_with_a_hint(steps: Steps) -> None:
    dead_run(step="Old Name")
    printed = steps("dead")
    assert "Old Name (not known here)" in printed
    assert "motia_steps redrive --step 'Old Name' --to STEP" in printed


def test_nobody_is_told_to_redrive_what_was_answered(steps: Steps) -> None:
    dead_run(step="Old Name", trigger="http", source="POST /old")
    assert "Old Name (not known here)" in steps("dead")
    assert "redrive" not in steps("dead")


def test_an_error_is_told_from_its_reason_on(steps: Steps) -> None:
    text = "motia_django.exceptions.InvalidInput: The input of Step 'Work' is invalid: amount: a"
    dead_run(error=text)
    marked("a" * 16, error=text)
    for words in ((), ("--groups",)):
        assert steps("dead", *words).splitlines()[-1].endswith("  InvalidInput: amount: a")


def test_where_nothing_is_dead_that_is_said(steps: Steps) -> None:
    for words in ((), ("--groups",)):
        assert steps("dead", *words) == "No run is dead, or none that was asked for.\n"
        assert steps("dead", *words, "--format", "json") == "[]\n"


def test_dead_runs_are_told_apart_by_their_index_keys(steps: Steps) -> None:
    one, other = dead_run(), dead_run()
    assert "KEYS" not in steps("dead")
    models.RunKey.objects.create(run_id=one.id, name="orderId", value="17")
    head, *lines = steps("dead").splitlines()
    assert "KEYS" in head.split()
    assert {line.split()[0]: "orderId=17" in line for line in lines} == {
        str(one.id): True,
        str(other.id): False,
    }


def test_dead_runs_can_be_read_by_machines(steps: Steps) -> None:
    run = dead_run(step="Old", input={"password": "p", "amount": 1})
    [listed] = json.loads(steps("dead", "--format", "json"))
    assert (listed["id"], listed["noSuchStep"], listed["attempt"]) == (str(run.id), True, 4)
    assert listed["input"] == {"password": "********", "amount": 1}


def test_a_list_that_is_cut_says_so(steps: Steps) -> None:
    dead_run(), dead_run()
    assert "There are more than 1" in steps("dead", "--limit", "1")
    assert "There are more" not in steps("dead", "--limit", "2")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--step", "Other"], "other"),
        (["--topic", "elsewhere"], "elsewhere"),
        (["--error", "timed OUT"], "slow"),
        (["--since", "90m"], "now"),
        (["--before", "2d"], "old"),
        (["--before", "2d", "--step", "Other"], ""),
    ],
)
def test_dead_runs_are_found_by_filters(steps: Steps, words: list[str], found: str) -> None:
    runs = {
        "other": dead_run(5, step="Other"),
        "elsewhere": dead_run(5, source="elsewhere"),
        "slow": dead_run(5, error="Boom: it timed out"),
        "now": dead_run(1),
        "old": dead_run(60),
    }
    listed = [each["id"] for each in json.loads(steps("dead", *words, "--format", "json"))]
    assert listed == ([str(runs[found].id)] if found else [])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--step", "Othr"], "Did you mean 'Other'? Nor is there a run of it."),
        (["--since", "yesterday"], "--since: expected an age such as 30m"),
        (["--before", "2026-13-01"], "--before: expected an age"),
        (["--since", f"{10**12}w"], "--since: expected an age"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(fails: Fails, words: list[str], says: str) -> None:
    _, error, code = fails("dead", *words)
    assert says in error
    assert code == 2


def test_a_moment_is_an_age_or_a_time_in_the_projects_zone() -> None:
    ago = timezone.now() - moment("1.5h", "--since")
    assert abs(ago - timedelta(minutes=90)) < timedelta(seconds=5)
    assert moment("2026-11-22T18:00Z", "--since").isoformat() == "2026-11-22T18:00:00+00:00"
    assert moment("2026-11-22", "--since") == timezone.make_aware(datetime(2026, 11, 22))


# -- redrive


def test_runs_are_redriven_by_id_without_a_question(steps: Steps) -> None:
    one, two, other = dead_run(), dead_run(), dead_run()
    printed = steps("redrive", str(one.id), str(two.id), str(one.id), "--reason", "mended")
    assert printed == "2 runs redriven.\n"
    assert [status(run) for run in (one, two, other)] == ["queued", "queued", "dead"]
    note = row(one).timeline[-1]
    assert (note["kind"], note["reason"]) == ("redriven", "mended")
    assert note["by"].startswith("motia_steps (") and "@" in note["by"]


def test_runs_are_redriven_by_filters_after_a_question(
    steps: Steps, answer: Callable[[str], list[str]]
) -> None:
    runs = [dead_run(), dead_run(), dead_run(step="Other")]
    asked = answer("y")
    printed = steps("redrive", "--all")
    assert printed.splitlines() == [
        "3 runs match:",
        "          2  Work",
        "          1  Other",
        "3 runs redriven.",
    ]
    assert asked == ["Redrive 3 runs? [y/N] "]
    assert {status(run) for run in runs} == {"queued"}


def test_whoever_says_no_changes_nothing(fails: Fails, answer: Callable[[str], list[str]]) -> None:
    run = dead_run()
    answer("")
    _, error, code = fails("redrive", "--step", "Work")
    assert (error, code, status(run)) == ("Nothing was done.", 1, "dead")


def test_where_nobody_can_be_asked_yes_has_to_be_said(steps: Steps, fails: Fails) -> None:
    run = dead_run()
    _, error, code = fails("redrive", "--step", "Work")
    assert "add --yes" in error
    assert (code, status(run)) == (2, "dead")
    steps("redrive", "--step", "Work", "--yes")
    assert status(run) == "queued"


def test_what_is_refused_is_grouped_by_reason_and_fails(fails: Fails) -> None:
    bad = [dead_run(input={"amount": "x"}), dead_run(input={"amount": "y"})]
    good, waiting, unknown = dead_run(), kept_run(), uuid4()
    ids = [str(run.id) for run in (*bad, good, waiting)]
    printed, error, code = fails("redrive", *ids, str(unknown))
    assert code == 1
    assert error == "4 runs refused"
    assert printed.splitlines() == [
        "1 run redriven.",
        "2 runs refused: The input of this run is invalid: amount: Input should be a valid integer,"
        " unable to parse string as an integer",
        f"  {bad[0].id}",
        f"  {bad[1].id}",
        "1 run refused: this run is queued: only dead runs are redriven",
        f"  {waiting.id}",
        "1 run refused: this run is not there",
        f"  {unknown}",
    ]


def test_of_many_refusals_some_are_named(fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_STEPS", 2)
    for _ in range(5):
        dead_run(input={})
    printed, _, _ = fails("redrive", "--all", "--yes")
    assert printed.splitlines()[-1] == "  and 3 more"


@pytest.mark.parametrize(("most", "told"), [(2, "1 other Step"), (1, "2 other Steps")])
def test_of_many_steps_some_are_named(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, most: int, told: str
) -> None:
    monkeypatch.setattr(bulk, "MOST_STEPS", most)
    for name in ("A", "B", "C"):
        dead_run(step=name)
    lines = steps("discard", "--all", "--yes").splitlines()
    assert f"  and those of {told}" in lines


def test_one_may_insist_on_an_input_that_the_schema_rejects(steps: Steps) -> None:
    run = dead_run(input={})
    steps("redrive", str(run.id), "--insist")
    assert status(run) == "queued"


def test_a_dry_run_tells_what_would_be_and_changes_nothing(fails: Fails, steps: Steps) -> None:
    good, bad = dead_run(), dead_run(input={})
    printed, error, _ = fails("redrive", "--all", "--dry-run")
    assert "1 run would be redriven." in printed
    assert error == "1 run would be refused"
    assert steps("redrive", str(bad.id), "--dry-run", "--insist") == "1 run would be redriven.\n"
    assert "would be discarded" in steps("discard", str(bad.id), "--dry-run")
    assert {status(good), status(bad)} == {"dead"}
    assert all(each.timeline == [] for each in rows())


class Restless(BaseModel):
    """A schema during whose first check another run dies."""

    amount: int
    has_checked: ClassVar[bool] = False

    @field_validator("amount")
    @classmethod
    def _checked(cls, value: int) -> int:
        if not Restless.has_checked:
            Restless.has_checked = True
            dead_run()
        return value


def test_what_dies_meanwhile_is_not_counted_or_redriven(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BATCH", 1)
    dead_run()
    with installed(make_step(nothing, {**AMOUNTS, "input": Restless})):
        dry = steps("redrive", "--all", "--dry-run").splitlines()
        monkeypatch.setattr(Restless, "has_checked", False)
        done = steps("redrive", "--all", "--yes").splitlines()
    assert (dry[0], dry[-1]) == ("1 run matches:", "1 run would be redriven.")
    assert (done[0], done[-1]) == ("2 runs match:", "2 runs redriven.")
    assert models.Run.objects.filter(status=Status.DEAD).count() == 1


def test_a_redrive_says_what_the_deaths_have_started(
    steps: Steps, answer: Callable[[str], list[str]]
) -> None:
    one, two, three = dead_run(1), dead_run(1), dead_run(1)
    for cause, born in ((one, 0), (two, 0), (two, 0), (three, 2)):
        status = Status.QUEUED if cause is one else Status.SUCCEEDED
        at = timezone.now() - timedelta(hours=born)
        facts: Any = {"parent_id": cause.id, "trace_id": cause.trace_id, "created_at": at}
        kept_run(step="CrmDied", status=status, **facts)
    told = (
        "2 of these 3 deaths have started runs, and nothing of that is undone:"
        " CrmDied (3: 2 succeeded, 1 queued)\n"
    )
    assert told in steps("redrive", "--all", "--dry-run")
    assert "This death has started runs" in steps("redrive", str(one.id), "--dry-run")
    assert "CrmDied (2 succeeded)\n" in steps("redrive", str(two.id), "--dry-run")
    assert "started" not in steps("redrive", str(three.id), "--dry-run")
    assert "started" not in steps("discard", "--all", "--dry-run")
    answer("y")
    assert told in steps("redrive", "--all")


def test_a_run_is_redriven_with_another_input(steps: Steps) -> None:
    run = dead_run(input={})
    steps("redrive", str(run.id), "--input", '{"amount": 3}')
    assert (status(run), row(run).input) == ("queued", {"amount": 3})


def test_masks_in_another_input_are_put_back_for_each_run_or_refused(
    steps: Steps, fails: Fails
) -> None:
    ada, bob = (dead_run(step="Other", input={"token": name}) for name in ("ada", "bob"))
    ids = str(ada.id), str(bob.id)
    told = "2 runs would be refused: The input of this run is invalid: name: ********"
    astray = fails("redrive", *ids, "--input", '{"name": "********"}', "--dry-run")
    assert told in astray[0]
    steps("redrive", *ids, "--input", '{"token": "********", "n": 1}')
    assert [row(run).input for run in (ada, bob)] == [
        {"token": "ada", "n": 1},
        {"token": "bob", "n": 1},
    ]


def test_another_input_does_not_change_the_message_group_which_is_said(steps: Steps) -> None:
    run, other = dead_run(message_group="order 17"), dead_run()
    ids = str(run.id), str(other.id)
    told = f"{run.id}: message group order 17 (stays the same, whatever the input says)\n"
    done = f"{told}2 runs would be redriven.\n"
    assert steps("redrive", *ids, "--input", '{"amount": 3}', "--dry-run") == done
    assert steps("redrive", *ids, "--dry-run") == "2 runs would be redriven.\n"
    assert steps("redrive", *ids, "--input", '{"amount": 3}').startswith(told)


@pytest.mark.parametrize("waits", [Status.DEAD, Status.QUEUED, Status.SCHEDULED])
def test_runs_of_a_step_that_is_gone_are_redriven_to_another(steps: Steps, waits: Status) -> None:
    run = kept_run(step="Old", status=waits)
    steps("redrive", "--step", "Old", "--to", "Other", "--yes")
    assert (status(run), row(run).step) == ("queued", "Other")


@pytest.mark.parametrize("waits", [Status.DEAD, Status.QUEUED, Status.SCHEDULED])
def test_runs_of_a_topic_that_is_gone_are_redriven_to_the_one_in_its_place(
    steps: Steps, waits: Status
) -> None:
    run, other = kept_run(source="old", status=waits, input={"amount": 1}), kept_run()
    assert steps("runs").endswith(
        "This process does not know the queue trigger old of the Step Work: gone, or newer than"
        " this process. To give its runs to another: motia_steps redrive --step Work --topic old"
        " --to STEP\n"
    )
    steps("redrive", "--step", "Work", "--topic", "old", "--to", "Work", "--yes")
    assert (status(run), row(run).source) == ("queued", "work")
    assert (row(other).publishes, row(other).timeline) == (1, [])


def test_runs_of_a_place_that_is_watched_are_not_among_those_that_wait_in_vain(
    steps: Steps,
) -> None:
    kept_run(trigger="state", source="orders/17")
    watching = make_step(print, {"type": "state", "groupId": "orders"})
    with installed(watching, make_step(name="Other")):
        told = steps("redrive", "--step", "Work", "--topic", "orders/17", "--to", "Other", "--yes")
    assert told == "None of the dead runs matches: nothing to do.\n"


def test_runs_that_wait_for_a_step_that_is_there_are_left_to_it(steps: Steps) -> None:
    waiting, dead = kept_run(), dead_run()
    steps("redrive", "--step", "Work", "--to", "Other", "--yes")
    assert (row(waiting).step, row(dead).step) == ("Work", "Other")


def test_runs_that_were_answered_are_not_among_those_that_match(steps: Steps) -> None:
    http, invoked = dead_run(trigger="http"), dead_run(trigger="invoke")
    assert steps("redrive", "--all", "--yes") == "None of the dead runs matches: nothing to do.\n"
    assert {status(http), status(invoked)} == {"dead"}


def test_who_starts_work_for_a_paused_step_is_told_that_it_waits(steps: Steps) -> None:
    says = "{} is paused: its runs wait until it is resumed."
    dead, over = dead_run(), kept_run(input={"amount": 1}, status=Status.SUCCEEDED)
    steps("pause", "Work")
    assert says.format("Work") in steps("redrive", "--all", "--dry-run")
    assert says.format("Work") in steps("redrive", str(dead.id))
    assert says.format("Work") in steps("rerun", "--all", "--yes")
    assert len(rows(parent_id=over.id)) == 1
    assert "paused" not in steps("redrive", "--step", "Work", "--to", "Other", "--yes")
    steps("resume", "Work")
    steps("pause", "Other")
    assert says.format("Other") in steps("redrive", str(dead_run().id), "--to", "Other")
    assert "paused" not in steps("discard", str(dead_run(step="Other").id))


@pytest.mark.parametrize("what", ["redrive", "discard"])
def test_a_run_that_dies_again_while_the_question_is_open_is_left(
    fails: Fails, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    again, once = dead_run(hours=1), dead_run(hours=1)

    def answer(_question: str) -> None:
        operations.redrive(again.id, by="somebody else")
        died = {"status": Status.DEAD, "finished_at": timezone.now()}
        models.Run.objects.filter(id=again.id).update(**died)

    monkeypatch.setattr(bulk, "confirm", answer)
    printed, error, code = fails(what, "--step", "Work")
    assert "1 run refused: this run has died again since it was looked at" in printed
    assert ("1 run refused" in error, code) == (True, 1)
    assert [status(run) for run in (again, once)] == [
        "dead", "queued" if what == "redrive" else "cancelled",
    ]  # fmt: skip


def test_the_oldest_can_be_tried_first(steps: Steps) -> None:
    runs = [dead_run() for _ in range(3)]
    steps("redrive", "--all", "--limit", "1", "--yes")
    assert [status(run) for run in runs] == ["queued", "dead", "dead"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "say which runs: their ids, filters, or --all for all dead runs"),
        (["nonsense"], "expected a run's id, such as 01a2"),
        (["{id}", "--all"], "either the ids of runs, or filters"),
        (["{id}", "--step", "Work"], "either the ids of runs, or filters"),
        (["{id}", "--input", "{x"], "--input: expected JSON"),
        (["--all", "--input", "1"], "--input is for runs given by their ids"),
        (["{id}", "--to", "Othr"], "There is no Step named 'Othr'. Did you mean 'Other'?"),
        (["--step", "Wrk"], "Did you mean 'Work'?"),
        (["--since", "soon"], "--since: expected"),
    ],
)
def test_a_command_line_that_makes_no_sense_changes_nothing(
    fails: Fails, words: list[str], says: str
) -> None:
    run = dead_run()
    _, error, code = fails("redrive", *(word.replace("{id}", str(run.id)) for word in words))
    assert says in error
    assert code == 2
    assert status(run) == "dead"


def test_many_runs_are_read_in_batches_by_their_ids(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BATCH", 4)
    runs = [dead_run() for _ in range(10)]
    chosen = Selection(statuses=[Status.DEAD])
    with CaptureQueriesContext(connection) as queries:
        assert chosen.read() == ([run.id for run in runs], {"Work": 10})
    assert len(queries) == 4
    assert all("LIMIT 4" in each["sql"] for each in queries)
    assert not any('"input"' in each["sql"] for each in queries)
    steps("discard", "--all", "--yes")
    assert {status(run) for run in runs} == {"cancelled"}


def test_a_long_one_says_how_far_it_is(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_SECONDS_BETWEEN_SIGNS", 0)
    dead_run(), dead_run()
    assert "  1 of 2 ...\n  2 of 2 ...\n" in steps("redrive", "--all", "--yes")


# -- discard


def test_dead_runs_are_discarded_with_a_reason(steps: Steps) -> None:
    run, other = dead_run(), dead_run(step="Other")
    printed = steps("discard", "--step", "Work", "--reason", "test orders", "--yes")
    assert "1 run discarded." in printed
    assert (status(run), status(other)) == ("cancelled", "dead")
    assert row(run).timeline[-1]["reason"] == "test orders"


def test_what_is_not_dead_is_not_discarded(fails: Fails) -> None:
    run = kept_run()
    for words in ([], ["--dry-run"]):
        printed, _, code = fails("discard", str(run.id), *words)
        assert "this run is queued" in printed
        assert code == 1
    assert status(run) == "queued"


# -- by error


def marked(fingerprint: str, hours: float = 0, **values: Any) -> Run:
    """Return a run that died so many hours ago of an error with this fingerprint."""
    run = dead_run(hours, **values)
    models.Run.objects.filter(id=run.id).update(fingerprint=fingerprint)
    return run


def test_dead_runs_are_grouped_by_their_error(steps: Steps) -> None:
    marked("a" * 16, 3), marked("b" * 16, 2, step="Other"), marked("a" * 16, 1)
    lines = steps("dead", "--groups").splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["FINGERPRINT", "RUNS"],
        ["a" * 16, "2"],
        ["b" * 16, "1"],
    ]
    assert lines[1].endswith("Work   ValueError: no")
    [group] = json.loads(steps("dead", "--groups", "--step", "Other", "--format", "json"))
    assert (group["fingerprint"], group["runs"], group["isMore"]) == ("b" * 16, 1, False)
    assert "There are more errors" in steps("dead", "--groups", "--limit", "1")


def test_groups_are_not_narrowed_by_what_is_not_of_the_group(fails: Fails) -> None:
    _, error, code = fails("dead", "--groups", "--since", "1h")
    assert (error, code) == ("--groups: not together with --since", 2)


@pytest.mark.parametrize(("word", "expected"), [("redrive", "queued"), ("discard", "cancelled")])
def test_all_runs_of_an_error_are_meant_by_its_fingerprint(
    steps: Steps, word: str, expected: str
) -> None:
    one, other = marked("a" * 16), marked("b" * 16)
    steps(word, "--error", "a" * 16, "--yes")
    assert (status(one), status(other)) == (expected, "dead")
