"""What is done to many runs: shown first, with what would be refused; then done, or a batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from motia_django import batches, operations
from motia_django.admin import choosing, prospects
from motia_django.admin.choosing import Chosen
from motia_django.admin.interventions import Intervention, log, logged, who
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.run_forms import ReasonForm
from motia_django.ledger.selections import MOST_IDS, Selection
from motia_django.moments import told
from motia_django.operations import Result
from motia_django.runs import Status

AT_ONCE = 100
"""Up to so many runs are done within the request; more are a batch for the workers."""
LISTED = "died_at"
"""The hidden fields of a list that say of each dead run, after its id, which death was shown."""
_SHOWN = "shown"
"""The hidden field that says how many runs the question was about."""


class GoForm(ReasonForm):
    """Asks why, and how fast."""

    per_second = forms.IntegerField(
        label=gettext_lazy("At most per second"),
        required=False,
        min_value=1,
        max_value=10_000,
        help_text=gettext_lazy(
            "So that a service that has just come back is not flooded. Empty: as fast as it goes."
        ),
    )
    field_order = ("reason", "per_second")

    def __init__(self, what: Intervention, *args: Any, **kwargs: Any) -> None:
        super().__init__(None, *args, **kwargs)
        if what.ends:
            del self.fields["per_second"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for: something, to these runs, with a way back and what is posted again."""

    what: Intervention
    chosen: Chosen
    back: str
    hidden: list[tuple[str, str]] = field(default_factory=list)


def drop_what_is_no_id(request: HttpRequest) -> None:
    """Leave out of what was ticked in the list what no run can have as its id."""
    posted = request.POST.copy()
    ticked = posted.getlist(ACTION_CHECKBOX_NAME)
    posted.setlist(ACTION_CHECKBOX_NAME, [each for each in ticked if _is_id(each)])
    request.POST = posted  # type: ignore[assignment]


def act(
    what: Intervention, admin: ReadOnlyAdmin, request: HttpRequest, listed: QuerySet[Any]
) -> HttpResponse | None:
    """Do something to runs that were ticked in their list, or to all that it shows."""
    chosen = _of_list(what, request, listed)
    if not chosen.selection.rows().exists():
        admin.message_user(
            request, _("Nothing to do: none of these runs allows it now."), messages.WARNING
        )
        return None
    across = request.POST.get("select_across", "0")
    ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
    hidden = [("action", what.name), ("index", "0"), ("select_across", across)]
    hidden += [(ACTION_CHECKBOX_NAME, each) for each in (ticked[:1] if across == "1" else ticked)]
    hidden += [(LISTED, f"{run} {died}") for run, died in _listed(request).items() if run in ticked]
    back = request.get_full_path()
    return offer(admin, request, Asked(what=what, chosen=chosen, back=back, hidden=hidden))


def offer(admin: ReadOnlyAdmin, request: HttpRequest, asked: Asked) -> HttpResponse:
    """Show what would be done, and do it once that is confirmed: to no run born since."""
    form = GoForm(asked.what, request.POST if "confirmed" in request.POST else None)
    if "confirmed" in request.POST and not asked.chosen.problems and form.is_valid():
        return _gone_through(admin, request, asked, form)
    prospect = prospects.prospect(asked.what, asked.chosen.selection, admin.links(request))
    shown = [("up_to", asked.chosen.selection.wanted["id__lte"]), (_SHOWN, str(prospect.count))]
    return admin.page(
        request,
        "admin/motia/batch/preview.html",
        str(asked.what.label),
        what=asked.what,
        form=form,
        back=asked.back,
        hidden=[*asked.hidden, *shown],
        chosen=asked.chosen,
        prospect=prospect,
        at_once=AT_ONCE,
        most=MOST_IDS,
    )


def _of_list(what: Intervention, request: HttpRequest, listed: QuerySet[Any]) -> Chosen:
    """Return the runs that are meant; those of a list that is not understood here, by their ids."""
    if request.POST.get("select_across") == "1":
        chosen = choosing.chosen(request.GET.copy(), what, request)
        if not chosen.problems:
            return chosen
    rows = listed.filter(status__in=what.statuses, id__lte=choosing.bound(request)).order_by("-id")
    found = list(rows.values_list("id", "finished_at")[: MOST_IDS + 1])
    deaths = _listed(request) if Status.DEAD in what.statuses else {}
    ids = tuple(
        run_id
        for run_id, died_at in found[:MOST_IDS]
        if died_at is None or deaths.get(str(run_id), told(died_at)) == told(died_at)
    )
    ticked = set(request.POST.getlist(ACTION_CHECKBOX_NAME))
    changed = len(ticked & deaths.keys() - set(map(str, ids)))
    selection = Selection(wanted={"status__in": list(what.statuses)}, ids=ids)
    selection = choosing.as_shown(choosing.permitted(selection, what, request), what, request)
    is_cut = len(found) > MOST_IDS
    return Chosen(selection=selection, problems=[], is_cut=is_cut, changed=changed)


def _listed(request: HttpRequest) -> dict[str, str]:
    """Return the dead runs of the list that was posted, each with when it had died."""
    deaths = (each.partition(" ") for each in request.POST.getlist(LISTED))
    return {run_id: died for run_id, _, died in deaths}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _gone_through(
    admin: ReadOnlyAdmin, request: HttpRequest, asked: Asked, form: GoForm
) -> HttpResponse:
    rows, reason = asked.chosen.selection.rows(), form.cleaned_data["reason"]
    per_second = form.cleaned_data.get("per_second")
    few = list(rows.only("id", "step")[: AT_ONCE + 1])
    if len(few) <= AT_ONCE and not per_second:
        _do_at_once(admin, request, asked, few, reason)
        return HttpResponseRedirect(asked.back)
    batch = batches.begin(
        asked.what.name,
        asked.chosen.selection,
        by=who(request),
        reason=reason,
        per_second=per_second,
        total=rows.order_by()[: prospects.COUNTED].count(),
    )
    log(request, [batch], logged(asked.what.label, reason))
    return HttpResponseRedirect(admin.links(request).batch(batch.id))


def _do_at_once(
    admin: ReadOnlyAdmin, request: HttpRequest, asked: Asked, rows: list[Any], reason: str
) -> None:
    what, selection = asked.what, asked.chosen.selection
    do = batches.act(what.name, selection, by=who(request), reason=reason)
    results: list[Result] = []
    try:
        results.extend(operations.many((row.id for row in rows), do))
    finally:  # what was done is told even if the database goes away before the rest
        done = {each.run_id for each in results if not each.refusal}
        if done:
            log(request, [row for row in rows if row.id in done], logged(what.label, reason))
    reasons = Counter(each.reason for each in results if each.refusal)
    if done or not reasons:
        admin.message_user(request, what.past(len(done)), messages.SUCCESS)
    left = _number(request.POST.get(_SHOWN, "")) - len(rows)
    if left > 0:
        text = ngettext(
            "%d run that was shown is left as it is: it has changed since.",
            "%d runs that were shown are left as they are: they have changed since.",
            left,
        )
        admin.message_user(request, text % left, messages.WARNING)
    for why, number in reasons.most_common(10):
        text = ngettext("%(number)d refused: %(why)s", "%(number)d refused: %(why)s", number)
        admin.message_user(request, text % {"number": number, "why": why}, messages.WARNING)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
