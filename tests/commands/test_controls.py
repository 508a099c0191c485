"""`cancel`, `pause`, `resume` and `prune`; and what the lists say of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import override_settings
from django.utils import timezone

from motia_django import enqueue, ledger, models, operations
from motia_django.ledger import history
from motia_django.registry import registry
from motia_django.runs import Run, Status, lowest_id_at
from tests.commands.conftest import Fails, Steps
from tests.factories import QUEUE, deliver, installed, kept_run, make_step, nothing, row, rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    """The Steps of these tests."""
    with installed(make_step(), make_step(name="Other")):
        yield


def finished_run(status: Status, days: float, **values: Any) -> Run:
    """Return a run that finished so many days ago."""
    moment = timezone.now() - timedelta(days=days)
    run_id = UUID(int=lowest_id_at(moment).int + uuid4().int % 2**60)
    run = kept_run(id=run_id, status=status, created_at=moment, **values)
    models.Run.objects.filter(id=run.id).update(finished_at=moment, wake_at=None)
    return run


# -- cancel


def test_runs_that_wait_are_cancelled_by_id_and_by_filters(steps: Steps) -> None:
    one, later = kept_run(), kept_run(status=Status.SCHEDULED)
    other, elsewhere = kept_run(step="Other"), kept_run(source="elsewhere")
    assert steps("cancel", str(one.id), "--reason", "wrong") == "1 run cancelled.\n"
    steps("cancel", "--step", "Other", "--yes")
    steps("cancel", "--topic", "elsewhere", "--yes")
    assert {row(run).status for run in (one, other, elsewhere)} == {"cancelled"}
    assert row(one).timeline[-1]["reason"] == "wrong"
    assert row(later).status == "scheduled"
    assert "1 run cancelled." in steps("cancel", "--all", "--yes")
    assert row(later).status == "cancelled"


def test_what_runs_is_not_cancelled(fails: Fails) -> None:
    run = kept_run(status=Status.RUNNING)
    printed, error, code = fails("cancel", str(run.id))
    assert "this run is running: only runs that are queued or scheduled are cancelled" in printed
    assert (error, code, row(run).status) == ("1 run refused", 1, "running")


def test_cancel_by_age_goes_by_birth(steps: Steps) -> None:
    old = kept_run(created_at=timezone.now() - timedelta(hours=3))
    new = kept_run()
    steps("cancel", "--before", "2h", "--yes")
    assert (row(old).status, row(new).status) == ("cancelled", "queued")


# -- pause and resume


def test_a_paused_step_is_shown_as_such_until_it_is_resumed(steps: Steps) -> None:
    assert "paused" not in steps("list") + steps("show", "Work")
    printed = steps("pause", "Work", "--reason", "the bank is down")
    assert printed == "Work is paused: its runs wait until it is resumed.\n"
    assert "Work (paused)" in steps("list")
    assert "Other (paused)" not in steps("list")
    assert ": the bank is down" in steps("show", "Work")
    pause = json.loads(steps("show", "Work", "--format", "json"))["paused"]
    assert pause["reason"] == "the bank is down"
    assert pause["by"].startswith("motia_steps (")
    listed = json.loads(steps("list", "--format", "json"))
    assert {each["name"]: bool(each["paused"]) for each in listed} == {"Work": True, "Other": False}
    assert steps("resume", "Work").startswith("Work is resumed")
    assert "paused" not in steps("list") + steps("show", "Work")


def test_pausing_twice_says_who_was_first(steps: Steps) -> None:
    ledger.pause("Work", by="ada", reason="lunch")
    printed = steps("pause", "Work")
    assert printed.startswith("Work was paused already: since 20")
    assert "by ada: lunch." in printed


def test_resuming_what_is_not_paused_says_so(steps: Steps) -> None:
    assert steps("resume", "Work") == "Work was not paused.\n"


def test_a_step_that_is_gone_can_still_be_resumed(steps: Steps) -> None:
    ledger.pause("Old")
    assert steps("resume", "Old").startswith("Old is resumed")


@pytest.mark.parametrize("word", ["pause", "resume"])
def test_a_step_that_is_not_there_is_neither_paused_nor_resumed(fails: Fails, word: str) -> None:
    _, error, code = fails(word, "Othr")
    assert "Did you mean 'Other'?" in error
    assert code == 2
    assert not ledger.paused()


def test_steps_are_listed_where_the_database_is_not_set_up(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_table() -> None:
        raise DatabaseError("no such table: motia_pause")

    monkeypatch.setattr(ledger, "paused", no_table)
    assert "2 Steps" in steps("list")


# -- runs without a Step


def test_a_run_whose_step_is_gone_is_marked_everywhere(steps: Steps) -> None:
    run = kept_run(step="Old")
    kept_run()
    hint = (
        "This process does not know the Step Old: gone, or newer than this process. To give its"
        " runs to another: motia_steps redrive --step Old --to STEP"
    )
    for words in (["runs"], ["trace", str(run.id)]):
        printed = steps(*words)
        assert "Old (not known here)" in printed
        assert printed.endswith(f"{hint}\n")
    [listed] = json.loads(steps("runs", "--no-step", "--format", "json"))
    assert (listed["id"], listed["noSuchStep"]) == (str(run.id), True)


def test_runs_are_listed_by_when_they_were_born(steps: Steps) -> None:
    now = timezone.now()
    old, new = (kept_run(id=lowest_id_at(now - timedelta(hours=each))) for each in (3, 1))

    def told(*words: str) -> list[str]:
        return [each["id"] for each in json.loads(steps("runs", "--format", "json", *words))]

    assert told("--since", "2h") == [str(new.id)]
    assert told("--before", "2h") == [str(old.id)]
    assert told("--since", "5h", "--before", "30m") == [str(new.id), str(old.id)]


def test_a_finished_run_whose_step_is_gone_needs_no_hint(steps: Steps) -> None:
    done = kept_run(step="Old", status=Status.SUCCEEDED)
    assert "(not known here)" in steps("runs")
    assert "redrive" not in steps("runs")
    assert str(done.id) not in steps("runs", "--no-step")
    assert str(done.id) in steps("runs", "--no-step", "--status", "succeeded")


def test_a_trace_shows_the_traceback_of_each_attempt_if_asked(steps: Steps) -> None:
    error = {"at": 1, "kind": "error", "message": "ValueError: no", "attempt": 1}
    run = kept_run(status=Status.DEAD)
    models.Run.objects.filter(id=run.id).update(
        timeline=[{**error, "traceback": "Traceback:\n  File x\n"}], error="ValueError: no"
    )
    plain = steps("trace", str(run.id))
    assert plain.count("ValueError: no") == 1
    assert "Traceback" not in plain
    assert "Traceback:\n" in steps("trace", str(run.id), "--traceback")


# -- prune


@override_settings(MOTIA={"RETENTION": {"succeeded": 5, "skipped": None}})
def test_prune_does_what_the_setting_says(steps: Steps) -> None:
    old = {status: finished_run(status, 99) for status in Status}
    young = finished_run(Status.SUCCEEDED, 4)
    assert steps("prune", "--dry-run").splitlines() == [
        "succeeded for more than 5 days: 1 would be deleted",
        "cancelled for more than 30 days: 1 would be deleted",
    ]
    assert len(rows()) == 8
    assert "succeeded for more than 5 days: 1 deleted" in steps("prune")
    kept = {each.id for each in rows()}
    gone = {old[Status.SUCCEEDED].id, old[Status.CANCELLED].id}
    assert kept == {run.id for run in old.values()} - gone | {young.id}


def test_prune_of_one_status_and_age_is_asked_about(
    steps: Steps, fails: Fails, answer: Callable[[str], list[str]]
) -> None:
    dead = finished_run(Status.DEAD, 99)
    words = ("prune", "--status", "dead", "--older-than", "90")
    _, error, code = fails(*words)
    assert "add --yes" in error
    assert code == 2
    asked = answer("n")
    fails(*words)
    assert asked == ["Delete 1 run, dead for more than 90 days? [y/N] "]
    assert row(dead).status == "dead"
    assert steps(*words, "--yes") == "dead for more than 90 days: 1 deleted\n"
    assert rows() == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--older-than", "3"], "--older-than is said with --status"),
        (["--status", "dead", "--older-than", "-1"], "expected days, from 0 to 100,000, got -1"),
        (["--status", "dead", "--older-than", "nan"], "expected days, from 0 to 100,000, got nan"),
        (["--status", "dead"], "keeps dead runs for ever: say --older-than"),
        (["--status", "queued"], "invalid choice: 'queued'"),
        (["--status", "dead", "--older-than", "soon"], "invalid float value"),
    ],
)
def test_prune_refuses_what_makes_no_sense(fails: Fails, words: list[str], says: str) -> None:
    finished_run(Status.DEAD, 99)
    _, error, _ = fails("prune", *words)
    assert says in error
    assert len(rows()) == 1


@pytest.fixture
def ada() -> dict[str, Run]:
    """Runs that are of customer 17, each by what it is; the Step of some has no index."""
    found = {
        "young": keyed_run(Status.SUCCEEDED, 0),
        "dead": keyed_run(Status.DEAD, 99),
        "waiting": keyed_run(Status.QUEUED, 0),
        "other": keyed_run(Status.SUCCEEDED, 0, customer=18),
    }
    found["caused"] = kept_run(step="Other", status=Status.SKIPPED, parent_id=found["dead"].id)
    found["further"] = kept_run(status=Status.CANCELLED, parent_id=found["caused"].id)
    return found


def keyed_run(status: Status, days: float, customer: int | str = 17) -> Run:
    """Return a run that finished so many days ago, and is found by its customer."""
    with installed(make_step(index=["customer", "order"])):
        run = finished_run(status, days, input={"customer": customer, "order": 17})
    return run


def there(runs: dict[str, Run]) -> set[str]:
    """Return which of these runs are there, with keys or without."""
    ids = {each.id for each in rows()}
    keyed = set(models.RunKey.objects.values_list("run_id", flat=True))
    assert keyed <= ids
    return {name for name, run in runs.items() if run.id in ids}


def test_prune_of_a_key_deletes_what_is_finished_however_young(
    fails: Fails, ada: dict[str, Run]
) -> None:
    printed, error, code = fails("prune", "--key", "customer=17", "--yes")
    assert printed.splitlines() == [
        "customer=17: 2 runs finished, 1 not",
        "          2  Work",
        "2 runs deleted.",
    ]
    assert "1 run not finished, and left" in error
    assert "motia_steps cancel --key customer=17" in error
    assert code == 1
    assert there(ada) == {"waiting", "other", "caused", "further"}


def test_prune_of_a_key_spares_whoever_is_called_like_it(steps: Steps, ada: dict[str, Run]) -> None:
    namesake = keyed_run(Status.SUCCEEDED, 0, customer="customer=18")
    with installed(make_step(index=["customer", "order"])):
        steps("prune", "--key", "customer=18", "--yes")
    assert there({**ada, "namesake": namesake}) == {*ada, "namesake"} - {"other"}


def test_prune_of_a_key_deletes_what_was_caused_as_well_if_that_is_said(
    steps: Steps, ada: dict[str, Run]
) -> None:
    steps("cancel", "--key", "customer=17", "--yes")
    printed = steps("prune", "--key", "customer=17", "--caused", "--yes")
    assert "customer=17, and what those runs caused: 5 runs finished, 0 not" in printed
    assert "5 runs deleted." in printed
    assert there(ada) == {"other"}


def test_what_has_led_to_an_unfinished_run_is_left_so_that_it_is_found_again(
    steps: Steps, fails: Fails, ada: dict[str, Run]
) -> None:
    steps("cancel", "--key", "customer=17", "--yes")
    models.Run.objects.filter(id=ada["further"].id).update(status="running")
    printed, error, code = fails("prune", "--key", "customer=17", "--caused", "--yes")
    assert "4 runs finished, 1 not" in printed
    assert "1 run not finished, and left, with what has led there: cancel" in error
    assert code == 1
    assert there(ada) == {"other", "further", "caused", "dead"}
    models.Run.objects.filter(id=ada["further"].id).update(status="succeeded")
    steps("prune", "--key", "customer=17", "--caused", "--yes")
    assert there(ada) == {"other"}


def test_prune_of_a_key_is_told_and_asked_about_first(
    steps: Steps, fails: Fails, ada: dict[str, Run], answer: Callable[[str], list[str]]
) -> None:
    models.Run.objects.filter(id=ada["waiting"].id).update(status="succeeded")
    everything = set(ada)
    printed = steps("prune", "--key", "customer=17", "--dry-run")
    assert printed == "customer=17: 3 runs finished, 0 not\n          3  Work\n"
    assert "add --yes" in fails("prune", "--key", "customer=17")[1]
    asked = answer("n")
    fails("prune", "--key", "customer=17")
    assert asked == ["Delete 3 runs? [y/N] "]
    assert there(ada) == everything


def test_prune_of_a_key_lets_go_of_a_dedupe_key_that_is_held_for_a_time(steps: Steps) -> None:
    told = {"topic": "work", "data": {"customer": 17}, "dedupeKey": "k", "dedupeFor": 3600}
    with installed(make_step(index=["customer"])):
        [held] = enqueue(told)
        deliver([held])
        assert enqueue(told) == [held]
        steps("prune", "--key", "customer=17", "--yes")
        assert enqueue(told) != [held]


def test_runs_of_a_key_are_found_however_many_newer_ones_there_are(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motia_django.ledger.keys._AT_ONCE", 2)
    with installed(make_step(index=["room"])):
        [first] = enqueue("work", {"room": "hall"})
        dead = [str(kept_run(status=Status.DEAD, input={"room": "hall"}).id) for _ in range(2)]
        ids = enqueue([{"topic": "work", "data": {"room": "hall"}} for _ in range(5)])
        enqueue("work", {"room": "attic"})
        key = ("--key", "room=hall")

        def told(*words: str) -> list[str]:
            return [each["id"] for each in json.loads(steps(*words, *key, "--format", "json"))]

        assert told("dead") == dead[::-1]
        assert told("dead", "--oldest") == dead
        assert told("dead", "--limit", "1") == dead[1:]
        assert told("runs") == [*ids[::-1], *dead[::-1], first]
        assert told("runs", "--status", "dead") == dead[::-1]
        whole = json.loads(steps("trace", "room=hall", "--format", "json"))
        assert [each["id"] for each in whole] == [first, *dead, *ids]
        assert "2 runs would be redriven." in steps("redrive", *key, "--dry-run")
        assert "6 runs cancelled." in steps("cancel", *key, "--yes")
        assert "2 runs discarded." in steps("discard", *key, "--yes")
    assert [str(each.step) for each in rows(status=Status.QUEUED)] == ["Work"]


def test_of_several_keys_runs_have_all(steps: Steps, fails: Fails) -> None:
    with installed(make_step(index=["tenant", "customer"])):
        both, _tenant, _customer = (
            enqueue("work", {"tenant": tenant, "customer": customer})[0]
            for tenant, customer in (("acme", "c1"), ("acme", "c2"), ("other", "c1"))
        )
        keys = ("--key", "tenant=acme", "--key", "customer=c1")
        [found] = json.loads(steps("runs", *keys, "--format", "json"))
        [traced] = json.loads(steps("trace", "tenant=acme customer=c1", "--format", "json"))
        assert found["id"] == traced["id"] == both
        assert "1 run would be cancelled." in steps("cancel", *keys, "--dry-run")
        assert "1 run would be" in steps("cancel", "--key", "tenant=acme customer=c1", "--dry-run")
        _, told, code = fails("prune", *keys, "--yes")
        assert (code, "cancel --key tenant=acme --key customer=c1" in told) == (1, True)
        assert "1 run cancelled." in steps("cancel", *keys, "--yes")
        assert "1 run deleted." in steps("prune", *keys, "--yes")
        assert fails("cancel", "--key", "tenant=acme", "--key", "custmer=c1", "--yes")[2] == 2
    assert len(rows(status=Status.QUEUED)) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["cancel", "--all", "--key="],
        ["discard", "--step", "Work", "--key", ""],
        ["redrive", "--step", "Work", "--error="],
        ["discard", "--step", "Work", "--since", " "],
        ["discard", "--all", "--topic="],
        ["runs", "--key="],
        ["redrive", "--step", "Work", "--to", ""],
        ["runs", "--step="],
        ["dead", "--before="],
        ["rerun", "--all", "--key="],
        ["runs", "--key", "orderId="],
    ],
)
def test_a_filter_that_is_empty_widens_nothing(fails: Fails, words: list[str]) -> None:
    kept_run(step="Work")
    kept_run(step="Work", status=Status.DEAD)
    with installed(make_step(index=["orderId"])):
        _, told, code = fails(*words)
    assert (code, "expected a value" in told) == (2, True)


def test_a_program_that_calls_gives_options_by_their_names_and_none_of_other_subcommands(
    steps: Steps,
) -> None:
    with installed(make_step(index=["room"])):
        enqueue([{"topic": "work", "data": {"room": room}} for room in ("hall", "attic")])
        call_command("motia_steps", "cancel", key=["room=hall"], yes=True)
        call_command("motia_steps", "cancel", key="room=nowhere", yes=True)
    assert [each.input for each in rows(status=Status.QUEUED)] == [{"room": "attic"}]
    with pytest.raises(CommandError, match="^prune takes no step, got 'Work'$"):
        call_command("motia_steps", "prune", step="Work", status="dead", older_than=0, yes=True)
    with pytest.raises(CommandError, match="^cancel takes no error"):
        call_command("motia_steps", "cancel", error="zebra", all=True, yes=True)


@pytest.mark.parametrize(
    "words", ["runs", "dead", "dead --groups", "redrive --all", "batches", "state list g"]
)
@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many"])
def test_a_limit_is_a_whole_number_of_at_least_one(fails: Fails, words: str, number: str) -> None:
    _, told, code = fails(*words.split(), f"--limit={number}")
    assert f"--limit: expected a whole number of at least 1, got '{number}'" in told
    assert code == 1  # argparse's own errors end with 2 at the command line only


@pytest.mark.parametrize("option", ["--step", "--topic", "--since", "--reason"])
def test_an_option_that_is_given_twice_is_refused(fails: Fails, option: str) -> None:
    _, told, code = fails("cancel", option, "1d", option, "2d")
    assert (code, f"{option} is given twice" in told) == (1, True)


def test_where_files_are_broken_no_step_is_said_to_be_gone(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_run(step="Old")
    with installed(make_step()):
        monkeypatch.setattr(registry(), "problems", [object()], raising=False)
        printed = steps("runs")
    assert "redrive" not in printed
    assert "There are problems, so that not all Steps are known here" in printed


def test_prune_of_a_key_knows_no_bound_and_works_in_batches(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "PRUNED_AT_ONCE", 2)
    monkeypatch.setattr(history, "_AT_ONCE", 2)
    last = None
    for _ in range(5):
        with installed(make_step(index=["customer"])):
            run = kept_run(status=Status.DEAD, input={"customer": 17})
        last = kept_run(status=Status.DEAD, parent_id=run.id)
    assert last is not None
    kept_run(status=Status.DEAD, parent_id=last.id)
    assert "11 runs deleted." in steps("prune", "--key", "customer=17", "--caused", "--yes")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--key", "17"], "--key: expected a name and a value, such as customer=17, got '17'"),
        (["--key", "customer="], "expected a name and a value"),
        (["--key", ""], "expected a name and a value"),
        (["--key", "custmer=17"], "No Step has an index key 'custmer'"),
        (["--caused"], "--caused is said with --key"),
        (["--key", "customer=17", "--status", "dead"], "leave out --status and --older-than"),
        (["--key", "customer=17", "--older-than", "3"], "leave out --status and --older-than"),
    ],
)
def test_prune_of_a_key_refuses_what_makes_no_sense(
    fails: Fails, ada: dict[str, Run], words: list[str], says: str
) -> None:
    _, error, code = fails("prune", *words, "--yes")
    assert says in error
    assert code == 2
    assert there(ada) == set(ada)


# -- one schedule


def scheduled() -> list[Any]:
    cron = [{"type": "cron", "schedule": expression} for expression in ("@hourly", "@daily")]
    return [make_step(nothing, QUEUE, *cron, name="Two"), make_step(nothing, cron[0], name="One")]


def test_one_schedule_is_paused_and_resumed(steps: Steps) -> None:
    with installed(*scheduled()):
        printed = steps("pause", "Two", "--schedule", "2", "--reason", "moving")
        assert printed == "motia:Two:2 is paused: its ticks are left out.\n"
        assert "was paused already" in steps("pause", "Two", "--schedule", "2")
        shown = json.loads(steps("show", "Two", "--format", "json"))
        [*others, pause] = [each.get("paused") for each in shown["triggers"]]
        assert others == [None, None]
        assert pause["since"].startswith("20")
        assert pause["by"].startswith("motia_steps (")
        assert pause["reason"] == "moving"
        by = re.escape(pause["by"])
        assert re.search(
            rf"\n +paused: since 20\S+ \S+ UTC by {by}: moving\n", steps("show", "Two")
        )
        assert ledger.paused() == {}
        assert steps("resume", "Two", "--schedule", "2") == "motia:Two:2 is resumed.\n"
        assert "was not paused" in steps("resume", "Two", "--schedule", "2")


def test_of_a_schedule_that_is_paused_in_celery_beats_row_no_more_is_known(steps: Steps) -> None:
    pytest.importorskip("django_celery_beat")
    from motia_django.beat import rows

    with installed(*scheduled()):
        rows.reconcile(registry())
        rows.set_enabled("motia:One:0", False)
        assert "paused: in celery-beat's rows\n" in steps("show", "One")
        [trigger] = json.loads(steps("show", "One", "--format", "json"))["triggers"]
        assert trigger["paused"] == {"since": None, "by": "", "reason": ""}


def test_a_schedule_is_overridden_and_left_to_its_file_again(steps: Steps) -> None:
    with installed(*scheduled()):
        asked = ("--timezone", "Asia/Tokyo", "--reason", "too many")
        printed = steps("override", "One", "*/5 * * * *", *asked)
        assert printed == "motia:One:0 is due by */5 * * * * in Asia/Tokyo.\n"
        shown = steps("show", "One")
        told = r"overridden: \*/5 \* \* \* \* since 20\S+ \S+ UTC by motia_steps \(.+\): too many\n"
        assert re.search(told, shown)
        [trigger] = json.loads(steps("show", "One", "--format", "json"))["triggers"]
        assert trigger["overridden"]["expression"] == "*/5 * * * *"
        assert trigger["overridden"]["reason"] == "too many"
        assert "timezone: Asia/Tokyo" in shown
        assert steps("override", "One", "--drop") == "motia:One:0 is due as its file says.\n"
        assert steps("override", "One", "--drop") == "motia:One:0 was not overridden.\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["override", "One"], "either an expression or --drop"),
        (["override", "One", "soon"], "'soon' is no cron expression"),
        (["override", "One", "@daily", "--timezone", "Mars"], "no time zone 'Mars'"),
        (["override", "Two", "@daily"], "Two: name one by --schedule: its schedules are 1, 2"),
        (["pause", "Two", "--schedule", "0"], "Two has no schedule 0: its schedules are 1, 2"),
        (["override", "Work", "@daily"], "Work has no schedule"),
        (["pause", "Other", "--schedule", "0"], "no Step named 'Other'"),
    ],
)
def test_what_is_no_schedule_or_no_time_is_told(fails: Fails, words: list[str], told: str) -> None:
    with installed(*scheduled(), make_step()):
        _printed, error, code = fails(*words)
    assert told in error
    assert code == 2
    assert not models.Override.objects.exists()
