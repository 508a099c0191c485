"""The tables of what operators want: pauses, overrides of schedules, batches, and starts."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from motia_django.models.fields import ExactCharField, JSONTextField


class Pause(models.Model):
    """A Step that an operator has paused: none of its runs is begun."""

    step = models.CharField(_("Step"), max_length=200, primary_key=True)
    paused_at = models.DateTimeField(_("since"), default=timezone.now)
    by = models.CharField(_("by"), max_length=255, blank=True)
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        db_table = "motia_pause"
        default_permissions = ()
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")

    def __str__(self) -> str:
        return self.step


class Override(models.Model):
    """What an operator says of one schedule, beside its file: that it rests, or when it is due.

    It is of the trigger that declares what this one did when he said so, wherever it stands in its
    file today: `ledger.overrides` finds it.
    """

    step = ExactCharField(_("Step"), max_length=200)
    index = models.PositiveSmallIntegerField(_("index of the trigger"))
    """As it was when it was written last; `in_row` is of the row with this index."""
    declared = ExactCharField(_("what the file said"), max_length=512)
    """`CronTrigger.declared`."""
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True)
    resumed_at = models.DateTimeField(_("resumed"), null=True, blank=True)
    """The end of the last pause; None while it lasts."""
    paused_by = models.CharField(_("paused by"), max_length=255, blank=True)
    pause_reason = models.TextField(_("reason of the pause"), blank=True)
    in_row = models.BooleanField(_("paused in celery-beat's row"), default=False)
    """Whether django-celery-beat's row was disabled for it: enabling that ends the pause."""
    expression = models.CharField(_("expression"), max_length=255, blank=True)
    """Stands in the place of the file's; empty if none does."""
    zone = models.CharField(_("time zone"), max_length=255, blank=True)
    timed_at = models.DateTimeField(_("overridden or restored"), null=True, blank=True)
    timed_by = models.CharField(_("overridden by"), max_length=255, blank=True)
    timing_reason = models.TextField(_("reason of the override"), blank=True)

    class Meta:
        db_table = "motia_override"
        default_permissions = ()
        verbose_name = _("override of a schedule")
        verbose_name_plural = _("overrides of schedules")
        constraints = (
            models.UniqueConstraint(
                fields=["step", "index", "declared"], name="motia_override_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.step}:{self.index}"

    @property
    def is_paused(self) -> bool:
        """Whether the last pause still lasts, as far as this table says."""
        return self.paused_at is not None and self.resumed_at is None

    @property
    def is_wish(self) -> bool:
        """Whether it says anything now: that the schedule rests, or when it is due."""
        return self.is_paused or bool(self.expression)

    @property
    def since(self) -> Any:
        """When the schedule was last resumed or given another time; None if it never was."""
        return max((each for each in (self.resumed_at, self.timed_at) if each), default=None)


class Batch(models.Model):
    """One thing done to many runs in the background, by the workers' upkeep."""

    id = models.BigAutoField(_("number"), primary_key=True)
    deed = models.CharField(_("deed"), max_length=10)
    selection = JSONTextField(_("selection"))
    """Which runs: `Selection.to_json`."""
    per_second = models.PositiveIntegerField(_("at most per second"), null=True, blank=True)
    total = models.PositiveIntegerField(_("runs"), default=0)
    """How many matched when it was made."""
    by = models.CharField(_("by"), max_length=255)
    reason = models.TextField(_("reason"), blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    worked_at = models.DateTimeField(_("worked on"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    stopped_by = models.CharField(_("stopped by"), max_length=255, blank=True)
    done = models.PositiveIntegerField(_("done"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    reasons = JSONTextField(_("reasons"), default=dict)
    """Why runs were refused, with the number of each."""
    cursor = models.UUIDField(null=True, blank=True)
    """The last run that was looked at."""
    fence = models.PositiveIntegerField(default=0)
    """Grows each time that a worker takes it; only the last one may go on."""
    held_until = models.DateTimeField(null=True, blank=True)
    """Until when it is a worker's."""

    class Meta:
        db_table = "motia_batch"
        default_permissions = ()
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ("-id",)
        indexes = (models.Index(fields=["finished_at"], name="motia_batch_finished"),)

    def __str__(self) -> str:
        return f"{self.deed} {self.id}"

    @property
    def meanwhile(self) -> int:
        """How many runs others had dealt with before it came to them; 0 until it is done.

        They may be more: runs that came to match meanwhile make up for some, and `total` is bounded
        where the admin counts.
        """
        is_done = self.finished_at is not None and not self.stopped_by
        return max(self.total - self.done - self.refused, 0) if is_done else 0


class Start(models.Model):
    """What the first sending of a form has started, so that another one starts nothing."""

    form = models.UUIDField(_("id of the form"), primary_key=True)
    """Made when the form was shown, by `new_run_id`: so ids tell their age."""
    by = models.CharField(_("by"), max_length=255)
    """The primary key of the user."""
    place = models.TextField(_("address"))
    began = JSONTextField(_("what began"), default=list)
    """The ids of the runs; of a request to an http Step, the id of its trace."""

    class Meta:
        db_table = "motia_start"
        default_permissions = ()
        verbose_name = _("start by hand")
        verbose_name_plural = _("starts by hand")

    def __str__(self) -> str:
        return f"{self.place} {self.form}"
