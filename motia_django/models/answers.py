"""The table of answers that are kept by their `Idempotency-Key`."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from motia_django.models.fields import JSONTextField


class Answer(models.Model):
    """A request that came with an `Idempotency-Key`, and the answer to give when it comes again.

    It is kept as it went out, secrets and all, so no page of the admin shows it.
    """

    key = models.CharField(max_length=64, primary_key=True)
    """A digest of the scope, of who asked, and of the key that was sent."""
    step = models.CharField(max_length=200)
    scope = models.TextField(null=True)
    """What the trigger names, or the Step's name and path; null if an older release wrote it."""
    request = models.CharField(max_length=64)
    """A digest of what was asked."""
    holder = models.UUIDField()
    """Who works on it, or did."""
    created_at = models.DateTimeField(default=timezone.now)
    locked_until = models.DateTimeField()
    """When a holder that has not answered yet may be taken for dead."""
    expires_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    """None while it is worked on."""
    headers = JSONTextField(default=list)
    """`[[name, text], ...]`"""
    body = models.BinaryField(default=b"")

    class Meta:
        db_table = "motia_answer"
        default_permissions = ()
        indexes = (models.Index(fields=["expires_at"], name="motia_answer_expires"),)

    def __str__(self) -> str:
        return f"answer of {self.step}"
