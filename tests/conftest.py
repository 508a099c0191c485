"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import Project, temporary_project

pytest_plugins = ["tests.servers"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A Django app of this test's own: write Step files into it, then `project.load()`."""
    with temporary_project(tmp_path) as new:
        yield new
