"""The pages on which something is done to one run: a form by GET, the deed by POST."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from motia_django import models
from motia_django.admin import once, permits, words
from motia_django.admin.interventions import BY_NAME, Intervention, log, logged, who
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.exceptions import MotiaError
from motia_django.ledger.interventions import refusing
from motia_django.moments import read

SEE = "motia.view_run"


def intervene(
    admin: ReadOnlyAdmin, request: HttpRequest, row: models.Run, name: str
) -> HttpResponse:
    """Ask on a page of its own; on POST do it, and go back to the run."""
    what = BY_NAME.get(name)
    if what is None:
        raise Http404
    if not what.allowed(request, row.step):
        raise PermissionDenied
    links = admin.links(request)
    if not what.applies(row):
        text = _("That cannot be done to this run now: it is %s.")
        admin.message_user(
            request, text % words.STATUSES.get(row.status, row.status), messages.ERROR
        )
        return HttpResponseRedirect(links.run(row.pk) + links.origin)
    form = what.form(row, request.POST if request.method == "POST" else None)
    form.limit(lambda step: permits.may(request, SEE, step) and what.allowed(request, step))
    if request.method == "POST" and form.is_valid():
        outcome = _done(request, row, what, form)
        if outcome is not None:
            run_id, is_new = outcome
            if is_new:
                done = _("This is the new run.") if what.begins else what.past(1)
                admin.message_user(request, done, messages.SUCCESS)
            else:
                admin.message_user(request, once.already(), messages.WARNING)
            return HttpResponseRedirect(links.run(run_id) + links.origin)
    return _page(admin, request, row, what, form)


def _done(
    request: HttpRequest, row: models.Run, what: Intervention, form: Any
) -> tuple[UUID | str, bool] | None:
    """Do it, log it, and return the run to look at and whether it was done now, not before.

    If it is refused, say so in the form.
    """
    reason, changes = form.cleaned_data["reason"], form.changes()
    if what.is_of_death:
        changes["as_of"] = _looked_at(request)
    if not what.allowed(request, changes.get("to", row.step)):
        raise PermissionDenied

    def act() -> list[str]:
        with refusing(f"Run {row.id}"):
            new = what.act(row.id, by=who(request), reason=reason, **changes)
        return [str(new)] if new else []

    try:
        began, is_new = once.start(request, act) if what.begins else (act(), True)
    except MotiaError as error:
        form.add_error(None, str(error))
        return None
    if is_new:
        log(request, [row], logged(" ".join([str(what.label), *map("({})".format, began)]), reason))
    return began[0] if began else row.id, is_new


def _looked_at(request: HttpRequest) -> datetime | None:
    """Return when the run had died as the page showed it, where the form came from."""
    return read(request.POST.get("died_at", ""))


def _page(
    admin: ReadOnlyAdmin, request: HttpRequest, row: models.Run, what: Intervention, form: Any
) -> HttpResponse:
    shown = {"run": row, "what": what, "form": form, "kind": words.kind(row.trigger)}
    shown["note"] = what.note(row)
    title = f"{what.label}: {row.step}"
    links = admin.links(request)
    shown["follows"] = [
        (each.step, links.run(each.id), words.badge(each.status))
        for each in what.follows(row, request)
    ]
    return admin.page(
        request,
        "admin/motia/run/intervene.html",
        title,
        **shown,
        status=words.badge(row.status),
        run_url=links.run(row.pk) + links.origin,
        input=None if row.input is None else words.document(words.masked_input(row)),
    )
