"""Places in the admin, with permissions, for what has no table."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


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
