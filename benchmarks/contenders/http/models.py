"""What a view of REST framework saves."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class Written(models.Model):
    """A todo, as a Step keeps it in state."""

    objects: ClassVar[Any] = models.Manager()
    id = models.CharField(primary_key=True, max_length=36)
    value = models.JSONField()

    class Meta:
        app_label = "http"

    def __str__(self) -> str:
        return self.id
