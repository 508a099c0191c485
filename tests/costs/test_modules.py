"""What a process loads at its start: what its Steps use, and neither more nor later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

PROJECT = "benchmarks.contenders.memory"
ELSEWHERE = [
    "celery.beat",  # in beat, and where there are schedules
    "celery.worker.request",  # in workers
    "motia_django.batches",  # where there is a batch
    "motia_django.checks.database",  # in `check --deploy`
    "motia_django.dialects.handlers",  # where a file speaks an older dialect
    "motia_django.graph.drawing",  # in who looks at the flows
    "motia_django.live.following",  # where there are streams
    "jsonschema_rs",  # where a schema is written so
]
NOT_IN_WORKERS = [
    *ELSEWHERE,
    "motia_django.checks.project",  # in `check`, and all commands that check first
    "motia_django.web.views",  # where requests are served
    "motia_django.webhooks",  # where Steps have their requests signed
]
ADMIN = {
    "bases", "batches", "dead_letters", "filters", "flows", "items", "links", "once", "overview",
    "pages", "paging", "permits", "runs", "schedules", "state", "steps", "streams", "words",
}  # fmt: skip
"""What the admin's addresses and Django's checks of them take; the pages load the rest."""
WEB = f"""
import importlib, json, sys
importlib.import_module("{PROJECT}.wsgi")
at_start = set(sys.modules)
importlib.import_module("{PROJECT}.urls")
from django.core import checks
checks.run_checks()
print(json.dumps([sorted(at_start), sorted(sys.modules)]))
"""
WORKER = f"""
import importlib, json, sys
app = importlib.import_module("{PROJECT}").app
app.loader.init_worker()
print(json.dumps(sorted(sys.modules)))
"""
FIRST_FORK = f"""
import gc, importlib, json, sys
app = importlib.import_module("{PROJECT}").app
app.loader.init_worker()
from celery.signals import worker_before_create_process
from django.db import connection
from types import SimpleNamespace
from motia_django import pools
pools.join_worker(SimpleNamespace(app=SimpleNamespace(steps={{"consumer": set()}})))
worker_before_create_process.send(sender=None)
template = sys.modules.get("django.db.backends.postgresql.psycopg_any")
print(json.dumps([
    sorted(sys.modules),
    app._backend is not None,
    template and template.get_adapters_template.cache_info().currsize,
    connection.connection is None,
    gc.get_freeze_count() > 0,
]))
"""


def modules(schemas: str) -> tuple[list[str], list[str]]:
    """Return what a process has loaded at its start, and once it has its URLs and is checked."""
    at_start, checked = printed(WEB, schemas)
    return at_start, checked


def printed(script: str, schemas: str, **database: str) -> Any:
    """Return what a script prints as JSON that is run in the project."""
    database = database or {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
        "BENCHMARK_MOTIA": "1",
        "BENCHMARK_SCHEMA": schemas,
        "BENCHMARK_DATABASE": json.dumps(database),
        "BENCHMARK_BROKER": "memory://",
    }
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("schemas", "is_loaded"), [("serializers", False), ("shapes", True)], ids=["drf", "pydantic"]
)
def test_a_process_loads_what_its_steps_use(schemas: str, is_loaded: bool) -> None:
    at_start, checked = modules(schemas)
    assert "motia_django.schemas" in at_start and "motia_django.web.views" in checked
    assert ("pydantic" in at_start) is ("pydantic" in checked) is is_loaded
    assert [name for name in ELSEWHERE if name in checked] == []


def test_a_worker_loads_nothing_for_what_it_does_not_do() -> None:
    loaded = printed(WORKER, "serializers")
    assert "motia_django.urls" in loaded  # Celery has Django check them
    assert [name for name in NOT_IN_WORKERS if name in loaded] == []


def test_a_process_that_shows_no_page_of_the_admin_loads_none() -> None:
    package = "motia_django.admin."
    _at_start, checked = modules("serializers")
    assert {name.removeprefix(package) for name in checked if name.startswith(package)} == ADMIN


def test_a_worker_loads_before_its_first_fork_what_each_process_would() -> None:
    loaded, has_backend, adapters, asked_nothing, is_frozen = printed(
        FIRST_FORK, "serializers", ENGINE="django.db.backends.postgresql", NAME="nowhere"
    )
    assert "motia_django.killed" in loaded
    assert has_backend and adapters == 1
    assert asked_nothing and is_frozen


def test_what_cannot_be_loaded_then_keeps_no_worker_from_starting() -> None:
    *_, is_frozen = printed(
        FIRST_FORK, "serializers", ENGINE="django.db.backends.postgresql", NAME=""
    )
    assert is_frozen
