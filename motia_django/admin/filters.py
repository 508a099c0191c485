"""The filters beside the lists; each is one readable key of the query string."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from motia_django.admin import permits, words
from motia_django.registry import registry
from motia_django.runs import lowest_id_at

Choices = list[tuple[str, Any]]
"""Values and their labels, which may be lazy."""
MOST_GROUPS = 100


class ExactFilter(admin.SimpleListFilter):
    """Rows whose `column` is the chosen value, which need not be among the choices."""

    column: ClassVar[str]

    def choice_pairs(self) -> Choices:
        """Return what there is to choose from."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        choices = self.choice_pairs()
        value = self.value()
        unlisted = value and value not in dict(choices)
        return [*choices, (value, value)] if value and unlisted else choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.none() if "\x00" in value else queryset.filter(**{self.column: value})


class StatusFilter(ExactFilter):
    """Runs of one status."""

    title, parameter_name, column = _("status"), "status", "status"

    def choice_pairs(self) -> Choices:
        return list(words.STATUSES.items())


class TriggerFilter(ExactFilter):
    """Runs of one kind of trigger."""

    title, parameter_name, column = _("trigger"), "trigger", "trigger"

    def choice_pairs(self) -> Choices:
        return list(words.KINDS.items())


class ErrorFilter(ExactFilter):
    """Runs whose last attempt failed with the same error; shown only where one is chosen."""

    title, parameter_name, column = _("error"), "error", "fingerprint"

    def choice_pairs(self) -> Choices:
        return []


class StepFilter(ExactFilter):
    """Runs of one Step."""

    title, parameter_name, column = _("Step"), "step", "step"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        seen = permits.visible(request)
        choices = super().lookups(request, model_admin)
        return choices if seen is None else [each for each in choices if each[0] in seen]

    def choice_pairs(self) -> Choices:
        return [(name, name) for name in sorted(step.name for step in registry())]


class GoneFilter(admin.SimpleListFilter):
    """Runs whose Step is not there, in this process at least."""

    title, parameter_name = _("runs without a Step"), "gone"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("yes", _("no such Step"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        return queryset.exclude(step__in=[step.name for step in registry()])


class GroupFilter(ExactFilter):
    """Items of one group."""

    title, parameter_name, column = _("group"), "group", "group"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self._items = model.objects
        super().__init__(request, params, model, model_admin)

    def choice_pairs(self) -> Choices:
        groups = self._items.order_by("group").values_list("group", flat=True)
        return [(group, group) for group in groups.distinct()[:MOST_GROUPS]]


class StreamFilter(ExactFilter):
    """Items of one stream."""

    title, parameter_name, column = _("stream"), "stream", "stream"

    def choice_pairs(self) -> Choices:
        return [(name, name) for name in sorted(registry().streams)]


class CreatedFilter(admin.SimpleListFilter):
    """Runs born lately. Their ids begin with their time of birth, so the primary key finds them."""

    title, parameter_name = _("created"), "created"
    ages: ClassVar[dict[str, tuple[Promise, timedelta]]] = {
        "hour": (_("in the last hour"), timedelta(hours=1)),
        "day": (_("in the last 24 hours"), timedelta(days=1)),
        "week": (_("in the last 7 days"), timedelta(days=7)),
        "month": (_("in the last 30 days"), timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(value, label) for value, (label, _age) in self.ages.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.ages:
            return queryset
        since = timezone.now() - self.ages[str(self.value())][1]
        return queryset.filter(id__gte=lowest_id_at(since))
