"""The history of requests is written behind their answers: nothing of it is lost while we live."""

from __future__ import annotations

import atexit
import json
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, connections

from motia_django import ledger, models, recording
from motia_django.recording import Recorder
from motia_django.runs import Outcome, Run, Status
from tests.factories import installed, make_run, make_step, row, rows
from tests.served import DATABASE, served
from tests.web.serving import answering

pytestmark = pytest.mark.django_db


def answered(**values: Any) -> tuple[Run, Outcome]:
    """Return a request that was answered well."""
    run = make_run(
        trigger="http",
        source="POST /orders",
        input={"headers": {"Authorization": "Bearer x", "Accept": "*/*"}, "body": {"name": "Åse"}},
        status=Status.RUNNING,
        attempt=1,
        wake_at=None,
        parent_span="00f067aa0ba902b7-01",
        **values,
    )
    outcome = Outcome(
        status=Status.SUCCEEDED,
        value={"status": 201, "headers": {}, "body": {"token": "t", "text": "\x00 \u2028"}},
        started_at=run.created_at,
        finished_at=run.created_at,
        timeline=({"at": 0.1, "kind": "log", "message": "Working"},),
    )
    return run, outcome


def columns(run: Run) -> dict[str, Any]:
    """Return all that its row says, but for its id."""
    found = {each.attname: getattr(row(run), each.attname) for each in models.Run._meta.fields}
    return {**found, "id": None}


@pytest.mark.parametrize(
    "change",
    [
        lambda run, outcome: (run, outcome),
        lambda run, outcome: (run, replace(outcome, status=Status.SKIPPED, value=None)),
        lambda run, outcome: (replace(run, source="x" * 1000, parent_span=None), outcome),
        lambda run, outcome: (run, replace(outcome, value={"body": "é" * 40_000})),
        lambda run, outcome: (run, replace(outcome, value={"body": object}, timeline=())),
        lambda run, outcome: (replace(run, input={"body": [2**70, {"password": 1}]}), outcome),
    ],
    ids=["usual", "skipped", "long source", "large", "no JSON", "wide number"],
)
def test_what_is_written_with_many_others_is_what_is_written_alone(
    change: Callable[[Run, Outcome], tuple[Run, Outcome]],
) -> None:
    run, outcome = change(*answered())
    twin = replace(run, id=uuid4())
    ledger.record(twin, outcome)
    ledger.record_answered([(run, outcome), answered()])
    assert columns(run) == columns(twin)


def test_more_than_one_statement_can_hold_are_all_written() -> None:
    many = [answered() for _ in range(250)]
    ledger.record_answered(many)
    assert models.Run.objects.count() == 250


def test_a_request_is_found_by_its_keys_when_it_was_written_with_others() -> None:
    trigger = {"type": "http", "path": "/x", "config": {"index": ["name"]}}
    with installed(make_step(lambda request: None, trigger, name="Work")):
        run, outcome = answered(step="Work")
        ledger.record_answered([(replace(run, source="GET /x"), outcome), answered(step="Work")])
        assert run.id in ledger.found_by_key("Åse")


def test_requests_that_are_written_together_each_keep_what_their_handlers_gave() -> None:
    many = [answered() for _ in range(3)]
    given = [replace(each, keys=(("orderId", str(at)),)) for at, (_, each) in enumerate(many)]
    runs = [run for run, _ in many]
    ledger.record_answered(list(zip(runs, [*given[:2], many[2][1]], strict=True)))
    found = [ledger.found_by_key(f"orderId={at}") for at in range(3)]
    assert found == [[runs[0].id], [runs[1].id], []]


def test_in_a_test_run_it_is_written_at_once() -> None:
    run, outcome = answered()
    recording.record(run, outcome)
    assert row(run).status == "succeeded"


@pytest.mark.one_database
@pytest.mark.django_db(transaction=True)
def test_while_the_database_takes_nothing_it_waits_in_its_order(caplog: Any) -> None:
    """SQLite's error for a table that is gone is the one of a server that is gone."""
    recorder, many = Recorder(), [answered() for _ in range(3)]
    recorder._waiting.extend(many)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE motia_run RENAME TO away")
        for _ in range(3):
            recorder.write()
        cursor.execute("ALTER TABLE away RENAME TO motia_run")
    assert [*recorder._waiting] == many
    assert {each.levelname for each in caplog.records} == {"WARNING"}
    recorder.write()
    assert (len(recorder._waiting), models.Run.objects.count()) == (0, 3)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="others have no such connection")
def test_what_a_replica_does_not_take_is_written_over_another_connection() -> None:
    recorder, many = Recorder(), [answered() for _ in range(3)]
    recorder._waiting.extend(many)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    recorder.write()
    assert [*recorder._waiting] == many
    recorder.write()
    assert (len(recorder._waiting), models.Run.objects.count()) == (0, 3)


@pytest.mark.one_database
@pytest.mark.django_db(transaction=True)
def test_what_the_database_never_takes_is_told_to_the_log_in_the_end(caplog: Any) -> None:
    recorder, (run, outcome) = Recorder(), answered()
    recorder._waiting.append((run, outcome))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE motia_run RENAME TO away")
        while recorder._waiting:
            recorder.write()
        cursor.execute("ALTER TABLE away RENAME TO motia_run")
    assert f"Run {run.id} of Work could not be recorded" in caplog.text


def test_a_row_that_the_database_refuses_does_not_keep_the_others_out(caplog: Any) -> None:
    recorder, (bad, outcome) = Recorder(), answered()
    nameless: Any = None
    recorder._waiting.extend([answered(), (replace(bad, trace_id=nameless), outcome), answered()])
    recorder.write()
    assert models.Run.objects.count() == 2
    assert f"Run {bad.id} of Work could not be recorded" in caplog.text


def test_what_was_written_just_before_the_connection_broke_is_not_told_to_be_missing(
    caplog: Any,
) -> None:
    recorder, there, other = Recorder(), answered(), answered()
    ledger.record_answered([there])
    for waiting in ([there, other], [there]):
        recorder._waiting.extend(waiting)
        recorder.write()
    assert (models.Run.objects.count(), caplog.records) == (2, [])


def test_where_nobody_writes_a_request_does(settings: Any, monkeypatch: Any) -> None:
    """As in a server that lets no other thread run."""
    settings.MOTIA = {"HISTORY_DELAY": 0.001}
    monkeypatch.delattr("django.core.mail.outbox")
    monkeypatch.setattr(recording, "_LATE", 0.0)
    recorder = Recorder()
    recorder._is_wanted.set()
    recorder.add(*answered())
    time.sleep(0.01)
    recorder.add(*answered())
    assert models.Run.objects.count() == 2


@pytest.mark.one_database
@pytest.mark.django_db(transaction=True)
def test_what_waits_is_not_written_by_a_forked_process_too(monkeypatch: Any) -> None:
    recorder = Recorder()
    monkeypatch.setattr(recording, "_recorder", recorder)
    recorder._waiting.append(answered())
    child = os.fork()
    if not child:
        os._exit(len(recording._recorder._waiting))
    assert os.waitpid(child, 0)[1] == 0
    assert len(recorder._waiting) == 1


@pytest.mark.one_database
@pytest.mark.django_db(transaction=True)
def test_a_forked_process_that_ends_leaves_alone_what_its_parent_may_be_writing(
    monkeypatch: Any,
) -> None:
    at_end: list[Any] = []
    monkeypatch.setattr(atexit, "register", at_end.append)
    monkeypatch.setattr(Recorder, "_work", lambda self: None)
    recorder = Recorder()
    monkeypatch.setattr(recorder, "write", lambda: os._exit(1))
    monkeypatch.setattr(recording, "_recorder", recorder)
    recorder._start()
    child = os.fork()
    if not child:
        at_end[0]()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="others are cut off in other ways")
def test_a_request_that_dies_by_a_lost_connection_is_recorded_over_another() -> None:
    def handler() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with answering(handler) as client:
        assert client.get("/x").status_code == 500
    [run] = rows()
    assert (run.status, "terminating connection" in run.error) == ("dead", True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="others are cut off in other ways")
def test_a_process_that_ends_writes_what_waits_over_a_connection_of_its_own(
    monkeypatch: Any,
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(recording, "_recorder", recorder)
    recorder._waiting.extend(answered() for _ in range(3))
    inherited = connections["default"]
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    recording._write_the_rest()
    assert models.Run.objects.count() == 3
    assert connections["default"] is not inherited


SERVE = """
import json, os, sys, time
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
from motia_django import models
client = Client()
for number in range(30):
    assert client.get("/greet?name=Ada").status_code == 200
early = models.Run.objects.filter(trigger='http').count()
if sys.argv[1] == "wait":
    until = time.monotonic() + 20
    while models.Run.objects.filter(trigger='http').count() < 30 and time.monotonic() < until:
        time.sleep(0.01)
print(json.dumps([early, models.Run.objects.filter(trigger='http').count()]), flush=True)
"""


def serve(tmp_path: Path, how: str, delay: float) -> tuple[int, int, int]:
    """Return how many runs were there right after the answers, then, and when the process ended."""
    settings = f"MOTIA = {{**globals().get('MOTIA', {{}}), 'HISTORY_DELAY': {delay}}}"
    done = served(tmp_path, SERVE, how, settings)
    early, late = json.loads(done.stdout.splitlines()[-1])
    with sqlite3.connect(tmp_path / DATABASE) as database:
        [[ended]] = database.execute("SELECT count(*) FROM motia_run WHERE trigger = 'http'")
    return early, late, ended


@pytest.mark.one_database
def test_a_process_writes_it_soon_by_itself(tmp_path: Path) -> None:
    _, late, ended = serve(tmp_path, "wait", 0.05)
    assert (late, ended) == (30, 30)


@pytest.mark.one_database
def test_a_process_that_ends_writes_what_waits(tmp_path: Path) -> None:
    early, _, ended = serve(tmp_path, "leave", 30)
    assert (early, ended) == (0, 30)


@pytest.mark.one_database
def test_without_a_delay_it_is_there_before_the_answer(tmp_path: Path) -> None:
    assert serve(tmp_path, "leave", 0) == (30, 30, 30)
