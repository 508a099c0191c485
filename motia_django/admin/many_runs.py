"""What is done to many runs from the list: asked first, then done for some seconds at a time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from motia_django import models, operations
from motia_django.admin import permits
from motia_django.admin.interventions import Intervention, log, logged, who
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.run_forms import ReasonForm

BATCH = 200
SECONDS = 10.0
"""After which a request stops and its page asks to go on: no proxy waits for ever."""
CHECKED = 200
"""How many runs the question checks against today's schema."""
COUNTED = 10_000


@dataclass(slots=True)
class Progress:
    """How far it is."""

    done: int = 0
    refused: int = 0
    after: UUID | None = None
    """The run to go on after."""
    finished: bool = False
    reasons: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, request: HttpRequest) -> Progress:
        """Read where the last request stopped."""
        try:
            after = UUID(request.POST.get("after", ""))
            done, refused = int(request.POST["done"]), int(request.POST["refused"])
        except (ValueError, KeyError):
            return cls()
        return cls(done=done, refused=refused, after=after)


def act(
    what: Intervention, admin: ReadOnlyAdmin, request: HttpRequest, chosen: QuerySet[Any]
) -> HttpResponse | None:
    """Ask whether it is to be done to these runs; once confirmed, do it."""
    rows = permits.narrowed(chosen, request, what.permission)
    rows = rows.filter(status__in=what.statuses).order_by("id")
    if not rows.exists() and "after" not in request.POST:
        admin.message_user(
            request, _("Nothing to do: none of these runs allows it now."), messages.WARNING
        )
        return None
    form = ReasonForm(None, request.POST if "confirmed" in request.POST else None)
    progress = Progress()
    if "confirmed" in request.POST and form.is_valid():
        progress = Progress.read(request)
        _work(what, request, rows, form.cleaned_data["reason"], progress)
        if progress.finished:
            _tell(admin, request, what, progress)
            return HttpResponseRedirect(request.get_full_path())
    return _page(what, admin, request, rows, form, progress)


def _work(
    what: Intervention, request: HttpRequest, rows: QuerySet[Any], reason: str, progress: Progress
) -> None:
    """Do it, batch by batch, until all is done or the time is up."""
    deadline = time.monotonic() + SECONDS
    act = partial(what.act, by=who(request), reason=reason)
    message = logged(what.label, reason)
    for batch in _batches(rows, progress):
        results = list(operations.many((row.id for row in batch), act))
        refused = {each.run_id for each in results if each.refusal}
        done = [row for row in batch if row.id not in refused]
        if done:
            log(request, done, message)
        progress.done += len(done)
        progress.refused += len(refused)
        progress.reasons.update(each.reason for each in results if each.refusal)
        if time.monotonic() > deadline:
            return
    progress.finished = True


def _batches(rows: QuerySet[Any], progress: Progress) -> Iterator[list[models.Run]]:
    while True:
        rest = rows.filter(id__gt=progress.after) if progress.after else rows
        batch = list(rest.only("id", "step")[:BATCH])
        if not batch:
            return
        progress.after = batch[-1].id
        yield batch


def _tell(
    admin: ReadOnlyAdmin, request: HttpRequest, what: Intervention, progress: Progress
) -> None:
    if progress.done or not progress.refused:
        admin.message_user(request, what.past(progress.done), messages.SUCCESS)
    for reason, number in progress.reasons.most_common(10):
        text = _("%(number)d refused: %(reason)s") % {"number": number, "reason": reason}
        admin.message_user(request, text, messages.WARNING)


def _page(
    what: Intervention,
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    rows: QuerySet[Any],
    form: ReasonForm,
    progress: Progress,
) -> HttpResponse:
    rest = rows.filter(id__gt=progress.after) if progress.after else rows
    steps = Counter(rest.values_list("step", flat=True)[: COUNTED + 1])
    count = sum(steps.values())
    is_check = what.act is operations.redrive and not progress.after
    return admin.page(
        request,
        "admin/motia/run/many.html",
        str(what.label),
        what=what,
        form=form,
        progress=progress,
        steps=steps.most_common(20),
        count=min(count, COUNTED),
        is_more=count > COUNTED,
        checked=min(count, CHECKED),
        rejected=_rejected(rest).most_common(10) if is_check else [],
        selected=request.POST.getlist(ACTION_CHECKBOX_NAME),
        checkbox=ACTION_CHECKBOX_NAME,
        across=request.POST.get("select_across", "0"),
        list_url=request.get_full_path(),
    )


def _rejected(rows: QuerySet[Any]) -> Counter[str]:
    """Return why the first of these runs would be refused, with the number of each reason."""
    results = (
        operations.Result(run_id=run_id, refusal=operations.refusal(run_id))
        for run_id in rows.values_list("id", flat=True)[:CHECKED]
    )
    return Counter(each.reason for each in results if each.refusal)
