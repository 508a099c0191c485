"""What the pages of batches show and do: the newest ones, one of them, and the way to a new one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import batches, models
from motia_django.admin import choosing, many_runs, narrowing, permits, words
from motia_django.admin.interventions import ALL, BY_NAME, Intervention, log, who
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.ledger import pulse
from motia_django.ledger.selections import Selection
from motia_django.registry import registry

LISTED = 100
REFRESHED = 2
"""Seconds after which the page of a batch that goes on is loaded anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A batch as the pages show it."""

    batch: models.Batch
    url: str
    deed: str
    state: str
    is_going_on: bool
    selection: list[str]
    looked_at: int
    total: int
    """For the progress bar: at least as many as were looked at."""
    created: str
    started: str
    finished: str
    left: str
    """How long it will still take, as far as can be said."""
    may_stop: bool


class ChooseForm(forms.Form):
    """Asks which runs something is to be done to; its fields are those of the query string."""

    deed = forms.ChoiceField(label=gettext_lazy("Do what"))
    step = forms.ChoiceField(label=gettext_lazy("Step"), required=False)
    error = forms.CharField(
        label=gettext_lazy("Error"),
        required=False,
        help_text=gettext_lazy("The fingerprint of an error, as its page has it."),
    )
    topic = forms.CharField(
        label=gettext_lazy("Topic"),
        required=False,
        help_text=gettext_lazy("Or whatever else started them: a schedule, a change of state."),
    )
    since = forms.CharField(
        label=gettext_lazy("Ended since"),
        required=False,
        help_text=gettext_lazy("A time such as 2026-11-22T18:00."),
    )
    before = forms.CharField(label=gettext_lazy("Ended before"), required=False)
    query = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        help_text=gettext_lazy(
            "Or paste the address of a list of runs, or what follows the question mark in it."
        ),
    )

    def __init__(self, offered: list[Intervention], steps: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        deeds = [(each.name, each.label) for each in offered]
        _choices(self.fields["deed"], deeds)
        _choices(self.fields["step"], [("", _("all")), *((name, name) for name in steps)])


def newest(admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Show the newest batches."""
    rows = models.Batch.objects.order_by("-id")[:LISTED]
    shown = [_shown(admin, batch, request) for batch in rows if _may_see(batch, request)]
    may = any(each.allowed(request) for each in _offered())
    return admin.page(
        request,
        "admin/motia/batch/batches.html",
        _("Batches"),
        shown=shown,
        choose_url=admin.links(request).choose() if may else "",
        errors_url=admin.links(request).dead_letters(),
        listed=LISTED,
    )


def one(admin: ReadOnlyAdmin, request: HttpRequest, number: str) -> HttpResponse:
    """Show how far one batch is."""
    batch = _found(number, request)
    shown = _shown(admin, batch, request)
    return admin.page(
        request,
        "admin/motia/batch/batch.html",
        f"{shown.deed} {batch.id}",
        shown=shown,
        batch=batch,
        reasons=sorted(batch.reasons.items(), key=lambda each: -each[1]),
        refreshed=REFRESHED if shown.is_going_on else 0,
        is_idle=shown.is_going_on and not pulse.live_workers(),
        batches_url=admin.links(request).batches(),
    )


def choose(admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Ask which runs; the answer leads to the preview."""
    offered = [each for each in _offered() if each.allowed(request)]
    if not offered:
        raise PermissionDenied
    usual = {"deed": "redrive", **request.GET.dict()}
    form = ChooseForm(offered, _steps(request), initial=usual)
    context = {"form": form, "errors_url": admin.links(request).dead_letters()}
    return admin.page(request, "admin/motia/batch/choose.html", _("Choose runs"), **context)


def preview(admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Show what would come of it; on POST do it."""
    what = BY_NAME.get(request.GET.get("deed", ""))
    if what is None or not what.of_many:
        raise Http404(_("There is no such thing to do to many runs."))
    if not what.allowed(request):
        raise PermissionDenied
    chosen = choosing.chosen(request.GET.copy(), what, request)
    links = admin.links(request)
    errors = links.dead_letters(**narrowing.asked(request))
    back = errors if what.name in ("redrive", "discard") else links.runs()
    asked = many_runs.Asked(what=what, chosen=chosen, back=back or links.runs())
    return many_runs.offer(admin, request, asked)


def stop(admin: ReadOnlyAdmin, request: HttpRequest, number: str) -> HttpResponse:
    """On POST, stop a batch where it is."""
    batch = _found(number, request)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not _may_stop(batch, request):
        raise PermissionDenied
    if batches.stop(batch.id, by=who(request)):
        log(request, [batch], "Stop")
        admin.message_user(request, _("It is stopped. What was done stays done."))
    else:
        admin.message_user(request, _("It had ended already."), messages.WARNING)
    return HttpResponseRedirect(admin.links(request).batch(batch.id))


def _shown(admin: ReadOnlyAdmin, batch: models.Batch, request: HttpRequest) -> Shown:
    looked_at = batch.done + batch.refused
    return Shown(
        batch=batch,
        url=admin.links(request).batch(batch.id),
        deed=str(BY_NAME[batch.deed].label) if batch.deed in BY_NAME else batch.deed,
        state=_state(batch),
        is_going_on=batch.finished_at is None,
        selection=list(choosing.in_words(_selection(batch))),
        looked_at=looked_at,
        total=looked_at if batch.finished_at else max(batch.total, looked_at, 1),
        created=words.moment(batch.created_at),
        started=words.moment(batch.started_at),
        finished=words.moment(batch.finished_at),
        left=_left(batch),
        may_stop=batch.finished_at is None and _may_stop(batch, request),
    )


def _choices(field: forms.Field, choices: list[tuple[str, Any]]) -> None:
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


def _offered() -> list[Intervention]:
    return [each for each in ALL if each.of_many and each.name in batches.DEEDS]


def _steps(request: HttpRequest) -> list[str]:
    seen = permits.visible(request)
    return sorted(step.name for step in registry() if seen is None or step.name in seen)


def _found(number: str, request: HttpRequest) -> models.Batch:
    """Return a batch that is there, and that this request's user may see."""
    is_number = number.isascii() and number.isdigit() and len(number) < 19
    batch = models.Batch.objects.filter(id=int(number)).first() if is_number else None
    if batch is None or not _may_see(batch, request):
        raise Http404(_("There is no batch %s.") % number[:100])
    return batch


def _selection(batch: models.Batch) -> Selection:
    """Return which runs a batch is about; none if what is kept of it cannot be read."""
    try:
        return Selection.from_json(batch.selection)
    except (ValueError, TypeError, AttributeError):
        return Selection(ids=())


def _reaches(batch: models.Batch, steps: list[str] | None) -> bool:
    """Return whether a batch is about no other Steps than these; None stands for all."""
    if steps is None:
        return True
    wanted = _selection(batch).wanted
    of = [wanted["step"]] if "step" in wanted else wanted.get("step__in")
    return of is not None and set(of) <= set(steps)


def _may_see(batch: models.Batch, request: HttpRequest) -> bool:
    return _reaches(batch, permits.visible(request))


def _may_stop(batch: models.Batch, request: HttpRequest) -> bool:
    what = BY_NAME.get(batch.deed)
    if what is None or not what.allowed(request):
        return False
    return _reaches(batch, permits.visible(request, what.permission))


def _state(batch: models.Batch) -> str:
    if batch.stopped_by:
        return _("stopped by %s") % batch.stopped_by
    if batch.finished_at:
        return _("done")
    return _("at work") if batch.started_at else _("waits for a worker")


def _left(batch: models.Batch) -> str:
    """Return how long a batch will still take, from what it took so far."""
    looked_at = batch.done + batch.refused
    if batch.finished_at or not batch.started_at or not looked_at or looked_at >= batch.total:
        return ""
    passed = max((timezone.now() - batch.started_at).total_seconds(), 0.1)
    seconds = (batch.total - looked_at) * passed / looked_at
    return words.duration(timedelta(seconds=round(seconds) or 1))
