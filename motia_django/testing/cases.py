"""The kit for Django's `TestCase`, by a mixin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motia_django.testing.kit import Motia

if TYPE_CHECKING:
    from unittest import TestCase as Case
else:
    Case = object


class MotiaMixin(Case):
    """Gives a test `self.motia`: `class OrderTest(MotiaMixin, TestCase)`."""

    motia: Motia
    motia_state: str | None = None
    """Where state lives meanwhile, as `Motia(state=...)` has it."""

    def setUp(self) -> None:
        """Begin, before the test's own `setUp` goes on."""
        super().setUp()
        self.motia = self.enterContext(Motia(state=self.motia_state))
