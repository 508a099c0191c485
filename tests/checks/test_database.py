from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.checks import CheckMessage
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from motia_django import cron, ledger
from motia_django.checks.broker import broker
from motia_django.checks.database import TURNED, database
from motia_django.models import Answer
from motia_django.steps import Step
from tests.checks.conftest import MakeApp
from tests.docs.pages import DOCS, blocks
from tests.factories import QUEUE, installed, kept_run, make_step, nothing
from tests.servers.mariadb import mariadb_settings
from tests.servers.postgresql import django_settings, fresh_postgresql

HTTP = {"type": "http", "path": "/x"}
MEMORY = {"BACKEND": "motia_django.stores.memory.MemoryState"}
NOT_DEFAULT = "motia.W024"
"""That the database is not `default`, which those below are not."""


class Router:
    """Put the tables of motia_django on the database `checked`, or some of them elsewhere."""

    def __init__(self, **elsewhere: str) -> None:
        self.elsewhere = elsewhere

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        if model._meta.app_label != "motia":
            return None
        return self.elsewhere.get(model._meta.model_name, "checked")


@contextmanager
def on(declared: dict[str, Any], router: object | None = None) -> Iterator[None]:
    """Have the ledger on the database `checked`, so declared, for the block."""
    configured = connections.configure_settings({"default": {}, "checked": declared})
    connections.settings["checked"] = configured["checked"]
    try:
        with override_settings(DATABASE_ROUTERS=[router or Router()]):
            yield
    finally:
        connections["checked"].close()
        del connections["checked"], connections.settings["checked"]


@pytest.fixture(scope="module")
def migrated(postgresql_server: str, django_db_blocker: Any) -> dict[str, Any]:
    """Return the settings of a PostgreSQL with the tables of motia_django."""
    declared = django_settings(fresh_postgresql())
    with django_db_blocker.unblock(), on(declared):
        call_command("migrate", "motia", database="checked", verbosity=0)
    return declared


@pytest.fixture
def postgresql(migrated: dict[str, Any], django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """Return the same, with one worker seen just now."""
    with django_db_blocker.unblock():
        with on(migrated):
            ledger.workers().delete()
            ledger.see("celery@here")
        yield migrated


@pytest.fixture(autouse=True)
def celery(project_app: MakeApp) -> None:
    """Have a Celery app that is all right."""
    project_app("redis://127.0.0.1:1/0", CELERY_DB_REUSE_MAX=1000)


def found(*steps: Step) -> list[CheckMessage]:
    with installed(*(steps or [make_step()])):
        return [message for message in database() if message.id != NOT_DEFAULT]


def ids(*steps: Step) -> list[str | None]:
    return [message.id for message in found(*steps)]


def test_a_database_as_it_should_be_is_all_right(postgresql: dict[str, Any]) -> None:
    with on(postgresql):
        assert ids() == []


@pytest.mark.parametrize("server", ["redis_server", "rabbitmq_server"])
def test_the_settings_that_the_documentation_shows_are_all_right(
    server: str,
    postgresql: dict[str, Any],
    project_app: MakeApp,
    request: pytest.FixtureRequest,
) -> None:
    [shown] = [each for each in blocks(DOCS / "deploying.md") if each.title == "settings.py"]
    names: dict[str, Any] = {"DATABASES": {"default": dict(postgresql)}}
    exec(shown.text, names)
    app = project_app(request.getfixturevalue(server))
    app.config_from_object(SimpleNamespace(**names), namespace="CELERY")
    light = {"type": "queue", "topic": "x", "config": {"visibilityTimeout": 600}}
    ordered = {"type": "queue", "topic": "y", "config": {"priority": 9}}
    steps = (
        make_step(nothing, light, name="Light", record="failures"),
        make_step(nothing, ordered, name="Ordered"),
    )
    with on(names["DATABASES"]["default"]):
        assert ids(*steps) == []
    with installed(*steps):
        said = {message.id for message in broker()}
    assert said <= {"motia.W015"}  # the Redis of the tests keeps nothing on disk


def test_a_project_without_steps_needs_no_database() -> None:
    with installed():
        assert list(database()) == []


# -- that it can be asked


def at(port: str) -> dict[str, Any]:
    """Return the settings of a PostgreSQL on a port where there is none."""
    engine = "django.db.backends.postgresql"
    here = {"HOST": "127.0.0.1", "PORT": port}
    return {"ENGINE": engine, "NAME": "x", **here}


def test_a_database_that_cannot_be_reached_is_one_warning(django_db_blocker: Any) -> None:
    with django_db_blocker.unblock(), on(at("1")):
        [warning] = found()
    assert warning.id == "motia.W017"
    assert "OperationalError" in warning.msg


def test_a_database_that_never_answers_is_not_waited_for(
    silent_port: int, django_db_blocker: Any
) -> None:
    start = time.monotonic()
    with django_db_blocker.unblock(), on(at(str(silent_port))):
        [warning] = found()
    assert warning.id == "motia.W017"
    assert "no answer within 2 seconds" in warning.msg
    assert time.monotonic() - start < 10


def test_a_database_that_must_not_be_asked_does_not_crash_the_check() -> None:
    with installed(make_step()):
        assert "motia.W017" in [message.id for message in database()]  # pytest-django forbids it


def test_missing_migrations_are_named_and_nothing_else_is_asked(
    postgresql_server: str, django_db_blocker: Any
) -> None:
    declared = django_settings(fresh_postgresql())
    with django_db_blocker.unblock(), on(declared):
        [warning] = found()
    assert warning.id == "motia.W018"
    assert "0001_initial" in warning.msg


# -- its connections


def test_connections_that_celery_opens_for_every_task_are_a_warning(
    postgresql: dict[str, Any], project_app: MakeApp
) -> None:
    project_app("redis://127.0.0.1:1/0")
    with on(postgresql):
        assert ids() == ["motia.W019"]
        assert ids(make_step(nothing, HTTP)) == []


@pytest.mark.parametrize(
    ("pool", "expected"), [("prefork", ["motia.W020"]), ("threads", []), ("gevent", [])]
)
def test_a_connection_pool_is_a_warning_where_workers_fork(
    pool: str, expected: list[str], postgresql: dict[str, Any], project_app: MakeApp
) -> None:
    project_app("redis://127.0.0.1:1/0", worker_pool=pool)
    with on({**postgresql, "OPTIONS": {"pool": True}}):
        assert ids() == expected


def test_statements_that_postgresql_plans_each_time_are_told_of(
    postgresql: dict[str, Any], project_app: MakeApp
) -> None:
    project_app("redis://127.0.0.1:1/0", CELERY_DB_REUSE_MAX=1000)
    with on(postgresql), override_settings(MOTIA={}):
        assert ids() == ["motia.I003"]
        assert ids(make_step(nothing, HTTP)) == []
    with on(postgresql), override_settings(MOTIA={"PREPARE": True}):
        assert ids() == []


# -- SQLite


@pytest.fixture
def sqlite(tmp_path: Any, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """Return the settings of an SQLite file with the tables of motia_django."""
    declared = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "db.sqlite3"}
    with django_db_blocker.unblock():
        with on(declared):
            call_command("migrate", "motia", database="checked", verbosity=0)
            ledger.see("celery@here")
        yield declared


def test_sqlite_with_a_worker_of_several_processes_is_a_warning(sqlite: dict[str, Any]) -> None:
    with on(sqlite):
        [warning] = found()
    assert warning.id == "motia.W021"
    assert '"transaction_mode": "IMMEDIATE"' in (warning.hint or "")
    with on({**sqlite, "OPTIONS": {"transaction_mode": "IMMEDIATE"}}):
        [warning] = found()
    assert "IMMEDIATE" not in (warning.hint or "")


def test_sqlite_with_one_worker_of_one_process_is_all_right(
    sqlite: dict[str, Any], project_app: MakeApp
) -> None:
    project_app("redis://127.0.0.1:1/0", worker_concurrency=1)
    with on(sqlite):
        assert ids() == []
        ledger.see("celery@there")
        [warning] = found()
    assert warning.id == "motia.W021"
    assert "2 workers" in warning.msg


# -- isolation


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("READ_COMMITTED", []),
        ("REPEATABLE_READ", ["motia.W022"]),
        ("SERIALIZABLE", ["motia.W022"]),
    ],
)
def test_an_isolation_level_that_makes_the_ledger_fail_is_a_warning(
    level: str, expected: list[str], postgresql: dict[str, Any]
) -> None:
    from psycopg import IsolationLevel

    options = {"isolation_level": IsolationLevel[level]}
    with on({**postgresql, "OPTIONS": options}):
        assert ids() == expected


def test_the_servers_own_isolation_level_counts_too(postgresql: dict[str, Any]) -> None:
    options = "-c default_transaction_isolation=serializable"
    with on({**postgresql, "OPTIONS": {"options": options}}):
        [warning] = found()
    assert warning.id == "motia.W022"
    assert "serializable" in warning.msg


def test_mariadb_is_asked_in_its_own_words(mariadb_server: str, django_db_blocker: Any) -> None:
    declared = mariadb_settings("checked")
    with django_db_blocker.unblock():
        with on(declared):
            call_command("migrate", "motia", database="checked", verbosity=0)
            ledger.workers().delete()
            ledger.see("celery@here")
            assert ids() == []
            with time_machine.travel(timezone.now() + timedelta(hours=1)):
                assert ids() == ["motia.W025", "motia.W026"]
        with on({**declared, "OPTIONS": {"isolation_level": None}}):  # the server's own
            [warning] = found()
    assert warning.id == "motia.W022"
    assert "repeatable read" in warning.msg


# -- routers


def test_runs_that_are_not_on_the_default_database_are_a_warning(
    postgresql: dict[str, Any],
) -> None:
    with on(postgresql), installed(make_step()):
        [warning] = database()
    assert warning.id == NOT_DEFAULT
    assert "'checked'" in warning.msg


def test_tables_apart_from_the_runs_are_a_warning(postgresql: dict[str, Any]) -> None:
    with on(postgresql, Router(stateitem="default", turn="default")):
        [warning] = found()
    assert warning.id == "motia.W023"
    assert "motia_state on 'default', motia_turn on 'default'" in warning.msg


def test_the_table_of_state_may_be_anywhere_if_it_is_not_used(postgresql: dict[str, Any]) -> None:
    motia = {"PREPARE": True, "STATE": MEMORY}
    with on(postgresql, Router(stateitem="default")), override_settings(MOTIA=motia):
        assert ids() == []


# -- workers and clocks


def test_no_worker_is_a_warning_while_there_are_background_steps(
    postgresql: dict[str, Any], project_app: MakeApp
) -> None:
    with on(postgresql):
        ledger.workers().update(seen_at=timezone.now() - timedelta(minutes=2))
        [warning] = found()
        assert warning.id == "motia.W025"
        assert "One that was lost was last seen at" in warning.msg
        assert ids(make_step(nothing, HTTP)) == []
        ledger.forget(ledger.workers().get().name)
        [warning] = found()
        assert warning.id == "motia.W025"
        assert "seen" not in warning.msg, "it was stopped: nothing is known of when"
        project_app("memory://", task_always_eager=True)
        assert ids() == []


def test_a_queue_that_no_worker_consumes_is_a_warning(postgresql: dict[str, Any]) -> None:
    steps = [
        make_step(nothing, {**QUEUE, "config": {"queue": "hooks"}}, name=name)
        for name in ("Hook", "Call")
    ]
    with on(postgresql):
        ledger.see("celery@here", ["shop", "billing"])
        [warning] = found(*steps)
        assert warning.id == "motia.W028"
        assert "queue 'hooks', which runs of Steps 'Call', 'Hook' go to" in warning.msg
        assert "-Q hooks" in (warning.hint or "")
        ledger.see("celery@there")
        assert ids(*steps) == []
        ledger.see("celery@there", ["hooks"])
        assert ids(*steps) == []


@pytest.mark.django_db(transaction=True)
def test_runs_of_steps_that_are_gone_are_a_warning() -> None:
    ledger.see("celery@here")
    for status in ("queued", "dead", "succeeded"):
        kept_run(step="Old", status=status)
    kept_run(step="Old", status="dead", trigger="http")
    kept_run(step="Work", status="queued")
    with installed(make_step()):
        [warning] = [each for each in database() if each.id == "motia.W034"]
    assert "not there any more: Old (2)." in warning.msg


@pytest.mark.django_db(transaction=True)
def test_runs_of_triggers_that_are_gone_are_a_warning() -> None:
    ledger.see("celery@here")
    for status in ("queued", "dead", "succeeded"):
        kept_run(source="old", status=status)
    kept_run(trigger="cron", source="@hourly", index=1, status="queued")
    with installed(make_step(print, {"type": "queue", "topic": "work"}, cron("@daily"))):
        [warning] = [each for each in database() if each.id == "motia.W034"]
    assert "do not have any more: Work of its queue trigger old (2)." in warning.msg
    assert "redrive --step STEP --topic OLD --to STEP" in str(warning.hint)


def answered(step: str, scope: str | None, key: str, *, hours: int = 1) -> None:
    """Keep an answer that expires so many hours from now."""
    until = timezone.now() + timedelta(hours=hours)
    known = {"request": "", "holder": uuid4(), "locked_until": until, "expires_at": until}
    Answer.objects.create(key=key, step=step, scope=scope, status=200, **known)


def keyed(path: str, **idempotency: Any) -> Any:
    trigger = {"type": "http", "method": "POST", "path": path, "idempotency": idempotency or True}
    return make_step(nothing, trigger, name="New")


def forgotten(*steps: Any) -> list[tuple[str, str | None]]:
    with installed(*steps):
        return [(each.msg, each.hint) for each in database() if each.id == "motia.W035"]


@pytest.mark.django_db(transaction=True)
def test_keys_that_a_rename_forgets_are_a_warning_with_the_scope_that_keeps_them() -> None:
    answered("Old", "Old /hooks/:id", "1")
    answered("Old", "Old /hooks/:id", "2", hours=-1)
    answered("Gone", "Gone /x", "3", hours=-1)
    [(message, hint)] = forgotten(keyed("/hooks/:id"))
    assert "not there any more: Old /hooks/:id (until " in message
    assert "Gone" not in message
    assert '"scope": "Old /hooks/:id"' in str(hint)
    assert forgotten(keyed("/other", scope="Old /hooks/:id")) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("scope", "there", "path", "named"),
    [
        ("New /hooks", True, "/hooks", ""),
        ("New /api/hooks", True, "/hooks", ""),
        ("New /hooks", False, "/other", ""),
        ("New /hooks", False, "/hooks", "github"),
        ("github", True, "/other", "github"),
        ("github", False, "/hooks", ""),
        (None, True, "/hooks", ""),
        (None, False, "/hooks", "github"),
        (None, True, "/other", "New /hooks"),
    ],
)
def test_a_moved_step_and_another_scope_forget_them_too(
    scope: str | None, there: bool, path: str, named: str
) -> None:
    answered("New", scope, "1")
    assert (forgotten(keyed(path, **({"scope": named} if named else {}))) == []) == there


@pytest.mark.parametrize(
    ("zone", "has_zones", "turns"),
    [
        ("Europe/Berlin", False, True),
        ("America/New_York", False, True),
        ("Australia/Sydney", False, True),
        ("UTC", False, False),
        ("Asia/Tokyo", False, False),
        ("Europe/Berlin", True, False),
    ],
)
def test_times_without_a_zone_where_clocks_are_turned_are_a_warning(
    zone: str, has_zones: bool, turns: bool
) -> None:
    with override_settings(USE_TZ=has_zones, TIME_ZONE=zone), installed(make_step()):
        found = [each for each in database() if each.id == TURNED]
    assert [zone in each.msg for each in found] == [True] * turns


@pytest.mark.parametrize(("hours", "says"), [(1, "behind"), (-1, "ahead of")])
def test_a_database_whose_clock_is_another_is_a_warning(
    hours: int, says: str, postgresql: dict[str, Any]
) -> None:
    with on(postgresql), time_machine.travel(timezone.now() + timedelta(hours=hours)):
        ledger.see("celery@here")
        [warning] = found()
    assert warning.id == "motia.W026"
    assert f"{says} this machine's" in warning.msg


def test_a_worker_from_the_future_is_a_warning(postgresql: dict[str, Any]) -> None:
    with on(postgresql):
        ledger.workers().update(seen_at=timezone.now() + timedelta(seconds=30))
        [warning] = found()
    assert warning.id == "motia.W026"
    assert "A worker" in warning.msg


def test_the_shorter_the_leases_the_closer_the_clocks_have_to_be(
    postgresql: dict[str, Any],
) -> None:
    def seen_ahead() -> list[str | None]:
        ledger.workers().update(seen_at=timezone.now() + timedelta(seconds=1.9))
        return ids()

    with on(postgresql):
        assert seen_ahead() == []
        with override_settings(MOTIA={"PREPARE": True, "LEASE": 1}):
            assert seen_ahead() == ["motia.W026"]
