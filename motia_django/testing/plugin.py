"""The pytest plugin: the fixture `motia`, its marker, and what ran shown below a failed test."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from motia_django.exceptions import NotSetUp
from motia_django.testing import check_set_up

if TYPE_CHECKING:
    from motia_django.testing.kit import Motia


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        'motia(state=None, tasks=None): where state lives with `motia`, "project" or "memory", and'
        ' where calls of other Celery tasks go, to the test or, by "project", where they always go',
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail where pytest-django would skip, since tests that are skipped look well."""
    if "motia" in getattr(item, "fixturenames", ()):
        try:
            check_set_up()
        except NotSetUp as error:
            pytest.fail(str(error), pytrace=False)


@pytest.fixture
def motia(db: None, request: pytest.FixtureRequest) -> Iterator[Motia]:
    """Steps to call, what they did to be read, and the rest to be drained (see docs/testing.md)."""
    from motia_django.testing.kit import Motia

    marker = request.node.get_closest_marker("motia")
    with Motia(**(marker.kwargs if marker else {})) as kit:
        yield kit


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
