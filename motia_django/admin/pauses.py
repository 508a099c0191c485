"""Pausing and resuming a Step: a page that asks why, and two addresses that take a POST."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.translation import gettext as _

from motia_django import ledger, models, operations
from motia_django.admin import permits, words
from motia_django.admin.interventions import log, logged, who
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.run_forms import ReasonForm

PERMISSION = "motia.pause_step"


def may_pause(request: HttpRequest, step: str) -> bool:
    """Return whether this request's user may pause and resume a Step."""
    return permits.may(request, PERMISSION, step)


def pause(admin: ReadOnlyAdmin, request: HttpRequest, step: str) -> HttpResponse:
    """Ask why; on POST pause the Step."""
    _check(request, step)
    links = admin.links(request)
    form = ReasonForm(None, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        if operations.pause(step, by=who(request), reason=reason):
            log(request, [models.Step(name=step)], logged("Pause", reason))
            admin.message_user(request, _("%s is paused.") % step, messages.SUCCESS)
        else:
            admin.message_user(request, _("%s was paused already.") % step, messages.WARNING)
        return HttpResponseRedirect(links.step(step))
    title = _("Pause %s") % step
    context = {"form": form, "step_url": links.step(step)}
    return admin.page(request, "admin/motia/step/pause.html", title, name=step, **context)


def resume(admin: ReadOnlyAdmin, request: HttpRequest, step: str, back: str) -> HttpResponse:
    """Resume the Step, and go `back`."""
    _check(request, step)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    form = ReasonForm(None, request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    if operations.resume(step, by=who(request), seen=request.POST.get("paused_at")):
        log(request, [models.Step(name=step)], logged("Resume", reason))
        admin.message_user(request, _("%s is resumed.") % step, messages.SUCCESS)
    else:
        admin.message_user(request, _not_resumed(step), messages.WARNING)
    return HttpResponseRedirect(back)


def _not_resumed(step: str) -> str:
    """Say why a Step was not resumed: it was not paused, or has been paused anew."""
    pause = ledger.paused().get(step)
    if pause is None:
        return _("%s was not paused.") % step
    text = _("Nothing was done: %(step)s was paused anew after this page was shown (%(since)s).")
    return text % {"step": step, "since": words.since(pause.paused_at, pause.by, pause.reason)}


def _check(request: HttpRequest, step: str) -> None:
    if not may_pause(request, step):
        raise PermissionDenied
