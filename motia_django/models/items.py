"""The tables of items: of state and of streams, and the log that streams are told from."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from motia_django.lines import spelled_out
from motia_django.models.fields import ExactCharField, FilledIndex, JSONTextField


class StateItem(models.Model):
    """One item of state."""

    group = ExactCharField(_("group"), max_length=255)
    key = ExactCharField(_("key"), max_length=255)
    value = JSONTextField(_("value"))
    version = models.PositiveBigIntegerField(_("version"), default=1, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "motia_state"
        verbose_name = _("state item")
        verbose_name_plural = _("state items")
        ordering = ("group", "key")
        constraints = (models.UniqueConstraint(fields=["group", "key"], name="motia_state_item"),)
        indexes = (models.Index(fields=["expires_at"], name="motia_state_expires"),)

    def __str__(self) -> str:
        return spelled_out(f"{self.group}/{self.key}")


class StreamItem(models.Model):
    """One item of a stream, as it is now."""

    stream = ExactCharField(_("stream"), max_length=200)
    group = ExactCharField(_("group"), max_length=255)
    item = ExactCharField(_("item"), max_length=255)
    value = JSONTextField(_("value"))
    event = models.PositiveBigIntegerField(_("last event"), default=0, editable=False)
    """The id of the newest event of the log that tells of this item."""
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "motia_stream_item"
        default_permissions = ("view", "delete")
        verbose_name = _("stream item")
        verbose_name_plural = _("stream items")
        ordering = ("stream", "group", "item")
        constraints = (
            models.UniqueConstraint(
                fields=["stream", "group", "item"], name="motia_stream_item_once"
            ),
        )
        indexes = (FilledIndex(fields=["expires_at"], name="motia_stream_expires"),)

    def __str__(self) -> str:
        return spelled_out(f"{self.stream}/{self.group}/{self.item}")


class StreamEvent(models.Model):
    """One entry of the log that followers of streams are told from; `id` is its order."""

    id = models.BigAutoField(primary_key=True)
    stream = ExactCharField(max_length=200)
    group = ExactCharField(max_length=255)
    item = ExactCharField(max_length=255, null=True)
    """None for an event that was sent to the whole group."""
    kind = models.CharField(max_length=8)
    """create, update, delete, or event."""
    data = JSONTextField()
    """The item; for a delete the item that was; for an event `{"type", "data"}`."""
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "motia_stream_event"
        default_permissions = ()
        indexes = (models.Index(fields=["stream", "group", "id"], name="motia_stream_group"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.stream}/{self.group}/{self.item or ''}"
