"""The project's own table: both ways an order is kept in it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class Order(models.Model):
    """What is ordered, and whether it has been worked on."""

    objects: ClassVar[Any] = models.Manager()
    title = models.CharField(max_length=100)
    is_done = models.BooleanField(default=False)

    class Meta:
        app_label = "memory"

    def __str__(self) -> str:
        return self.title
