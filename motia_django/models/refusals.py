"""The table of requests that were refused, and so are no runs: how many, by the hour."""

from __future__ import annotations

from django.db import models

from motia_django.models.fields import ExactCharField


class Refusal(models.Model):
    """How many requests a Step refused with one status code within one hour."""

    hour = models.DateTimeField()
    """When it began, by UTC."""
    step = ExactCharField(max_length=200)
    status = models.PositiveSmallIntegerField()
    requests = models.PositiveBigIntegerField()

    class Meta:
        db_table = "motia_refusal"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["hour", "step", "status"], name="motia_refusal_once"),
        )

    def __str__(self) -> str:
        return f"{self.status} of {self.step}"
