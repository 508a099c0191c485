"""The pytest plugin: the fixture `motia`, its marker, and what ran shown below a failed test."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from motia_django.exceptions import NotSetUp, SettingsError, StepFilesError
from motia_django.testing import check_set_up, check_step_files

if TYPE_CHECKING:
    from motia_django.testing.kit import Motia

_TOLD = pytest.StashKey[dict[str, str]]()
"""The problems of Step files or of settings, and the test at which they were listed."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "motia(state=None, tasks=None, broken_files=False): where state lives with `motia`,"
        ' "project" or "memory"; where calls of other Celery tasks go, to the test or, by'
        ' "project", where they always go; whether the test runs while Step files have problems',
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail where pytest-django would skip, since tests that are skipped look well.

    Fail as well, before a database is made, while Step files or settings have problems: pytest runs
    no checks.
    """
    wrong = _wrong(item)
    if wrong:
        pytest.fail(wrong, pytrace=False)


@pytest.fixture
def motia(db: None, request: pytest.FixtureRequest) -> Iterator[Motia]:
    """Steps to call, what they did to be read, and the rest to be drained (see docs/testing.md)."""
    from motia_django.testing.kit import Motia

    marker = request.node.get_closest_marker("motia")
    with Motia(**(marker.kwargs if marker else {})) as kit:
        yield kit


def _wrong(item: pytest.Item) -> str:
    """Return what keeps a test from its kit; an empty text if nothing does, or it uses none."""
    marker = item.get_closest_marker("motia")
    of_mixin = getattr(getattr(item, "cls", None), "motia_broken_files", None)
    if of_mixin is None and "motia" not in getattr(item, "fixturenames", ()):
        return ""
    try:
        check_set_up()
        if not (of_mixin or (marker and marker.kwargs.get("broken_files"))):
            check_step_files()
    except NotSetUp as error:
        return str(error)
    except (SettingsError, StepFilesError) as error:
        return _told_once(item, str(error))
    return ""


def _told_once(item: pytest.Item, problems: str) -> str:
    """Return what is wrong, or at which test this session has listed it."""
    told = item.config.stash.setdefault(_TOLD, {})
    if told.setdefault(problems, item.nodeid) == item.nodeid:
        return problems
    return f"Step files or settings have problems, which are listed at {told[problems]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what ran below a test that failed."""
    report = yield
    kit: Any = getattr(item, "funcargs", {}).get("motia")
    if call.when == "call" and report.failed and kit is not None:
        from motia_django.testing.trace import what_ran

        report.sections.append(("Motia: what ran", what_ran(kit)))
    return report
