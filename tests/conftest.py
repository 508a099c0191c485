"""Fixtures for all tests."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import Project, temporary_project

pytest_plugins = ["tests.servers"]


@pytest.fixture(scope="session", autouse=True)
def urls_of_the_sample_project() -> None:
    """Make the routes of the sample project's Steps before a test puts others in their place."""
    importlib.import_module("sample_project.urls")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A Django app of this test's own: write Step files into it, then `project.load()`."""
    with temporary_project(tmp_path) as new:
        yield new
