"""Fixtures for all tests."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.core.management import get_commands
from django.test import TransactionTestCase

from motia_django import broker as carrier
from motia_django import publish
from motia_django.celery_app import project_app
from tests.emptying import empty
from tests.order import long_ones_first
from tests.projects import Project, temporary_project

pytest_plugins = ["tests.servers", "motia_django.testing.plugin"]

# Machines are noisy, so no test depends on time; in CI the same examples run each time.
hypothesis.settings.register_profile(
    "ours",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ours")

TransactionTestCase._fixture_teardown = empty  # type: ignore[attr-defined]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, on another database than SQLite, what does not ask the project's database.

    It has run on SQLite: journeys, and tests that bring databases of their own, among them. Where
    several processes share the tests, each begins with long ones.
    """
    if os.environ.get("MOTIA_TEST_DATABASE"):
        left_out = [item for item in items if not _asks_the_database(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _asks_the_database(item)]
    if processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        items[:] = long_ones_first(items, processes)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests themselves, which are there to the end."""
    gc.collect()
    gc.freeze()


def _asks_the_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("journey") or item.get_closest_marker("one_database"):
        return False
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(item.get_closest_marker("django_db") or fixtures & {"db", "transactional_db"})


@pytest.fixture(autouse=True)
def what_the_sample_project_has() -> None:
    """Find its routes and commands, which are kept, before a test puts others in their place.

    Django forgets the commands whenever a test has changed `INSTALLED_APPS`.
    """
    importlib.import_module("sample_project.urls")
    get_commands()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A Django app of this test's own: write Step files into it, then `project.load()`."""
    with temporary_project(tmp_path) as new:
        yield new


@pytest.fixture
def broker() -> Iterator[Callable[[str], None]]:
    """Point the project's Celery app at another broker for one test: `broker("redis://...")`."""
    conf: Any = project_app().conf
    before = conf.broker_url

    def use(url: str) -> None:
        conf.broker_url = conf.broker_write_url = conf.broker_read_url = url
        carrier._pool.cache_clear()
        publish._down_until = 0.0

    yield use
    use(before)
