"""A project of somebody else's, made as Django's and Celery's guides have it, adopts the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.journeys.running import Project, eventually
from tests.packaging.distribution import wheel
from tests.servers import fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

CELERY_FILE = """
import os
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
INIT_FILE = """
from .celery import app as celery_app

__all__ = ("celery_app",)
"""
URLS_FILE = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("", include("motia_django.urls"))]
"""
STEPS = {
    "buy_step.py": """
from .names import TOPIC

config = {
    "name": "Buy",
    "triggers": [{"type": "http", "method": "POST", "path": "/buy"}],
    "enqueues": [TOPIC],
}


def handler(request, ctx):
    ctx.enqueue({"topic": TOPIC, "data": request.body})
    return {"status": 202}
""",
    "names.py": 'TOPIC = "bought"\n',
    "inner/pack_step.py": """
config = {"name": "Pack", "triggers": [{"type": "queue", "topic": "bought"}]}


async def handler(input, ctx):
    await ctx.state.set("parcels", str(input["id"]), {"packed": True})
""",
    "watch_step.py": """
config = {"name": "Watch", "triggers": [{"type": "state", "groupId": "parcels"}]}


def handler(change, ctx):
    ctx.logger.info("Parcel", {"id": change.item_id})
""",
    "tick_step.py": """
config = {"name": "Tick", "triggers": [{"type": "cron", "schedule": "* * * * * *"}]}


def handler():
    return "tick"
""",
}


WITH_PYTEST = """
def test_what_is_bought_is_packed(motia):
    assert motia.http("POST", "/buy", json={"id": 7}).status == 202
    assert [run.step for run in motia.drain()] == ["Buy", "Pack", "Watch"]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the built wheel was installed, and nothing else."""
    site = tmp_path_factory.mktemp("wheel") / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    run([*install, "-t", str(site), str(wheel())])
    return site


def run(command: list[str], **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Path:
    """The folder of a project as `startproject` and Celery's guide have it, with our Steps."""
    folder = tmp_path_factory.mktemp("made")
    project = project_in(folder, site)
    django = [sys.executable, "-m", "django", "startproject", "shop", str(folder)]
    run(django, env=project.environment | {"DJANGO_SETTINGS_MODULE": ""})
    project.command("startapp", "sales")
    (folder / "shop" / "celery.py").write_text(CELERY_FILE)
    (folder / "shop" / "__init__.py").write_text(INIT_FILE)
    (folder / "shop" / "urls.py").write_text(URLS_FILE)
    settings = (folder / "shop" / "settings.py").read_text()
    settings = settings.replace(
        "INSTALLED_APPS = [", "INSTALLED_APPS = [\n    'motia_django',\n    'sales',"
    )
    (folder / "shop" / "settings.py").write_text(settings)
    for name, source in STEPS.items():
        file = folder / "sales" / "steps" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    project.command("migrate", "--verbosity", "0")
    return folder


def project_in(folder: Path, site: Path) -> Project:
    """Return the project in a folder, with nothing of ours in its way but the wheel."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("CELERY_BROKER_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    }
    environment |= {"PYTHONPATH": str(site), "PYTHONUNBUFFERED": "1"}
    environment["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    return Project(folder, environment, "shop", folder / "manage.py", logs=folder)


@pytest.fixture
def shop(tmp_path: Path, made: Path, site: Path, redis_server: str) -> Iterator[Project]:
    """A copy of that project, with a broker of its own."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "shop" / "settings.py").open("a") as settings:
        settings.write(f"\nCELERY_BROKER_URL = {fresh_redis()!r}\n")
    project = project_in(tmp_path, site)
    try:
        yield project
    finally:
        project.stop()


def test_a_foreign_project_runs_a_step_of_each_trigger(shop: Project, site: Path) -> None:
    where = shop.command("shell", "-c", "import motia_django; print(motia_django.__file__)")
    assert str(site) in where.stdout
    shop.start_worker()
    shop.start_beat()
    shop.start_web()

    assert shop.call("POST", "/buy", {"id": 7}).status == 202
    for step, trigger in [("Buy", "http"), ("Pack", "queue"), ("Watch", "state"), ("Tick", "cron")]:
        found = eventually(partial(shop.runs, step=step, status="succeeded"), shop.all_logs)
        assert found[0]["trigger"] == trigger
    assert "[Watch] Parcel id=7" in shop.log("worker")
    assert shop.runs(step="Watch")[0]["traceId"] == shop.runs(step="Buy")[0]["traceId"]

    eventually(lambda: len(shop.runs(step="Tick", status="succeeded")) >= 3, shop.all_logs)
    ticks = [run["input"]["scheduledTime"] for run in shop.runs(step="Tick")]
    assert len(set(ticks)) == len(ticks)
    assert "database is locked" not in shop.all_logs()


def test_a_browser_is_answered_without_rest_frameworks_templates(shop: Project) -> None:
    import urllib.request

    shop.start_web()
    url = f"http://127.0.0.1:{shop.port}/buy"
    request = urllib.request.Request(url, method="OPTIONS", headers={"Accept": "text/html,*/*"})
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"


def test_new_steps_are_found_and_their_tests_pass(shop: Project) -> None:
    triggers = ["http", "queue", "cron", "state", "stream"]
    for trigger in triggers:
        shop.command("motia_steps", "new", f"Make {trigger} Thing", "--trigger", trigger)
    listed = shop.command("motia_steps", "list").stdout
    assert all(f"Make {trigger} Thing" in listed for trigger in triggers)
    tested = shop.command("test", "sales")
    assert "Ran 6 tests" in tested.stderr, tested.stderr
    assert "OK" in tested.stderr, tested.stderr
    (shop.folder / "sales" / "test_buy.py").write_text(WITH_PYTEST)
    pytest_here = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "sales/test_buy.py",
    ]
    run(pytest_here, cwd=shop.folder, env=shop.environment)
    name = "Make http Thing"
    again = shop.command("motia_steps", "new", name, check=False)
    assert again.returncode == 1
    assert "already" in again.stderr


def test_what_steps_log_is_seen_without_configuring_logging(shop: Project) -> None:
    step = shop.folder / "sales" / "steps" / "talk_step.py"
    step.write_text(
        'config = {"name": "Talk", "triggers": [{"type": "http", "path": "/talk"}]}\n\n\n'
        'def handler(request, ctx):\n    ctx.logger.info("Hello", {"n": 1})\n'
    )
    shop.start_web()
    shop.call("GET", "/talk")
    eventually(lambda: "[Talk] Hello n=1" in shop.log("web"), shop.all_logs)
    assert shop.log("web").count("[Talk] Hello") == 1
