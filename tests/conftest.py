"""Fixtures for all tests."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.projects import Project, temporary_project

pytest_plugins = ["tests.servers"]

# Machines are noisy, so no test depends on time; in CI the same examples run each time.
hypothesis.settings.register_profile(
    "ours",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ours")


@pytest.fixture(scope="session", autouse=True)
def urls_of_the_sample_project() -> None:
    """Make the routes of the sample project's Steps before a test puts others in their place."""
    importlib.import_module("sample_project.urls")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A Django app of this test's own: write Step files into it, then `project.load()`."""
    with temporary_project(tmp_path) as new:
        yield new
