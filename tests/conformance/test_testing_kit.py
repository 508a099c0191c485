"""The testing kit and a real worker make the same of the same Steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from motia_django import registry, tasks
from motia_django.celery_app import project_app, task_name
from motia_django.discovery import discover
from motia_django.testing import Motia
from tests.conformance.both import playing
from tests.journeys.running import sample_project
from tests.servers import fresh_redis
from tests.web.serving import served


@pytest.fixture
def steps_of_both() -> Iterator[None]:
    """Make the Steps of `tests.conformance.both` those of this process."""
    others = [each for each in settings.INSTALLED_APPS if not each.startswith("sample_project.")]
    with (
        registry.installed(registry.registry()),
        override_settings(INSTALLED_APPS=[*others, "tests.conformance.both"]),
    ):
        found = discover()
        assert not found.problems, list(map(str, found.problems))
        registry.install(found)
        tasks.register(found)
        with served():
            yield
        for step in found:
            project_app().tasks.pop(task_name(step.name), None)


def by_the_kit() -> Any:
    """Return what is told when the kit has run all, as JSON has it."""
    with Motia() as motia:
        playing.play()
        motia.drain(scheduled=True, raises=False)
        return json.loads(json.dumps(playing.told()))


@pytest.mark.django_db
def test_all_that_is_played_is_told_of(steps_of_both: None) -> None:
    """Else the two could agree on nothing."""
    told = by_the_kit()
    text = "\n".join(told["traces"])
    for word in ("succeeded", "skipped", "dead", "at attempt 3", "invoke", "by state", "by stream"):
        assert word in text
    assert text.count("Light by queue both.light") == 1
    assert told["state"]["both.order"] == [["came", {"all": [0, 1, 2, 3]}]]
    assert ["whole", {"n": 1}] in told["state"]["both.items"]
    assert text.count("Undo by queue both.spent.died") == 1


@pytest.mark.journey
@pytest.mark.timeout(240)
@pytest.mark.django_db
def test_the_kit_and_a_real_worker_make_the_same_of_the_same_steps(
    steps_of_both: None, tmp_path: Path, redis_server: str
) -> None:
    with sample_project(tmp_path, None, fresh_redis()) as project:
        project.environment["DJANGO_SETTINGS_MODULE"] = "tests.conformance.both.settings"
        project.start_worker()
        play = "from tests.conformance.both import playing; playing.main()"
        by_a_worker = json.loads(project.command("shell", "-v", "0", "-c", play).stdout)
    by_us = by_the_kit()
    assert by_us["traces"] == by_a_worker["traces"]
    assert by_us["state"] == by_a_worker["state"]
