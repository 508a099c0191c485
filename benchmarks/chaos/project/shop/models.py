"""The business rows: one for each message sent, one for each time it had its effect."""

from __future__ import annotations

from django.db import models


class Sent(models.Model):
    """The row that a message was sent with: it is there if, and only if, that was committed."""

    producer = models.PositiveIntegerField()
    number = models.PositiveIntegerField()

    objects: models.Manager[Sent] = models.Manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["producer", "number"], name="shop_sent_once"),
        )

    def __str__(self) -> str:
        return f"{self.producer}/{self.number}"


class Effect(models.Model):
    """What a handler did for a message; ids grow in the order in which it happened."""

    step = models.CharField(max_length=20)
    producer = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    process = models.PositiveIntegerField()

    objects: models.Manager[Effect] = models.Manager()

    def __str__(self) -> str:
        return f"{self.step} {self.producer}/{self.number}"
