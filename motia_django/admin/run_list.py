"""The list of runs: its columns, its filters, its search, and what may be done to many of them."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import ledger, models
from motia_django.admin import many_runs, permits, run_filters, words
from motia_django.admin.attempts import working_time
from motia_django.admin.filters import ErrorFilter
from motia_django.admin.interventions import ALL
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.paging import BoundedPaginator, PagedList
from motia_django.admin.run_filters import (
    BornFilter,
    CreatedFilter,
    FlowFilter,
    GoneFilter,
    StatusFilter,
    StepFilter,
    TriggerFilter,
)
from motia_django.ledger.selections import MOST_IDS
from motia_django.lines import spelled_out
from motia_django.moments import told
from motia_django.registry import registry
from motia_django.runs import Status, in_short

PROBLEMS = "motia_problems"
"""The attribute of a request that says what is wrong with its query string."""
_MOST_NAMED = 3
"""Index keys that the search's help names."""
KEYS = "motia_keys"
"""The attribute of a row that has the run's index keys, as the list shows them."""
ANSWER = "motia_answer"
"""The attribute of a row that has the status code that a request was answered with."""
MORE_KEYED = "motia_more_keyed"
"""The attribute that says whether there may be more runs with the index key."""


class RunList(PagedList):
    """The list of runs, without the columns it does not show: they can be large.

    One that was asked for wrongly is empty: what a person does to "all of them" is done to none.
    """

    is_newest_only = False
    """Whether older runs were not looked at, since no index tells of what was asked for."""
    newest = run_filters.NEWEST
    is_keyed_cut = False
    """Whether only so many of the runs with the index key are shown, or were looked at."""
    most_keyed, most_looked_at = ledger.MOST_FOUND, ledger.MOST_LOOKED_AT
    most_at_once = MOST_IDS

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        rows = super().get_queryset(request, *args, **kwargs)
        if getattr(request, PROBLEMS, None):
            return rows.none()
        self.is_newest_only, rows = run_filters.bounded(rows, request)
        self.is_keyed_cut = getattr(request, MORE_KEYED, False)
        return rows.defer("input", "output", "timeline")

    def get_results(self, request: HttpRequest) -> None:
        """Read the page's rows, their index keys, and what was answered."""
        super().get_results(request)
        rows = list(self.result_list)
        keys = ledger.keys_of_runs(row.id for row in rows) if rows else {}
        asked = [row.id for row in rows if row.trigger == "http"]
        answers = ledger.answered_with(asked) if asked else {}
        for row in rows:
            setattr(row, KEYS, keys.get(row.id, ()))
            setattr(row, ANSWER, answers.get(row.id))
        self.result_list = rows


class RunListAdmin(ReadOnlyAdmin):
    """The admin of the list alone, made by `RunAdmin` for whoever asks for it."""

    list_display = ("name", "standing", "cause", "born", "took", "problem")
    list_filter = (
        StatusFilter,
        ErrorFilter,
        CreatedFilter,
        BornFilter,
        FlowFilter,
        StepFilter,
        TriggerFilter,
        GoneFilter,
    )
    list_per_page = 50
    ordering = ("-id",)
    sortable_by: ClassVar[tuple[str, ...]] = ("born",)
    search_fields = ("id",)
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator

    @property
    def search_help_text(self) -> str:  # type: ignore[override]
        """What may be searched for: of the index keys those that this project's runs have."""
        names = sorted(ledger.key_names())
        if not names:
            return _("The whole id of a run or of a trace.")
        keys = ", ".join(f"{name}=..." for name in names[:_MOST_NAMED])
        text = _("The whole id of a run or of a trace, or an index key: %s, or just its value.")
        return text % keys

    @admin.display(description=gettext_lazy("Step"))
    def name(self, row: models.Run) -> SafeString | str:
        """Return the Step's name, marked if it is not known here, and the run's index keys."""
        name: SafeString | str = row.step
        if row.step not in registry():
            name = words.stacked(row.step, _("not known here"))
        found = getattr(row, KEYS, ())
        return words.below(name, ", ".join(map(words.spelled, found))) if found else name

    @admin.display(description=gettext_lazy("status"))
    def standing(self, row: models.Run) -> SafeString:
        """Return the run's status, and what it answered, or its attempt if it was not the first."""
        badge, code = words.badge(row.status), getattr(row, ANSWER, None)
        if row.status == Status.DEAD and row.finished_at:
            badge += format_html(
                '<input type="hidden" name="{}" value="{}">',
                many_runs.LISTED,
                f"{row.id} {told(row.finished_at)}",
            )
        if code is not None:
            return words.below(badge, words.http_status(code))
        if row.attempt <= 1:
            return badge
        return words.below(badge, _("attempt %d") % row.attempt)

    @admin.display(description=gettext_lazy("trigger"))
    def cause(self, row: models.Run) -> SafeString:
        """Return what started the run."""
        return words.stacked(words.kind(row.trigger), Truncator(row.shown_source).chars(120))

    @admin.display(description=gettext_lazy("created"), ordering="id")
    def born(self, row: models.Run) -> SafeString | str:
        """Return when the run came to be."""
        return words.moment_stacked(row.created_at)

    @admin.display(description=gettext_lazy("duration"))
    def took(self, row: models.Run) -> str:
        """Return how long the last attempt took."""
        return words.duration(working_time(row))

    @admin.display(description=gettext_lazy("error"), empty_value="")
    def problem(self, row: models.Run) -> str:
        """Return the error in a few words."""
        return Truncator(spelled_out(in_short(row.error))).chars(80)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return permits.narrowed(super().get_queryset(request), request)

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return what may be done to many runs, by those who may; to a list that is none, nothing.

        Django asks for a location from 6.1 on; only the list has actions, since a run's page is
        not Django's.
        """
        asked_wrongly = getattr(request, PROBLEMS, None)
        offered = (
            each for each in ALL if each.of_many and each.allowed(request) and not asked_wrongly
        )
        return {
            each.name: (partial(many_runs.act, each), each.name, each.label) for each in offered
        }

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RunList]:
        return RunList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the run or the trace that has this id, and the runs that have this index key."""
        asked = search_term.strip()
        if not asked:
            return queryset, False
        keyed, is_cut = ledger.newest_with(queryset, ledger.searched(search_term))
        setattr(request, MORE_KEYED, is_cut)
        try:
            given = UUID(asked)
        except ValueError:
            return queryset.filter(id__in=keyed), False
        return queryset.filter(Q(id__in=[given, *keyed]) | Q(trace_id=given.hex)), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        problems = run_filters.problems(request, self.list_filter)
        setattr(request, PROBLEMS, problems)
        request.GET = run_filters.cleaned(request, self.list_filter)
        if ACTION_CHECKBOX_NAME in request.POST:
            many_runs.drop_what_is_no_id(request)
        context = {
            "title": _("Runs"),
            "bound": BoundedPaginator.limit,
            "dead_url": self.links(request).dead_letters(),
            "problems": problems,
            "keys": sorted(ledger.key_names()),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})
