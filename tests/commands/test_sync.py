from __future__ import annotations

import io
import json

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from motia_django.beat import operators
from motia_django.registry import Registry, registry
from motia_django.registry import installed as registry_installed
from tests.commands.conftest import Steps
from tests.factories import installed, make_step, nothing

pytestmark = pytest.mark.django_db
DAILY = {"type": "cron", "schedule": "@daily"}


def sync(*words: str) -> str:
    out = io.StringIO()
    call_command("motia_steps", "sync", *words, stdout=out)
    return out.getvalue()


def test_without_django_celery_beat_there_is_nothing_to_sync() -> None:
    apps = [app for app in settings.INSTALLED_APPS if app != "django_celery_beat"]
    with registry_installed(registry()), override_settings(INSTALLED_APPS=apps):
        with pytest.raises(CommandError, match="'django_celery_beat' is not in INSTALLED_APPS"):
            sync()


def test_what_was_done_is_told_to_people() -> None:
    models = pytest.importorskip("django_celery_beat.models")
    with installed(make_step(nothing, DAILY), make_step(nothing, DAILY, name="More")):
        assert sync().endswith("\n2 added, 0 changed, 0 removed, 0 unchanged, 0 paused\n")
        models.PeriodicTask.objects.filter(name="motia:More:0").update(enabled=False)
        assert "motia:More:0  unchanged, paused\n" in sync()
    with installed(make_step(nothing, {**DAILY, "schedule": "@weekly"})):
        assert sync().splitlines() == [
            "SCHEDULE      ROW",
            "motia:Work:0  changed",
            "motia:More:0  removed",
            "",
            "0 added, 1 changed, 1 removed, 0 unchanged, 0 paused",
        ]


def test_what_was_done_is_told_to_machines() -> None:
    pytest.importorskip("django_celery_beat")
    with installed(make_step(nothing, DAILY)):
        done = json.loads(sync("--format", "json"))
    assert done["added"] == ["motia:Work:0"]
    assert done["changed"] == done["removed"] == done["unchanged"] == done["paused"] == []


def test_a_name_that_is_taken_is_an_error() -> None:
    models = pytest.importorskip("django_celery_beat.models")
    crontab = models.CrontabSchedule.objects.create()
    models.PeriodicTask.objects.create(name="motia:Work:0", task="shop.report", crontab=crontab)
    with installed(make_step(nothing, DAILY)):
        with pytest.raises(CommandError, match="motia:Work:0: a periodic task of another kind"):
            sync()


def test_a_database_that_is_not_migrated_is_an_error() -> None:
    pytest.importorskip("django_celery_beat")
    from django.db import ProgrammingError, connection

    def missing(execute: object, *rest: object) -> None:
        raise ProgrammingError('relation "django_celery_beat_periodictask" does not exist')

    with registry_installed(Registry()), connection.execute_wrapper(missing):
        with pytest.raises(CommandError, match="Has it been migrated?"):
            sync()


def test_the_list_says_what_operators_have_done_to_a_schedule(steps: Steps) -> None:
    with installed(make_step(nothing, DAILY)):
        assert "(" not in steps("list")
        steps("override", "Work", "0 3 * * *")
        assert "cron @daily (overridden: 0 3 * * *)" in steps("list")
        operators.pause(operators.schedule("Work", 0), by="me")
        assert "cron @daily (paused) (overridden: 0 3 * * *)" in steps("list")
