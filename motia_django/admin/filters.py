"""The filters beside the lists; each is one readable key of the query string."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from motia_django.admin import words
from motia_django.registry import registry
from motia_django.runs import Status

Choices = list[tuple[str, Any]]
"""Values and their labels, which may be lazy."""
MOST_GROUPS = 100
_UNSETTLED = (Status.SCHEDULED, Status.QUEUED, Status.RUNNING, Status.DEAD)
"""The statuses of runs that may have the fingerprint of an error."""


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


class ErrorFilter(ExactFilter):
    """Runs whose last attempt failed with the same error; shown only where one is chosen."""

    title, parameter_name, column = _("error"), "error", "fingerprint"

    def choice_pairs(self) -> Choices:
        return []

    @classmethod
    def wrong(cls, value: str, request: HttpRequest) -> str:
        """Return what is wrong with a value of the query string; an empty text if nothing is."""
        if not value.strip():
            return gettext("The filter “error” has no fingerprint of an error.")
        asked = request.GET.get("status")
        if asked and not any(each in _UNSETTLED for each in asked.split(",")):
            return gettext(
                "Only runs that are dead, or are still tried, are found by their error: those that"
                " are %s have no fingerprint of one."
            ) % ", ".join(str(words.STATUSES.get(each, each)) for each in asked.split(","))
        return ""


class GroupFilter(ExactFilter):
    """Items of one group."""

    title, parameter_name, column = _("group"), "group", "group"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self._items = model.objects
        super().__init__(request, params, model, model_admin)

    def choice_pairs(self) -> Choices:
        groups = self._items.order_by("group").values_list("group", flat=True)
        return [(group, words.spelled(group)) for group in groups.distinct()[:MOST_GROUPS]]


class StreamFilter(ExactFilter):
    """Items of one stream."""

    title, parameter_name, column = _("stream"), "stream", "stream"

    def choice_pairs(self) -> Choices:
        return [(name, name) for name in sorted(registry().streams)]
