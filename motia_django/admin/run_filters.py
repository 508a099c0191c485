"""The filters of the runs, and what is wrong with a query string that asks for what is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG, IGNORED_PARAMS, PAGE_VAR, SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import ledger
from motia_django.admin import permits, words
from motia_django.admin.filters import Choices, ExactFilter
from motia_django.exceptions import did_you_mean
from motia_django.moments import asked
from motia_django.registry import registry
from motia_django.runs import lowest_id_at

NEWEST = 100_000
_UNINDEXED, _INDEXED = {"trigger", "gone"}, {"step", "flow", "error", "q"}
_OFFSET = re.compile(r" (\d\d:?\d\d)$")
"""The plus sign of a time zone, which means a space in a query string."""


class StatusFilter(ExactFilter):
    """Runs of one status, or of several: `?status=dead,scheduled`."""

    title, parameter_name, column = gettext_lazy("status"), "status", "status"

    def choice_pairs(self) -> Choices:
        known, chosen = list(words.STATUSES.items()), self.value() or ""
        if "," not in chosen:
            return known
        told = ", ".join(str(words.STATUSES.get(each, each)) for each in chosen.split(","))
        return [*known, (chosen, told)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if "," not in value:
            return super().queryset(request, queryset)
        known = [each for each in value.split(",") if each in words.STATUSES]
        return queryset.filter(status__in=known)

    @classmethod
    def wrong(cls, value: str, request: HttpRequest) -> str:
        """Return what is wrong with a value of the query string; an empty text if nothing is."""
        unknown = next((each for each in value.split(",") if each not in words.STATUSES), None)
        return "" if unknown is None else no_such(_("status"), unknown, words.STATUSES)


class TriggerFilter(ExactFilter):
    """Runs of one kind of trigger."""

    title, parameter_name, column = gettext_lazy("trigger"), "trigger", "trigger"

    def choice_pairs(self) -> Choices:
        return list(words.KINDS.items())

    @classmethod
    def wrong(cls, value: str, request: HttpRequest) -> str:
        """Return what is wrong with a value of the query string; an empty text if nothing is."""
        return "" if value in words.KINDS else no_such(_("kind of trigger"), value, words.KINDS)


class StepFilter(ExactFilter):
    """Runs of one Step, which may be gone."""

    title, parameter_name, column = gettext_lazy("Step"), "step", "step"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        seen = permits.visible(request)
        choices = super().lookups(request, model_admin)
        return choices if seen is None else [each for each in choices if each[0] in seen]

    def choice_pairs(self) -> Choices:
        return [(name, name) for name in sorted(step.name for step in registry())]

    @classmethod
    def wrong(cls, value: str, request: HttpRequest) -> str:
        """Return what is wrong with a value of the query string; an empty text if nothing is."""
        seen = permits.visible(request)
        names = [step.name for step in registry()] if seen is None else seen
        if value in names:
            return ""
        if "\x00" not in value and permits.narrowed(ledger.rows(step=value), request).exists():
            return ""
        text = _("There is no Step named “%s”, nor a run of one.") % value[:200]
        return text + did_you_mean(value, names)


class FlowFilter(ExactFilter):
    """Runs of the Steps of one flow."""

    title, parameter_name, column = gettext_lazy("flow"), "flow", "step__in"

    def choice_pairs(self) -> Choices:
        return [(name, name) for name in registry().flows()]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        flows = flows_seen(request)
        return [each for each in super().lookups(request, model_admin) if each[0] in flows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        steps = registry().flows().get(value, ())
        return queryset.filter(step__in=[step.name for step in steps])

    @classmethod
    def wrong(cls, value: str, request: HttpRequest) -> str:
        """Return what is wrong with a value of the query string; an empty text if nothing is."""
        flows = flows_seen(request)
        return "" if value in flows else no_such(_("flow"), value, flows)


class GoneFilter(admin.SimpleListFilter):
    """Runs whose Step this process does not know: gone, or newer than the process."""

    title, parameter_name = gettext_lazy("runs without a Step"), "gone"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("yes", _("not known here"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        return queryset.exclude(step__in=[step.name for step in registry()])

    @classmethod
    def wrong(cls, value: str, request: HttpRequest) -> str:
        """Return what is wrong with a value of the query string; an empty text if nothing is."""
        return "" if value == "yes" else no_such("gone", value, ["yes"])


class CreatedFilter(admin.SimpleListFilter):
    """Runs born lately. Their ids begin with their time of birth, so the primary key finds them."""

    title, parameter_name = gettext_lazy("created"), "created"
    ages: ClassVar[dict[str, tuple[Promise, timedelta]]] = {
        "hour": (gettext_lazy("in the last hour"), timedelta(hours=1)),
        "day": (gettext_lazy("in the last 24 hours"), timedelta(days=1)),
        "week": (gettext_lazy("in the last 7 days"), timedelta(days=7)),
        "month": (gettext_lazy("in the last 30 days"), timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(value, label) for value, (label, _age) in self.ages.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.ages:
            return queryset
        since = datetime.now(UTC) - self.ages[str(self.value())][1]
        return queryset.filter(id__gte=lowest_id_at(since))

    @classmethod
    def wrong(cls, value: str, request: HttpRequest) -> str:
        """Return what is wrong with a value of the query string; an empty text if nothing is."""
        return "" if value in cls.ages else no_such(_("age"), value, cls.ages)


class BornFilter(admin.SimpleListFilter):
    """Runs born from one time on, and before another: `?from=2026-11-28T03:00&to=...`."""

    title, parameter_name, until = gettext_lazy("time"), "from", "to"
    template = "admin/motia/run/born_filter.html"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self._others = [
            (key, value)
            for key, value in request.GET.items()
            if key not in (self.parameter_name, self.until, PAGE_VAR)
        ]
        super().__init__(request, params, model, model_admin)
        if self.until in params:
            self.used_parameters[self.until] = params.pop(self.until)[-1]

    def has_output(self) -> bool:
        return True

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return []

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name, self.until]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield what the form is made of; it takes the place of links."""
        names = (self.parameter_name, self.until)
        given = {name: self.used_parameters.get(name, "") for name in names}
        yield {
            "given": {name: _typed(str(value)) for name, value in given.items()},
            "is_used": any(given.values()),
            "others": self._others,
            "query_string": changelist.get_query_string(remove=self.expected_parameters()),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for name, lookup in ((self.parameter_name, "id__gte"), (self.until, "id__lt")):
            moment = moment_of(str(self.used_parameters.get(name) or ""))
            if moment is not None:
                queryset = queryset.filter(**{lookup: lowest_id_at(moment)})
        return queryset

    @classmethod
    def wrong(cls, value: str, request: HttpRequest) -> str:
        """Return what is wrong with a value of the query string; an empty text if nothing is."""
        if not value.strip() or moment_of(value) is not None:
            return ""
        text = _("“%s” is no time such as 2026-11-28T03:00, in your own time zone.")
        return text % value[:200]


def bounded(rows: QuerySet[Any], request: HttpRequest) -> tuple[bool, QuerySet[Any]]:
    """Return whether older runs are left out, and the rows without them.

    What no index tells of, the kind of the trigger above all, would read a long table from end to
    end to find a few. So of all runs the `NEWEST` are looked at, before the time that was asked
    for; where something else narrows them down, all are.
    """
    asked = {name for name in request.GET if request.GET.get(name)}
    if not asked & _UNINDEXED or asked & _INDEXED:
        return False, rows
    ids = ledger.rows().values_list("id", flat=True)
    until = moment_of(request.GET.get(BornFilter.until, ""))
    ids = ids.filter(id__lt=lowest_id_at(until)) if until else ids
    edge = ids[NEWEST : NEWEST + 1].first()
    return edge is not None, rows.filter(id__gt=edge) if edge else rows


def problems(request: HttpRequest, filters: Iterable[Any]) -> list[str]:
    """Return what is wrong with a query string, in sentences: no filter is silently left out."""
    by_name: dict[str, Any] = {}
    for each in filters:
        by_name |= dict.fromkeys((each.parameter_name, getattr(each, "until", "")), each)
    by_name.pop("", None)
    found: list[str] = []
    for key, values in request.GET.lists():
        if key in by_name:
            found += _of_filter(key, values, by_name[key], request)
        elif key not in (*IGNORED_PARAMS, PAGE_VAR, ERROR_FLAG):
            found.append(no_such(_("filter"), key, by_name))
    if "\x00" in request.GET.get(SEARCH_VAR, ""):
        found.append(_("Nothing has a NUL character in it that could be searched for."))
    began, ended = (moment_of(request.GET.get(name, "")) for name in ("from", "to"))
    if began and ended and began >= ended:
        found.append(_("The time it begins at is not before the one it ends at."))
    return found


def cleaned(request: HttpRequest, filters: Iterable[Any]) -> Any:
    """Return the query string without what is no filter, which Django would not take."""
    query = request.GET.copy()
    known = {*IGNORED_PARAMS, PAGE_VAR, ERROR_FLAG}
    for each in filters:
        known |= {each.parameter_name, getattr(each, "until", each.parameter_name)}
    for key in set(query) - known:
        del query[key]
    return query


def moment_of(text: str) -> datetime | None:
    """Return the time that a text means, in the reader's zone; None if it means none we can ask."""
    return asked(_OFFSET.sub(r"+\1", text.strip()))


def no_such(what: str, value: str, known: Iterable[str]) -> str:
    """Return that there is no such thing, and which there are."""
    facts = {"what": what, "value": value[:200], "known": ", ".join(known) or words.NOTHING}
    return _("There is no %(what)s “%(value)s”. There are: %(known)s.") % facts


def flows_seen(request: HttpRequest) -> list[str]:
    """Return the flows that have a Step whose runs this request's user may see."""
    flows, seen = registry().flows(), permits.visible(request)
    if seen is None:
        return list(flows)
    return [name for name, steps in flows.items() if any(step.name in seen for step in steps)]


def _of_filter(
    key: str, values: Sequence[object], each: Any, request: HttpRequest
) -> Iterator[str]:
    """Yield what is wrong with one filter."""
    if len(values) > 1:
        yield _("The filter “%s” is given more than once.") % key
    wrong = each.wrong(str(values[-1]), request) if hasattr(each, "wrong") else ""
    if wrong:
        yield wrong


def _typed(text: str) -> str:
    """Return a time as the browser's own field takes it, which takes nothing else."""
    moment = moment_of(text)
    return words.minute(moment) if moment else ""
