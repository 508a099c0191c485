"""`uninstall`: nothing goes without a word, and nothing of ours stays."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import modify_settings, override_settings
from django.utils import timezone

from motia_django import ledger, models, state
from motia_django.conf import REDIS_STATE
from motia_django.registry import installed as registry_installed
from motia_django.registry import registry
from tests.factories import installed, kept_run, make_step, nothing
from tests.servers import fresh_redis
from tests.stores.backends import in_use

pytestmark = pytest.mark.django_db(transaction=True)
DEPENDENT = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("motia", "0001_initial")]
"""


@pytest.fixture(autouse=True)
def _whole_again() -> Iterator[None]:
    """Leave all tables to the next test, with what `migrate` puts into them."""
    yield
    call_command("migrate", verbosity=0)


def uninstall(*words: str) -> str:
    out = io.StringIO()
    call_command("motia_steps", "uninstall", *words, stdout=out)
    return " ".join(out.getvalue().split())


def refused(*words: str) -> str:
    """Run what is refused with exit code 1; return why, and fail if anything was removed."""
    with pytest.raises(CommandError) as error:
        uninstall(*words)
    assert error.value.returncode == 1
    assert tables()
    return str(error.value)


def tables() -> list[str]:
    names = connection.introspection.table_names()
    return [name for name in names if name.startswith("motia_")]


def of_ours(model: Any, **filters: Any) -> int:
    return int(model.objects.filter(**filters).count())


def test_while_anything_is_unfinished_it_is_told_and_nothing_is_removed() -> None:
    with installed(make_step()):
        kept_run()
        kept_run()
        kept_run(status="dead", wake_at=None)
        models.Batch(deed="redrive", selection="all", by="ann").save()
    assert refused().startswith("Nothing was removed. Unfinished: 2 runs and 1 batch.")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("motia_steps", "uninstall", stdout=out)
    told = " ".join(out.getvalue().split())
    assert "2 unfinished runs of Work" in told
    assert "1 unfinished batches 1 dead runs 0 groups of state 0 items of streams" in told


def test_without_yes_nothing_is_removed() -> None:
    with installed(make_step()):
        kept_run(status="succeeded", wake_at=None)
    assert "Nothing is unfinished. Nothing was removed" in uninstall()
    assert tables()


def test_all_tables_content_types_and_permissions_go_and_those_of_others_stay() -> None:
    with installed(make_step()):
        kept_run()
        state.set("g", "k", 1)
    group = Group.objects.create(name="operators")
    group.permissions.set(Permission.objects.filter(codename__in=["redrive_run", "view_user"]))
    before = of_ours(ContentType)
    told = uninstall("--yes")
    assert "1 unfinished runs of Work" in told
    assert "Tables and migrations undone on the database 'default'" in told
    assert tables() == []
    assert of_ours(ContentType, app_label="motia") == 0
    assert before - of_ours(ContentType) == len(list(apps.get_app_config("motia").get_models()))
    assert of_ours(Permission, content_type__app_label="motia") == 0
    assert [each.codename for each in group.permissions.all()] == ["view_user"]


def test_it_can_be_done_twice() -> None:
    uninstall("--yes")
    told = uninstall("--yes")
    assert told.startswith("There are no tables: nothing is kept in them.")
    assert "undone" not in told


def test_rows_of_django_celery_beat_go_and_those_of_others_stay() -> None:
    beat = pytest.importorskip("django_celery_beat.models")
    hourly = beat.CrontabSchedule.objects.create(minute=0)
    beat.PeriodicTask.objects.create(name="motia:own", task="own", crontab=hourly)
    with installed(make_step(nothing, {"type": "cron", "schedule": "@daily"})):
        call_command("motia_steps", "sync", stdout=io.StringIO())
        assert of_ours(beat.PeriodicTask) == 2
        assert "Rows of django-celery-beat deleted: 1" in uninstall("--yes")
    assert [each.name for each in beat.PeriodicTask.objects.all()] == ["motia:own"]


def test_state_in_redis_goes_and_what_others_keep_there_stays(redis_server: str) -> None:
    with in_use("redis", fresh_redis()):
        cache: Any = caches["state"]
        cache.set("own", 1, timeout=None)
        for group in ("g", "größe"):
            state.set(group, "k", {"n": 1}, ttl=3600)
        assert "2 groups of state" in uninstall()
        assert len(cache.client.get_client().keys("*")) > 2
        uninstall("--yes")
        assert cache.client.get_client().keys("*") == [cache.make_key("own").encode()]


def test_a_redis_that_is_away_is_told_of_before_anything_is_removed() -> None:
    caches = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    }
    with override_settings(MOTIA={"STATE": {"BACKEND": REDIS_STATE}}, CACHES=caches):
        assert "StoreUnavailable: state: the Redis of the cache 'default'" in refused("--yes")


def test_while_a_worker_is_at_work_nothing_is_removed() -> None:
    ledger.see("celery@here", [])
    assert "workers are at work: celery@here. Stop them first" in refused("--yes")
    models.Worker.objects.update(seen_at=timezone.now().replace(year=2020))
    uninstall("--yes")
    assert tables() == []


def test_if_migrations_of_others_would_be_undone_with_ours_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "depending" / "migrations").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "migrations/__init__": "",
        "migrations/0001_x": DEPENDENT,
    }.items():
        (tmp_path / "depending" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    steps = registry()
    with modify_settings(INSTALLED_APPS={"append": "depending"}), registry_installed(steps):
        call_command("migrate", "depending", verbosity=0)
        assert "would be undone with them: depending.0001_x" in refused("--yes")
        call_command("migrate", "depending", "zero", verbosity=0)
        uninstall("--yes")
    assert tables() == []
    sys.modules.pop("depending", None)
