"""The tables: runs and all about them, workers, state, streams; and what has no table."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from motia_django import keys, payloads
from motia_django.exceptions import PayloadError
from motia_django.runs import Status


class JSONTextField(models.TextField):  # type: ignore[type-arg]
    """JSON kept as text: every value comes back as it was, on every database, in its own order.

    (PostgreSQL's jsonb refuses NUL characters and reorders keys; nothing here is searched by SQL.)
    """

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else payloads.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None and self.null else payloads.dumps(value)

    def value_to_string(self, obj: models.Model) -> str:
        return payloads.dumps(self.value_from_object(obj))

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return payloads.loads(value)
        except ValueError as error:
            raise ValidationError(
                _("This is not JSON: %(error)s"), params={"error": error}
            ) from error

    def formfield(self, **kwargs: Any) -> Any:
        from django.forms import JSONField

        return JSONField(**{"required": False, "label": self.verbose_name, **kwargs})

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        try:
            payloads.dumps(value)
        except PayloadError as error:
            raise ValidationError(str(error)) from error


class ExactCharField(models.CharField):  # type: ignore[type-arg]
    """Text that equals only itself, on every database.

    MySQL and MariaDB compare as their collation says, which usually means that "a", "A", "ä" and
    "a " are one; the two that say otherwise have different names there. It is sorted by its
    characters' numbers everywhere, as Python sorts it.
    """

    def db_parameters(self, connection: Any) -> Any:
        parameters = super().db_parameters(connection)
        if not self.db_collation and connection.vendor == "postgresql":
            parameters["collation"] = "C"
        elif not self.db_collation and connection.vendor == "mysql":
            is_mariadb = connection.mysql_is_mariadb
            parameters["collation"] = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
        return parameters


class FilledIndex(models.Index):
    """An index of the rows whose first column is not null, where the database has such indexes.

    Where it has not, which is MySQL and MariaDB, it is one of all rows, and nobody is warned.
    """

    def create_sql(
        self, model: type[models.Model], schema_editor: Any, using: str = "", **kwargs: Any
    ) -> Any:
        filled = models.Q(**{f"{self.fields[0]}__isnull": False})
        index = models.Index(fields=self.fields, name=self.name, condition=filled)
        return index.create_sql(model, schema_editor, using, **kwargs)


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
    depth = models.PositiveIntegerField(_("depth"), default=0)
    message_group = models.CharField(
        _("message group"), max_length=255, blank=True, default="", db_default=""
    )
    limited = models.BooleanField(_("waits its turn"), default=False, db_default=False)
    unique_key = models.CharField(max_length=64, null=True, blank=True, unique=True)
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
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        db_table = "motia_run"
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-id",)
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


class RunKey(models.Model):
    """One value of a run's input that the run is found by; `keys.kept` says how it is spelled."""

    id = models.BigAutoField(primary_key=True)
    run_id = models.UUIDField()
    name = ExactCharField(max_length=keys.LONGEST_NAME)
    value = ExactCharField(max_length=keys.LONGEST_VALUE)

    class Meta:
        db_table = "motia_run_key"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["run_id", "name"], name="motia_run_key_once"),
        )
        indexes = (models.Index(fields=["value", "-run_id"], name="motia_run_key_value"),)

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
    """What an operator says of one schedule, beside its file: that it rests, or when it is due."""

    step = ExactCharField(_("Step"), max_length=200)
    index = models.PositiveSmallIntegerField(_("index of the trigger"))
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
    replaces = models.CharField(_("what the file said"), max_length=512, blank=True)
    timed_at = models.DateTimeField(_("overridden or restored"), null=True, blank=True)
    timed_by = models.CharField(_("overridden by"), max_length=255, blank=True)
    timing_reason = models.TextField(_("reason of the override"), blank=True)

    class Meta:
        db_table = "motia_override"
        default_permissions = ()
        verbose_name = _("override of a schedule")
        verbose_name_plural = _("overrides of schedules")
        constraints = (
            models.UniqueConstraint(fields=["step", "index"], name="motia_override_once"),
        )

    def __str__(self) -> str:
        return f"{self.step}:{self.index}"

    @property
    def is_paused(self) -> bool:
        """Whether the last pause still lasts, as far as this table says."""
        return self.paused_at is not None and self.resumed_at is None

    @property
    def since(self) -> Any:
        """When the schedule was last resumed or given another time; None if it never was."""
        return max((each for each in (self.resumed_at, self.timed_at) if each), default=None)


class Worker(models.Model):
    """A Celery worker whose upkeep has been seen."""

    name = models.CharField(_("name"), max_length=255, primary_key=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    seen_at = models.DateTimeField(_("seen"), default=timezone.now)
    """By the worker's own clock."""

    class Meta:
        db_table = "motia_worker"
        default_permissions = ()
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.name


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
        return f"{self.group}/{self.key}"


class StreamItem(models.Model):
    """One item of a stream, as it is now."""

    stream = ExactCharField(_("stream"), max_length=200)
    group = ExactCharField(_("group"), max_length=255)
    item = ExactCharField(_("item"), max_length=255)
    value = JSONTextField(_("value"))
    event = models.PositiveBigIntegerField(_("last event"), default=0, editable=False)
    """The id of the newest event of the log that tells of this item."""
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        db_table = "motia_stream_item"
        verbose_name = _("stream item")
        verbose_name_plural = _("stream items")
        ordering = ("stream", "group", "item")
        constraints = (
            models.UniqueConstraint(
                fields=["stream", "group", "item"], name="motia_stream_item_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.stream}/{self.group}/{self.item}"


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


class Unstored(models.Manager):  # type: ignore[type-arg]
    """Finds no rows, for models without a table, so that `dumpdata` does not look for one."""

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().none()


class Place(models.Model):
    """A place in the admin and a permission to look there, for what lives in files."""

    name = models.CharField(_("name"), max_length=200, primary_key=True)

    objects = Unstored()

    class Meta:
        abstract = True
        managed = False
        default_permissions = ("view",)
        base_manager_name = "objects"

    def __str__(self) -> str:
        return self.name


class Overview(Place):
    """The place in the admin of whether all is well."""

    class Meta(Place.Meta):
        verbose_name = _("overview")
        verbose_name_plural = _("overview")


class DeadLetter(Place):
    """The place in the admin of dead runs, by the error that killed them."""

    class Meta(Place.Meta):
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")


class Schedule(Place):
    """The place in the admin of the Steps' cron triggers."""

    class Meta(Place.Meta):
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        permissions = (
            ("pause_schedule", "Can pause and resume schedules"),
            ("override_schedule", "Can override when schedules are due"),
        )


class Step(Place):
    """The Steps' place in the admin."""

    class Meta(Place.Meta):
        verbose_name = _("Step")
        verbose_name_plural = _("Steps")
        permissions = (
            ("enqueue_message", "Can enqueue messages by hand"),
            ("view_source", "Can see the source of Steps"),
        )


class Flow(Place):
    """The flows' place in the admin; Steps name them."""

    class Meta(Place.Meta):
        verbose_name = _("flow")
        verbose_name_plural = _("flows")
