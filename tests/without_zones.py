"""What `test_without_zones` tries where USE_TZ is False; pytest does not collect it by itself."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from motia_django import batches, enqueue, ledger, models, operations, state, streams, upkeep
from motia_django.checks import deployment
from motia_django.context import Context
from motia_django.exceptions import Snooze
from motia_django.ledger.selections import Selection
from motia_django.moments import as_kept
from motia_django.runs import Run, Status, lowest_id_at
from tests.factories import (
    deliver,
    installed,
    kept_run,
    let_time_pass,
    make_step,
    make_stream,
    row,
    rows,
    work_off,
)
from tests.servers import fresh_redis
from tests.stores.backends import NAMES as STORES
from tests.stores.backends import each_store
from tests.web.serving import answering

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
ADMIN = "/admin/motia"
seen: list[Any] = []


def handler(input: Any, ctx: Context) -> None:
    """Fail, snooze or see when the run was born, as it is told."""
    if input == "fail":
        raise ValueError("no")
    if input == "snooze" and not seen:
        seen.append(True)
        raise Snooze("later", after=3600)
    seen.append(ctx.created_at)


@pytest.fixture(autouse=True)
def work() -> Iterator[None]:
    """A Step that is not tried again."""
    seen.clear()
    trigger = {"type": "queue", "topic": "work", "config": {"maxRetries": 0}}
    with installed(make_step(handler, trigger)):
        yield


def dead() -> models.Run:
    """Return a run that has died just now."""
    ids = enqueue("work", "fail")
    deliver(ids)
    return row(ids[0])


def printed(*words: str) -> str:
    """Return what `manage.py motia_steps` prints."""
    out = io.StringIO()
    call_command("motia_steps", *words, stdout=out)
    return out.getvalue()


def has_zone(text: str) -> bool:
    """Return whether a text is a moment just now, with its zone."""
    moment = datetime.fromisoformat(text)
    return moment.tzinfo is not None and abs(datetime.now(UTC) - moment) < HOUR / 2


def by_clock(moment: datetime) -> str:
    """Return a moment as the page's reader types it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def test_this_project_has_no_zones() -> None:
    assert not settings.USE_TZ
    assert dead().created_at.tzinfo is None


# -- commands


@pytest.mark.parametrize(
    ("words", "finds"),
    [
        (("dead", "--format", "json"), True),
        (("dead", "--format", "json", "--since", "20m"), True),
        (("dead", "--format", "json", "--before", "20m"), False),
        (("dead", "--groups", "--format", "json"), True),
        (("runs", "--format", "json", "--since", "20m"), True),
        (("runs", "--format", "json", "--before", "20m"), False),
    ],
)
def test_commands_find_runs_by_their_age_and_say_times_with_their_zone(
    words: tuple[str, ...], finds: bool
) -> None:
    dead()
    found = json.loads(printed(*words))
    times = [value for each in found for name, value in each.items() if name.endswith("At")]
    assert bool(found) is finds
    assert all(has_zone(each) for each in times if each)


@pytest.mark.parametrize("option", ["--since", "--before"])
def test_commands_find_runs_by_what_the_projects_clocks_showed(option: str) -> None:
    died = dead().finished_at
    assert died is not None
    for ahead in (-HOUR / 2, HOUR / 2):
        found = printed("dead", "--format", "json", option, by_clock(died + ahead))
        assert bool(json.loads(found)) is ((ahead < timedelta()) is (option == "--since"))


def test_commands_show_what_the_projects_clocks_showed() -> None:
    run = dead()
    told = f"{run.finished_at:%Y-%m-%d %H:%M:%S}"
    assert told in printed("dead")
    assert "DIED (Europe/Berlin)" in printed("dead")
    assert "times in Europe/Berlin" in printed("trace", str(run.id))
    assert f"attempt 1  {run.started_at:%Y-%m-%d %H:%M:%S}" in printed("trace", str(run.id))
    assert f"{run.created_at:%Y-%m-%d %H:%M:%S}" in printed("runs")


def test_commands_deal_with_what_had_died_when_they_began() -> None:
    first, second = dead(), dead()
    printed("redrive", "--step", "Work", "--since", "1h", "--yes")
    assert {row(each.id).status for each in (first, second)} == {Status.QUEUED}
    work_off()
    printed("discard", str(first.id), "--yes")
    printed("discard", "--step", "Work", "--before", by_clock(timezone.now() + HOUR), "--yes")
    assert {row(each.id).status for each in (first, second)} == {Status.CANCELLED}


@pytest.mark.parametrize(
    ("words", "becomes"),
    [(("cancel",), Status.CANCELLED), (("retry",), Status.QUEUED), (("rerun",), Status.SCHEDULED)],
)
def test_commands_deal_with_what_waits_and_what_is_over(
    words: tuple[str, ...], becomes: Status
) -> None:
    run = kept_run(status="scheduled", wake_at=timezone.now() + HOUR)
    over = kept_run(status="succeeded", input="see")
    for option, done in (("--before", False), ("--since", True)):
        before = len(rows())
        printed(*words, "--step", "Work", option, "20m", "--yes")
        has_changed = row(run).status == becomes != Status.SCHEDULED or len(rows()) > before
        assert has_changed is done
    assert row(over).status == Status.SUCCEEDED


def test_what_is_older_than_so_many_days_is_pruned() -> None:
    old, young = (
        kept_run(id=lowest_id_at(born), created_at=as_kept(born))
        for born in (datetime.now(UTC) - 30 * HOUR, datetime.now(UTC))
    )
    models.Run.objects.filter(id=old.id).update(status="dead", finished_at=old.created_at)
    models.Run.objects.filter(id=young.id).update(status="dead", finished_at=young.created_at)
    printed("prune", "--status", "dead", "--older-than", "1", "--yes")
    assert [each.id for each in rows()] == [young.id]


def test_the_checks_before_deploying_warn_of_the_clocks() -> None:
    ledger.see("celery@here")
    found = {each.id for each in deployment(None)}
    assert "motia.W042" in found
    assert not found & {"motia.W017", "motia.W025", "motia.W026"}


def test_other_commands_tell_times_too() -> None:
    batches.begin("redrive", Selection(), by="me")
    operations.pause("Work", by="me")
    state.set("group", "key", 1, ttl=600)
    assert has_zone(json.loads(printed("batches", "--format", "json"))[0]["createdAt"])
    assert has_zone(json.loads(printed("show", "Work", "--format", "json"))["paused"]["since"])
    item = json.loads(printed("state", "get", "group", "key", "--format", "json"))
    assert has_zone(item["expires_at"])
    assert f"{timezone.now():%Y-%m-%d %H:}" in printed("show", "Work")
    printed("batches")


def test_commands_tell_since_when_a_schedule_is_not_what_its_file_says() -> None:
    with installed(make_step(handler, {"type": "cron", "schedule": "@daily"})):
        printed("pause", "Work", "--schedule", "0")
        printed("override", "Work", "@hourly")
        [trigger] = json.loads(printed("show", "Work", "--format", "json"))["triggers"]
        assert has_zone(trigger["paused"]["since"])
        assert has_zone(trigger["overridden"]["since"])
        assert printed("show", "Work").count(" since 20") == 2


# -- the admin


def test_the_admin_chooses_by_what_the_readers_clock_shows(admin_client: Client) -> None:
    died = dead().finished_at
    assert died is not None
    earlier, later = by_clock(died - HOUR / 2), by_clock(died + HOUR / 2)
    for query, count in (
        (f"since={earlier}", 1),
        (f"since={later}", 0),
        (f"before={later}", 1),
        (f"before={earlier}", 0),
    ):
        page = admin_client.get(f"{ADMIN}/batch/preview/?deed=redrive&{query}")
        assert page.context["prospect"].count == count, query
    for query, count in ((f"from={earlier}", 1), (f"from={later}", 0), ("created=hour", 1)):
        assert admin_client.get(f"{ADMIN}/run/?{query}").context["cl"].result_count == count


def test_the_admin_redrives_the_death_that_was_looked_at(admin_client: Client) -> None:
    run = dead()
    address = f"{ADMIN}/run/{run.id}/redrive/"
    looked_at = {"died_at": run.finished_at.isoformat()} if run.finished_at else {}
    operations.redrive(run.id, by="me")
    work_off()
    assert b"has died again" in admin_client.post(address, looked_at).content
    looked_at = {"died_at": str(row(run.id).finished_at)}
    admin_client.post(address, looked_at)
    assert row(run.id).status == Status.QUEUED


def test_a_runs_page_tells_of_its_attempts_as_the_clocks_showed_them(admin_client: Client) -> None:
    run = dead()
    operations.redrive(run.id, by="me")
    work_off()
    address = f"{ADMIN}/run/{run.id}/"
    page = admin_client.get(f"{address}change/")
    assert [each.get("began", "") != "–" for each in page.context["attempts"]] == [True] * 3
    assert f"{run.created_at:%Y-%m-%d %H:%M:%S}" in page.content.decode()
    assert "CET" in page.content.decode() or "CEST" in page.content.decode()
    kept = admin_client.get(f"{address}export/").json()
    assert has_zone(kept["created_at"])
    assert all(has_zone(each["began"]) for each in kept["timeline"] if each["kind"] == "attempt")


# -- the life of runs


def test_a_run_says_when_it_was_born_with_its_zone() -> None:
    deliver(enqueue("work", "see"))
    assert abs(datetime.now(UTC) - seen[0]) < HOUR / 2


def test_a_light_run_is_born_when_it_was() -> None:
    light = make_step(handler, {"type": "queue", "topic": "light"}, name="Light", record="failures")
    born = datetime(2026, 7, 1, 10, tzinfo=UTC)
    with installed(light):
        run = kept_run(created_at=datetime(2026, 7, 1, 12))
    message = run.to_message()
    assert datetime.fromisoformat(message["createdAt"]) == born
    assert Run.from_message(str(run.id), message).created_at == run.created_at


def test_a_snooze_is_over_when_it_is_due() -> None:
    [run_id] = enqueue("work", "snooze")
    deliver([run_id])
    wakes = row(run_id).wake_at
    assert wakes is not None
    assert HOUR / 2 < wakes - timezone.now() <= HOUR
    upkeep.upkeep()
    assert row(run_id).status == Status.SCHEDULED
    let_time_pass(run_id)
    deliver([run_id])
    assert row(run_id).status == Status.SUCCEEDED
    assert ", but it went on at 20" in printed("trace", run_id)


def test_a_lost_worker_is_noticed_when_its_lease_is_over_and_not_before() -> None:
    runs = [kept_run(status="running", wake_at=timezone.now() + ago) for ago in (-HOUR, HOUR)]
    upkeep.upkeep()
    assert [row(each).status for each in runs] == [Status.SCHEDULED, Status.RUNNING]


@pytest.fixture
def redis_of_state(redis_server: str) -> str:
    """A Redis database that only these tests use."""
    return fresh_redis()


@pytest.fixture(params=STORES)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Make each store that of the project, empty and with nobody watching."""
    yield from each_store(request)


def test_items_of_state_expire_when_they_are_to(backend: str) -> None:
    state.set("group", "stays", 1, ttl=600)
    state.set("group", "goes", 1, ttl=0.001)
    while state.get("group", "goes") is not None:
        pass
    assert [key for key, _ in state.items("group")] == ["stays"]
    item = state.get_item("group", "stays")
    assert item is not None
    assert item.expires_at is not None
    assert timedelta() < item.expires_at - timezone.now() <= timedelta(seconds=600)
    upkeep.keep_state()
    assert state.get("group", "stays") == 1


def test_items_of_streams_expire_when_they_are_to() -> None:
    with installed(streams=[make_stream()]):
        stream = streams.orders
        stream.set("group", "stays", {"n": 1}, ttl=600)
        stream.set("group", "goes", {"n": 1}, ttl=0.001)
        while stream.get("group", "goes") is not None:
            pass
        upkeep.keep_streams()
        assert [each["id"] for each in stream.list("group")] == ["stays"]


def test_an_answer_is_remembered_for_its_time() -> None:
    calls: list[int] = []

    def count() -> dict[str, Any]:
        calls.append(1)
        return {"body": len(calls)}

    with answering(count, "POST", idempotency=True) as client:
        for _ in range(2):
            answer = client.post("/x", headers={"Idempotency-Key": "one"})
            assert answer.json() == 1
        models.Answer.objects.update(expires_at=timezone.now())
        upkeep.prune()
        assert client.post("/x", headers={"Idempotency-Key": "one"}).json() == 2
