"""The tables of what became no run, by the hour: requests refused, messages that nobody heard."""

from __future__ import annotations

from django.db import models

from motia_django.models.fields import ExactCharField


class Tally(models.Model):
    """How often something happened within one hour, by the Step that it is told of."""

    hour = models.DateTimeField()
    """When it began, by UTC."""
    step = ExactCharField(max_length=200)

    class Meta:
        abstract = True
        default_permissions = ()


class Refusal(Tally):
    """How many requests a Step refused with one status code within one hour."""

    status = models.PositiveSmallIntegerField()
    requests = models.PositiveBigIntegerField()

    class Meta(Tally.Meta):
        db_table = "motia_refusal"
        constraints = (
            models.UniqueConstraint(fields=["hour", "step", "status"], name="motia_refusal_once"),
        )

    def __str__(self) -> str:
        return f"{self.status} of {self.step}"


class Unheard(Tally):
    """How many messages to one topic no Step listened for within one hour, by the Step that sent.

    The Step is empty for those from outside of Steps, the topic for those beyond the first of an
    hour.
    """

    topic = ExactCharField(max_length=255)
    messages = models.PositiveBigIntegerField()

    class Meta(Tally.Meta):
        db_table = "motia_unheard"
        constraints = (
            models.UniqueConstraint(fields=["hour", "step", "topic"], name="motia_unheard_once"),
        )

    def __str__(self) -> str:
        return f"{self.topic} of {self.step}"
