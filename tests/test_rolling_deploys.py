"""Old code and new code on one database, as while a deployment goes on: neither loses a run.

The old code is played by the tables as it knows them: the models of an earlier migration, which
neither read nor write what came later. It claims and finishes as every release does, by one UPDATE
that names the status and the fence.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from motia_django import consumers, enqueue, handling, ledger, models, queue, state
from motia_django.celery_app import project_app, task_name
from motia_django.exceptions import TriggerGone
from motia_django.runs import Run, new_run_id
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

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
EARLIER = [
    name
    for app, name in sorted(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    if app == "motia"
][:-1]


@pytest.fixture(params=EARLIER)
def old(request: pytest.FixtureRequest) -> Any:
    """The models as an earlier release knows them, on the tables of today."""
    return MigrationLoader(connection).project_state([("motia", request.param)]).apps


def written(old: Any, **values: Any) -> UUID:
    """Write a run as an older release does; return its id."""
    now = timezone.now()
    usual: dict[str, Any] = {
        "id": new_run_id(),
        "step": "Work",
        "trigger": "queue",
        "source": "work",
        "status": "queued",
        "trace_id": "a" * 32,
        "input": {"n": 1},
        "publishes": 1,
        "created_at": now,
        "wake_at": now + timedelta(seconds=30),
    }
    run = old.get_model("motia", "Run").objects.create(**{**usual, **values})
    return UUID(str(run.id))


def claimed(old: Any, run_id: UUID, until: datetime) -> bool:
    """Claim a run as an older release does; return whether it was to be had."""
    runs = old.get_model("motia", "Run").objects.filter(id=run_id, status="queued", fence=0)
    changes = {"status": "running", "attempt": 1, "fence": 1, "worker": "old"}
    return bool(runs.update(**changes, wake_at=until, started_at=timezone.now()))


def finished(old: Any, run_id: UUID, **changes: Any) -> bool:
    """Finish a claimed run as an older release does; return whether it was still its own."""
    runs = old.get_model("motia", "Run").objects.filter(id=run_id, status="running", fence=1)
    usual: dict[str, Any] = {
        "status": "succeeded",
        "wake_at": None,
        "finished_at": timezone.now(),
        "timeline": [],
    }
    return bool(runs.update(**{**usual, **changes}))


def test_what_an_older_release_has_written_is_run_by_this_one(old: Any) -> None:
    seen: list[Any] = []
    with installed(make_step(lambda input, ctx: seen.append(input))):
        run_id = written(old)
        deliver([run_id])
    assert seen == [{"n": 1}]
    done = old.get_model("motia", "Run").objects.get(id=run_id)
    assert (done.status, done.attempt, done.input) == ("succeeded", 1, {"n": 1})


def test_what_this_release_has_written_is_run_by_an_older_one(old: Any) -> None:
    seen: list[Any] = []
    with installed(make_step(lambda input, ctx: seen.append(input))):
        [run_id] = map(UUID, enqueue("work", {"n": 2}))
        assert old.get_model("motia", "Run").objects.get(id=run_id).input == {"n": 2}
        assert claimed(old, run_id, timezone.now() + timedelta(seconds=60))
        deliver([run_id])
        assert finished(old, run_id, output={"ok": True})
        work_off()
    assert seen == []
    assert (row(run_id).status, row(run_id).output) == ("succeeded", {"ok": True})


def test_what_failed_in_an_older_release_is_tried_again_by_this_one(old: Any) -> None:
    seen: list[Any] = []
    with installed(make_step(lambda input, ctx: seen.append(input))):
        run_id = written(old)
        assert claimed(old, run_id, timezone.now() + timedelta(seconds=60))
        assert finished(old, run_id, status="scheduled", error="OSError: x", wake_at=timezone.now())
        upkeep()
        work_off()
    assert seen == [{"n": 1}]
    assert (row(run_id).status, row(run_id).attempt) == ("succeeded", 2)


def test_a_run_of_a_lost_older_worker_is_rescued_and_not_its_own_any_more(old: Any) -> None:
    seen: list[Any] = []
    with installed(make_step(lambda input, ctx: seen.append(input))):
        run_id = written(old)
        assert claimed(old, run_id, timezone.now())
        upkeep()
        let_time_pass(run_id)
        work_off()
    assert seen == [{"n": 1}]
    assert not finished(old, run_id, output="late")
    assert (row(run_id).status, row(run_id).attempt) == ("succeeded", 2)


def test_state_of_either_release_is_the_others(old: Any) -> None:
    items = old.get_model("motia", "StateItem").objects
    items.create(group="g", key="old", value={"n": 1}, version=1)
    assert state.get("g", "old") == {"n": 1}
    state.set("g", "old", {"n": 2})
    state.set("g", "new", {"n": 3})
    assert {item.key: item.value for item in items.filter(group="g")} == {
        "old": {"n": 2},
        "new": {"n": 3},
    }


def test_a_worker_of_an_older_release_does_not_say_which_queues_it_consumes() -> None:
    before = MigrationLoader(connection).project_state([("motia", "0011_run_parent_span")]).apps
    now = timezone.now()
    before.get_model("motia", "Worker").objects.create(name="w@here", seen_at=now, started_at=now)
    ledger.see("w@there", [])
    with installed(make_step()):
        assert consumers.unconsumed(models.Worker.objects.filter(name="w@there"))
        assert consumers.unconsumed(models.Worker.objects.all()) == {}


def test_a_light_message_is_read_without_what_came_later_and_with_what_is_to_come() -> None:
    """The whole run travels in it, so it crosses releases: keys are added, and none is needed."""
    message = make_run(input={"n": 1}).to_message()
    older = {key: value for key, value in message.items() if key != "parentSpan"}
    read = Run.from_message(str(new_run_id()), {**older, "ofTomorrow": [1]})
    assert (read.step, read.input, read.parent_span) == ("Work", {"n": 1}, None)


def test_a_message_for_a_trigger_that_only_newer_code_has_waits_for_it() -> None:
    """It is left to the workers that have it, and no attempt is spent."""
    seen: list[Any] = []

    def handler(input: Any) -> None:
        seen.append(input)

    old, new = make_step(handler), make_step(handler, queue("work"), queue("later"))
    with installed(new):
        enqueue({"topic": "later", "data": {"n": 1}})
    [run] = rows()
    with installed(old):
        deliver([run.id])
        left = row(run.id)
        assert (left.status, left.attempt, seen) == ("scheduled", 0, [])
        assert "has no trigger of type queue for 'later' here" in str(left.timeline)
    with installed(new):
        let_time_pass(run.id)
        work_off()
    assert (row(run.id).status, row(run.id).attempt, seen) == ("succeeded", 1, [{"n": 1}])


def test_who_waits_for_a_trigger_says_so_once() -> None:
    run = kept_run(source="gone")
    with installed(make_step()):
        for _ in range(3):
            deliver([run.id])
            let_time_pass(run)
    [entry] = row(run).timeline
    assert (entry["kind"], entry["times"]) == ("snoozed", 3)


@pytest.mark.parametrize(("waited", "after"), [(None, 5), (20, 5), (600, 60), (86_400, 600)])
def test_who_waits_for_a_trigger_long_looks_for_it_less_and_less_often(
    waited: int | None, after: int
) -> None:
    with time_machine.travel(NOON, tick=False):
        since = None if waited is None else timezone.now() - timedelta(seconds=waited)
        left = handling.left_to_others(make_run(tried_since=since), TriggerGone("It is gone"))
    assert (str(left["error"]), left["error"].after) == ("It is gone", timedelta(seconds=after))


def test_a_message_is_not_handled_as_one_of_the_topic_that_took_its_place() -> None:
    seen: list[Any] = []
    with installed(make_step(seen.append, queue("delete"), queue("create"))):
        enqueue({"topic": "delete", "data": 1})
    with installed(make_step(seen.append, queue("create"))):
        work_off()
    assert seen == [] and rows()[0].status == "scheduled"


def test_a_light_message_for_a_trigger_that_only_newer_code_has_is_kept_in_the_ledger() -> None:
    run = make_run(source="later")
    with installed(make_step(record="failures")):
        project_app().tasks[task_name("Work")].apply(args=(str(run.id), run.to_message()))
    assert (row(run.id).status, row(run.id).attempt) == ("scheduled", 0)


def test_every_column_that_a_release_has_known_is_still_there(old: Any) -> None:
    """A column goes only after a release that neither reads nor writes it."""
    today = {each.column for each in models.Run._meta.concrete_fields}
    known = {each.column for each in old.get_model("motia", "Run")._meta.concrete_fields}
    assert known <= today
