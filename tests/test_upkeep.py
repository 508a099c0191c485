"""What upkeep does besides publishing and rescuing: prune, and tell that its worker is there."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from motia_django import enqueue, ledger, models
from motia_django import upkeep as upkeep_module
from motia_django.exceptions import TimedOut
from motia_django.runs import Status, lowest_id_at
from motia_django.upkeep import Upkeep, prune, upkeep
from tests.factories import deliver, installed, make_step, row, rows
from tests.ledger.taking import begin

pytestmark = pytest.mark.django_db


def finished(days_ago: float, status: Status) -> models.Run:
    """Return the row of a run that finished so long ago."""
    then = timezone.now() - timedelta(days=days_ago)
    old = models.Run(step="Work", trigger="queue", trace_id="0" * 32, status=status)
    old.id = lowest_id_at(then - timedelta(seconds=1))
    old.created_at = old.finished_at = then
    old.save(force_insert=True)
    return old


def test_what_is_older_than_its_status_is_kept_is_deleted(settings: Any) -> None:
    settings.MOTIA = {"RETENTION": {"succeeded": 7, "skipped": 0.5, "dead": None}}
    gone = [finished(8, Status.SUCCEEDED), finished(1, Status.SKIPPED)]
    kept = [
        finished(6, Status.SUCCEEDED),
        finished(0.25, Status.SKIPPED),
        finished(29, Status.CANCELLED),
        finished(1000, Status.DEAD),
        finished(999, Status.RUNNING),
    ]
    assert prune() == len(gone)
    assert {each.id for each in rows()} == {each.id for each in kept}


def test_a_worker_is_known_from_its_first_sign_to_its_end_however_long_its_name_is() -> None:
    name = "w" * 300
    ledger.see(name)
    then = timezone.now() - timedelta(hours=1)
    ledger.workers().update(started_at=then, seen_at=then)
    ledger.see(name)
    again = ledger.workers().get()
    assert again.started_at == then < again.seen_at
    ledger.see("other")
    ledger.forget(name)
    assert [each.name for each in ledger.workers()] == ["other"]


def test_an_attempt_that_its_process_has_let_go_of_ends_with_the_next_round() -> None:
    how = ("its time was up before its handler began", TimedOut)
    with installed(make_step()):
        [run_id] = enqueue("work")
        begin(run_id)
        upkeep_module.let_go(UUID(run_id), "there", *how)
        upkeep()
        assert row(run_id).status == Status.RUNNING, "another has it"
        upkeep_module.let_go(UUID(run_id), "here", *how)
        upkeep()
    assert row(run_id).status == Status.SCHEDULED
    assert f"TimedOut: {how[0]} during attempt 1" in row(run_id).error


def test_index_keys_of_runs_that_an_older_release_has_deleted_go() -> None:
    kept = finished(1, Status.SUCCEEDED)
    for run_id in (kept.id, lowest_id_at(timezone.now())):
        models.RunKey.objects.create(run_id=run_id, name="orderId", value="1")
    prune()
    assert models.RunKey.objects.get().run_id == kept.id


def test_what_is_unfinished_is_never_deleted() -> None:
    with installed(make_step()):
        [run_id] = enqueue("work")
        models.Run.objects.update(created_at=timezone.now() - timedelta(days=999))
        prune()
        assert row(run_id).status == Status.QUEUED


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="in-memory SQLite lets no two threads in")
def test_a_worker_is_seen_while_it_works_and_forgotten_when_it_ends(settings: Any) -> None:
    settings.MOTIA = {"UPKEEP_INTERVAL": 0.02}
    part = Upkeep(SimpleNamespace(hostname="celery@here"))
    part.start(None)
    eventually_seen = threading.Event()
    for _ in range(200):
        if ledger.workers().filter(name="celery@here").exists():
            eventually_seen.set()
            break
        eventually_seen.wait(0.02)
    part.stop(None)
    assert eventually_seen.is_set()
    assert not ledger.workers().exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="in-memory SQLite is never closed")
@pytest.mark.parametrize(("age", "number"), [(None, 1), (0, 0)])
def test_its_connection_lasts_as_django_says_but_is_closed_before_a_fork(
    age: int | None, number: int, monkeypatch: Any
) -> None:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", age)
    part = Upkeep(SimpleNamespace(hostname="celery@here"))
    rounds = threading.Thread(target=part._look_after_all)
    rounds.start()
    rounds.join()
    is_open = [each for each in upkeep_module._connections if each.connection is not None]
    assert len(is_open) == number
    upkeep_module._before_fork()
    upkeep_module._chore.release()
    assert [each for each in is_open if each.connection is not None] == []


def test_workers_that_have_long_been_silent_are_forgotten() -> None:
    ledger.see("old")
    ledger.workers().update(seen_at=timezone.now() - timedelta(hours=2))
    ledger.see("new")
    assert [each.name for each in ledger.workers()] == ["new"]


def test_a_paused_step_is_left_alone_and_goes_on_when_it_is_resumed() -> None:
    with installed(make_step()):
        [run_id] = enqueue("work")
        ledger.pause("Work")
        models.Run.objects.update(wake_at=timezone.now())
        upkeep()
        deliver([run_id])
        assert row(run_id).status == Status.QUEUED
        ledger.resume("Work")
        assert upkeep() == 1
        deliver([run_id])
        assert row(run_id).status == Status.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_a_chore_that_fails_keeps_no_other_from_being_done(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module.logger.parent, "propagate", True)

    def broken() -> int:
        raise RuntimeError("out of order")

    part = Upkeep(SimpleNamespace(hostname="celery@here"))
    assert part._do(broken, lambda: 7) == [None, 7]
    failed = "the worker's sign of life failed, and is tried again: RuntimeError: out of order"
    assert failed in caplog.text


@pytest.mark.django_db(transaction=True)
def test_of_a_server_that_is_away_the_part_that_needs_it_is_told_and_its_traceback_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module.logger.parent, "propagate", True)
    state = {"BACKEND": "motia_django.stores.redis.RedisState"}
    cache = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    part = Upkeep(SimpleNamespace(hostname="celery@here"))

    def told() -> list[tuple[str, bool]]:
        caplog.clear()
        part._look_after_all()
        records = {id(each): each for each in caplog.records}.values()
        return [(each.levelname, bool(each.exc_info)) for each in records]

    with override_settings(CACHES={"default": cache}, MOTIA={"STATE": state}):
        assert told() == [("WARNING", True)]
        assert "looking after the state failed" in caplog.text
        assert "StoreUnavailable: state: the Redis of" in caplog.text
        assert told() == []
        monkeypatch.setattr(upkeep_module, "_MINUTE", 0.0)
        assert told() == [("WARNING", False)]
    assert told() == []
    with override_settings(CACHES={"default": cache}, MOTIA={"STATE": state}):
        assert told() == [("WARNING", True)]
