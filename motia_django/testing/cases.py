"""The kit for Django's `TestCase`, by a mixin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from motia_django.testing.kit import Motia
from motia_django.testing.trace import what_ran

__unittest = True  # unittest leaves what is below out of the tracebacks that it prints

if TYPE_CHECKING:
    from unittest import TestCase as Case
else:
    Case = object


class MotiaMixin(Case):
    """Gives a test `self.motia`: `class OrderTest(MotiaMixin, TestCase)`.

    It is there before the test's own `setUp`, whether that calls `super().setUp()` or not. The
    error of a test that fails is told with what ran.
    """

    motia: Motia
    motia_state: str | None = None
    """Where state lives meanwhile, as `Motia(state=...)` has it."""
    motia_tasks: str | None = None
    """Where calls of other Celery tasks go, as `Motia(tasks=...)` has it."""
    motia_broken_files: bool = False
    """Whether the test runs while Step files have problems, as `Motia(broken_files=...)` has it."""

    def _callSetUp(self) -> None:  # noqa: N802  unittest's own seam, for async cases
        kit = Motia(
            state=self.motia_state, tasks=self.motia_tasks, broken_files=self.motia_broken_files
        )
        self.motia = self.enterContext(kit)
        super()._callSetUp()  # type: ignore[misc]

    def _callTestMethod(self, method: Callable[[], object]) -> None:  # noqa: N802  the same
        try:
            super()._callTestMethod(method)  # type: ignore[misc]
        except Exception as error:
            error.add_note(f"Motia: what ran\n{what_ran(self.motia)}")
            raise
