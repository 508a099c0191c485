"""The page on removing: its commands are run, on a project that goes on without this package."""

from __future__ import annotations

import json
import re
import shelve
import shlex
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from motia_django.runs import new_run_id
from tests.docs.pages import DOCS, ROOT, blocks
from tests.journeys.running import Project, eventually
from tests.servers import fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]

PAGE = DOCS / "removing.md"
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
execute_from_command_line(sys.argv)
"""
INIT = "from .celery import app as celery_app\n"
FORBIDDEN = """
import sys


class Forbidden:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "motia_django":
            raise ModuleNotFoundError(f"No module named {name!r}")


sys.meta_path.insert(0, Forbidden)
"""
CELERY = """
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
TASKS = """
from celery import shared_task


@shared_task
def often():
    print("often ran")


@shared_task
def seldom():
    print("seldom ran")
"""
STEPS = {
    "Report": {"type": "cron", "schedule": "* * * * * *"},
    "Work": {"type": "queue", "topic": "work"},
}
STEP = """
config = {config!r}


def handler(input, ctx):
    ctx.state.set("seen", "last", 1)
"""
URLS = """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""
SETTINGS = """
SECRET_KEY = "x" * 50
DEBUG = True
ROOT_URLCONF = "shop.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "sales", *{apps!r},
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {{"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]}},
}}]
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": {folder!r} + "/db.sqlite3",
    "OPTIONS": {{"transaction_mode": "IMMEDIATE", "timeout": 20}},
}}}}
CACHES = {{"default": {{"BACKEND": "django_redis.cache.RedisCache", "LOCATION": {redis!r}}}}}
CELERY_BROKER_URL = {broker!r}
CELERY_RESULT_EXPIRES = None  # or Celery adds a schedule of its own
CELERY_BEAT_SYNC_EVERY = 1
CELERY_BEAT_SCHEDULE = {{
    "often": {{"task": "sales.tasks.often", "schedule": 1.0}},
    "seldom": {{"task": "sales.tasks.seldom", "schedule": 86400.0}},
}}
"""
WITH_STEPS = 'MOTIA = {"STATE": {"BACKEND": "motia_django.stores.redis.RedisState"}}\n'


class Shop:
    """A project with schedules and tasks of its own, which has Steps for a while."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = fresh_redis()
        self._broker = fresh_redis()
        files = {
            "manage.py": MANAGE,
            "shop/celery.py": CELERY,
            "shop/urls.py": URLS,
            "sales/__init__.py": "",
            "sales/tasks.py": TASKS,
        }
        for name, trigger in STEPS.items():
            config = {"name": name, "triggers": [trigger]}
            files[f"sales/steps/{name.lower()}_step.py"] = STEP.format(config=config)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        environment = {
            "PATH": str(Path(sys.executable).parent),
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "PYTHONPATH": f"{folder}:{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",  # two versions of a file may be of one second
        }
        self.project = Project(folder, environment, "shop", folder / "manage.py", logs=folder)

    def be(self, *apps: str) -> None:
        """Have these apps of others installed; without ours, forbid it to be imported."""
        facts = {"apps": list(apps), "folder": str(self.folder)}
        text = SETTINGS.format(**facts, redis=self.redis, broker=self._broker)
        ours = "motia_django" in apps
        (self.folder / "shop/settings.py").write_text(text + WITH_STEPS * ours)
        (self.folder / "shop/__init__.py").write_text(INIT if ours else FORBIDDEN + INIT)
        if not ours:
            shutil.rmtree(self.folder / "sales/steps", ignore_errors=True)

    def stop(self, *names: str) -> None:
        """Let processes end as a deploy does."""
        for name in names:
            self.project.kill(name, signal.SIGTERM)

    def run(self, command: str) -> Any:
        """Run one of the page's commands; return its exit code and what it printed."""
        python, *words = shlex.split(command)
        assert python == "python" and words[0] == "manage.py"
        return self.project.command(*words[1:], check=False)

    def beats(self) -> dict[str, tuple[Any, int]]:
        """Return when each entry of beat's file ran last, and how often."""
        with shelve.open(str(self.folder / "celerybeat-schedule"), "r") as stored:
            entries = stored["entries"].values()
            return {each.name: (each.last_run_at, each.total_run_count) for each in entries}

    def tables(self) -> set[str]:
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {name for [name] in found if name.startswith("motia_")}

    def left(self) -> list[Any]:
        """Return content types and migrations of ours that are in the database."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            ours = "SELECT model FROM django_content_type WHERE app_label = 'motia'"
            migrations = "SELECT name FROM django_migrations WHERE app = 'motia'"
            return [*database.execute(ours), *database.execute(migrations)]


@pytest.fixture
def shop(tmp_path: Path, redis_server: str) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    try:
        yield shop
    finally:
        shop.project.stop()


def shown(below: str) -> list[str]:
    """Return the commands that the page shows below a heading, in their order."""
    text = "".join(each.text for each in blocks(PAGE, below=below) if each.language == "sh")
    return text.splitlines()


def goes_on_without_steps(shop: Shop, before: dict[str, tuple[Any, int]]) -> None:
    """Start beat and a worker without this package: the project's own schedules are as before."""
    shop.project.command("migrate", "--verbosity", "0")
    shop.project.start_beat("beat_after")
    shop.project.start_worker("worker_after")
    eventually(lambda: "often ran" in shop.project.log("worker_after"), shop.project.all_logs)
    shop.stop("beat_after", "worker_after")
    after = shop.beats()
    assert set(after) == {"often", "seldom"}
    assert after["seldom"] == before["seldom"]
    assert after["often"][1] > before["often"][1] > 0
    assert "Traceback" not in shop.project.log("beat_after")


def test_the_order_of_the_page_leaves_nothing_behind_and_harms_nobody(shop: Shop) -> None:
    pause, look, dump, remove, pip = shown("The order")
    assert pip == "pip uninstall motia-django"
    shop.be("motia_django")
    shop.project.command("migrate", "--verbosity", "0")
    shop.project.start_worker()
    shop.project.start_beat()
    runs = shop.project.runs
    eventually(lambda: len(runs(step="Report", status="succeeded")) > 2, shop.project.all_logs)

    assert shop.run(pause).returncode == 0
    shop.project.command("motia_steps", "enqueue", "work", "--data", "1", "--delay", "3600")
    drains(shop, look)
    assert shop.run(dump).returncode == 0
    kept = json.loads((shop.folder / "motia.json").read_text())
    assert {each["model"] for each in kept} >= {"motia.run", "motia.override"}

    assert "workers are at work: worker@" in shop.run(remove).stderr
    assert shop.tables()
    shop.stop("beat", "worker")
    before = shop.beats()
    assert before["motia:Report:0"][1] > 2
    done = shop.run(remove)
    assert done.returncode == 0, done.stderr
    assert shop.tables() == set()
    assert shop.left() == []
    assert Redis.from_url(shop.redis).keys("*") == []

    shop.be()
    goes_on_without_steps(shop, before)


def drains(shop: Shop, look: str) -> None:
    """Cancel the one run that waits; while there was one, and no longer, the command says so."""
    told = shop.run(look)
    assert told.returncode == 1
    assert "1  unfinished runs of Work" in told.stdout
    assert "Let them finish, or drop them by --yes" in told.stderr
    shop.project.command("motia_steps", "cancel", "--step", "Work", "--yes")
    eventually(lambda: shop.run(look).returncode == 0, shop.project.all_logs)


def test_a_project_goes_back_to_before_and_comes_again(shop: Shop) -> None:
    shop.be("motia_django")
    shop.project.command("migrate", "--verbosity", "0")
    steps = shutil.copytree(shop.folder / "sales/steps", shop.folder / "aside")
    shop.project.start_beat()
    shop.project.start_worker()
    eventually(lambda: shop.project.runs(step="Report", status="succeeded"), shop.project.all_logs)
    shop.stop("worker")
    shop.project.command("motia_steps", "enqueue", "work", "--data", "1")
    eventually(lambda: shop.beats()["often"][1] > 0, shop.project.all_logs)
    shop.stop("beat")
    before = shop.beats()
    shop.be()
    goes_on_without_steps(shop, before)
    assert "Received unregistered task of type 'motia.Work'" in shop.project.log("worker_after")

    shop.be("motia_django")
    shutil.copytree(steps, shop.folder / "sales/steps")
    shop.project.start_beat("beat_again")
    shop.project.start_worker("worker_again")
    eventually(lambda: shop.project.runs(step="Work", status="succeeded"), shop.project.all_logs)
    count = len(shop.project.runs(step="Report"))
    eventually(lambda: len(shop.project.runs(step="Report")) > count, shop.project.all_logs)


def test_what_is_done_by_hand_leaves_nothing_behind(shop: Shop) -> None:
    pytest.importorskip("django_celery_beat")
    rows, redis_cli, migrate, content_types = shown("By hand")
    shop.be("motia_django", "django_celery_beat")
    shop.project.command("migrate", "--verbosity", "0")
    shop.project.command("motia_steps", "sync")
    shop.project.command("motia_steps", "state", "set", "g", "k", "1")
    shop.project.command("motia_steps", "enqueue", "work", "--data", json.dumps(str(new_run_id())))

    assert shop.run(rows).returncode == 0
    counted = "from django_celery_beat.models import PeriodicTask as P; print(P.objects.count())"
    assert shop.project.command("shell", "-v", "0", "-c", counted).stdout.strip() == "0"
    match = re.match(r"redis-cli --scan --pattern '(.+?)' \| xargs ", redis_cli)
    assert match
    client = Redis.from_url(shop.redis)
    found = list(client.scan_iter(match=match[1]))
    assert set(found) == set(client.keys("*")) != set()
    assert shop.run(migrate).returncode == 0
    assert shop.tables() == set()
    shop.be("django_celery_beat")
    assert shop.run(f"{content_types} --no-input").returncode == 0
    assert shop.left() == []
