"""Streams on real databases: several connections at once, so nothing is undone after a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from motia_django import models
from motia_django.live import threads
from motia_django.live.hub import hub
from tests.factories import installed, make_stream
from tests.servers import mariadb_settings, postgresql_settings

_DATABASES = {"postgresql": postgresql_settings, "mariadb": mariadb_settings}


class Router:
    """Sends what is ours to one database."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        """Return the database of a model."""
        return self.alias if model._meta.app_label == "motia" else None

    db_for_write = db_for_read


@pytest.fixture(params=["sqlite", *_DATABASES])
def database(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
    settings: Any,
    django_db_blocker: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """Keep streams in a database of this kind, empty, outside of any transaction.

    Threads keep their connections, as in production.
    """
    monkeypatch.setattr(threads, "_is_testing", lambda: False)
    alias = f"live_{request.param}"
    with django_db_blocker.unblock():
        if alias not in connections.settings:
            _set_up(alias, request, tmp_path_factory, worker_id)
        settings.DATABASE_ROUTERS = [Router(alias)]
        models.StreamItem.objects.all().delete()
        models.StreamEvent.objects.all().delete()
        _log_something()
        try:
            with installed(streams=[make_stream("orders"), make_stream("others")]):
                yield request.param
        finally:
            _wait_for_the_hub_to_end()
            connections[alias].close()


def _log_something() -> None:
    """Leave one event in the log, so that it is not a new one any more."""
    for _ in range(11):
        row = models.StreamEvent(stream="before", group="", kind="event")
        row.data = json.loads("{}")
        row.save(force_insert=True)
    models.StreamEvent.objects.filter(pk__lt=row.pk).delete()


def _wait_for_the_hub_to_end() -> None:
    thread = hub()._thread
    if thread is not None:
        thread.join(20)
        assert not thread.is_alive()


def _set_up(
    alias: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> None:
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("live")
        options = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
        conf = {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "db", "OPTIONS": options}
    else:
        request.getfixturevalue(f"{request.param}_server")
        conf = _DATABASES[request.param](f"live_{worker_id}")
    default = connections.settings["default"]
    connections.settings[alias] = connections.configure_settings({"default": default, alias: conf})[
        alias
    ]
    call_command("migrate", "motia", database=alias, verbosity=0)
