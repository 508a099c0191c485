"""A project with several databases, the ledger on one of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PROJECT = """
import django
from django.conf import settings

folder = {folder!r}


class Router:
    def db_for_read(self, model, **hints):
        return "runs" if model._meta.app_label == "motia" else None

    db_for_write = db_for_read

    def allow_migrate(self, alias, label, **hints):
        return (alias == "runs") == (label == "motia")


engine = "django.db.backends.sqlite3"
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "motia_django"],
    DATABASES={{
        "default": {{"ENGINE": engine, "NAME": f"{{folder}}/default.sqlite3"}},
        "runs": {{"ENGINE": engine, "NAME": f"{{folder}}/runs.sqlite3"}},
    }},
    DATABASE_ROUTERS=["__main__.Router"],
    USE_TZ=True,
    CELERY_TASK_ALWAYS_EAGER=True,
)
django.setup()

from celery import Celery
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import transaction

from motia_django import celery_app, enqueue, state
from motia_django.models import Run
from tests.factories import installed, make_step

celery_app._app = Celery("project", broker="memory://", set_as_current=True)
celery_app._app.conf.task_always_eager = True
call_command("migrate", database="default", verbosity=0)
call_command("migrate", database="runs", verbosity=0)


def handler(data, ctx):
    ctx.state.set("seen", str(data), data)
    if data == "fail":
        raise RuntimeError("on purpose")


trigger = {{"type": "queue", "topic": "work", "config": {{"type": "fifo", "maxRetries": 0}}}}
with installed(make_step(handler, trigger, atomic=True)):
    with transaction.atomic(using="runs"):
        enqueue("work", "committed")
        assert state.get("seen", "committed") is None
    assert state.get("seen", "committed") == "committed"

    try:
        with transaction.atomic(using="runs"):
            enqueue("work", "rolled back")
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert state.get("seen", "rolled back") is None

    with transaction.atomic():
        Group.objects.create(name="elsewhere")
        enqueue("work", "fail")
    assert state.get("seen", "fail") is None

statuses = sorted(Run.objects.values_list("status", flat=True))
assert statuses == ["dead", "succeeded"], statuses
assert not list(Run.objects.using("runs").filter(status="queued"))
"""


def test_all_of_it_happens_in_the_database_that_the_router_names(tmp_path: Path) -> None:
    script = PROJECT.format(folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert not done.returncode, done.stderr
