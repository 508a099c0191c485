"""The tables of the ledger: runs, the keys that they are found by, turns, and workers."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from motia_django import keys
from motia_django.lines import spelled_out
from motia_django.models.fields import ExactCharField, FilledIndex, JSONTextField
from motia_django.runs import Status


class Run(models.Model):
    """One execution of one Step: queue entry, outbox, history and dead letter in one."""

    id = models.UUIDField(_("id"), primary_key=True, editable=False)
    step = models.CharField(_("Step"), max_length=200)
    trigger = models.CharField(_("trigger"), max_length=8)
    index = models.PositiveSmallIntegerField(_("index of the trigger"), default=0)
    source = models.CharField(_("source"), max_length=720, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=[(each.value, each.value) for each in Status]
    )
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    fence = models.PositiveIntegerField(_("fence"), default=0)
    publishes = models.PositiveIntegerField(_("times published"), default=0)
    trace_id = models.CharField(_("trace"), max_length=32)
    parent_id = models.UUIDField(_("caused by"), null=True, blank=True)
    parent_span = models.CharField(
        _("born in the span"), max_length=19, null=True, blank=True, editable=False
    )
    """Of OpenTelemetry: 16 hex digits, a dash, and the flags in 2, as a `traceparent` ends."""
    depth = models.PositiveIntegerField(_("depth"), default=0)
    message_group = models.CharField(
        _("message group"), max_length=255, blank=True, default="", db_default=""
    )
    limited = models.BooleanField(_("waits its turn"), default=False, db_default=False)
    unique_key = models.CharField(max_length=64, null=True, blank=True, unique=True)
    unique_until = models.DateTimeField(null=True, blank=True, editable=False)
    """Until when a run that is finished keeps its dedupe key; null if it does not."""
    input = JSONTextField(_("input"), null=True, blank=True)
    output = JSONTextField(_("output"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)
    fingerprint = models.CharField(
        _("fingerprint of the error"), max_length=16, null=True, blank=True, editable=False
    )
    """Of the last attempt, if it failed: the same for all errors of the same cause."""
    timeline = JSONTextField(_("timeline"), default=list, blank=True)
    worker = models.CharField(_("worker"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    wake_at = models.DateTimeField(_("looked at by upkeep"), null=True, blank=True)
    tried_since = models.DateTimeField(null=True, blank=True, editable=False)
    """When the first attempt began; null until one has failed or was snoozed, and once redriven."""
    woken = models.BooleanField(null=True, blank=True, editable=False)
    """Whether it was woken since it was queued: a snooze ends at once then."""
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        db_table = "motia_run"
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-id",)
        default_permissions = ("view",)
        permissions = (
            ("redrive_run", "Can redrive dead runs"),
            ("discard_run", "Can discard dead runs"),
            ("cancel_run", "Can cancel runs that wait"),
            ("pause_step", "Can pause and resume Steps"),
            ("run_step", "Can run Steps by hand"),
            ("retry_run", "Can have runs that wait tried now"),
            ("rerun_run", "Can run finished runs again"),
        )
        indexes = (
            models.Index(fields=["wake_at"], name="motia_run_wake"),
            models.Index(fields=["trace_id"], name="motia_run_trace"),
            models.Index(fields=["parent_id"], name="motia_run_parent"),
            models.Index(fields=["step", "-id"], name="motia_run_step"),
            models.Index(fields=["status", "-id"], name="motia_run_status"),
            FilledIndex(fields=["fingerprint", "status", "finished_at"], name="motia_run_error"),
        )

    def __str__(self) -> str:
        return f"{self.step} {self.id}"

    @property
    def shown_source(self) -> str:
        """What started it, as one reads it: whoever named an item may have turned the line."""
        return spelled_out(self.source)

    @property
    def shown_group(self) -> str:
        """Its message group, as one reads it."""
        return spelled_out(self.message_group)


class RunKey(models.Model):
    """One value that a run is found by; `keys.kept` says how it is spelled.

    A run may have several of one name: of a redriven one there are those of its old input, too.
    """

    id = models.BigAutoField(primary_key=True)
    run_id = models.UUIDField()
    name = ExactCharField(max_length=keys.LONGEST_NAME)
    value = ExactCharField(max_length=keys.LONGEST_VALUE)

    class Meta:
        db_table = "motia_run_key"
        default_permissions = ()
        indexes = (
            models.Index(fields=["value", "-run_id"], name="motia_run_key_value"),
            models.Index(fields=["run_id"], name="motia_run_key_run"),
        )

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class Turn(models.Model):
    """What an unfinished run waits for and holds, if its trigger has an order or a limit.

    `id` is the order of arrival, the database's own. That no lane is held twice and no slot of a
    pool is taken twice is said by the unique columns, so that no race can get around it.
    """

    id = models.BigAutoField(primary_key=True)
    run_id = models.UUIDField(unique=True)
    lane = models.CharField(max_length=64, null=True)
    holds = models.CharField(max_length=64, null=True, unique=True)
    """The lane, from the first attempt until the run is finished."""
    pool = models.CharField(max_length=64, null=True)
    slot = models.CharField(max_length=80, null=True, unique=True)
    """The pool and a number below its limit, while the run is running."""
    called = models.BooleanField(default=False)
    """Whether the run was called up: its message is on its way, or it is running."""

    class Meta:
        db_table = "motia_turn"
        default_permissions = ()
        indexes = (
            models.Index(fields=["lane", "id"], name="motia_turn_lane"),
            models.Index(fields=["pool", "called", "id"], name="motia_turn_pool"),
        )

    def __str__(self) -> str:
        return f"turn of {self.run_id}"


class Worker(models.Model):
    """A Celery worker whose upkeep has been seen."""

    name = models.CharField(_("name"), max_length=255, primary_key=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    seen_at = models.DateTimeField(_("seen"), default=timezone.now)
    """By the worker's own clock."""
    queues = JSONTextField(_("queues"), null=True, blank=True, editable=False)
    """The names of the Celery queues that it consumes; null if that is not known."""

    class Meta:
        db_table = "motia_worker"
        default_permissions = ()
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.name
