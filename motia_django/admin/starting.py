"""The pages on which a Step is run by hand: a form for each kind of trigger, the deed by POST."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from motia_django import models, starts
from motia_django.admin import exchange, http_start, permits, words
from motia_django.admin.http_start import HttpForm
from motia_django.admin.interventions import log, logged, who
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.start_forms import (
    MessageForm,
    StartForm,
    StateChangeForm,
    StreamChangeForm,
    TickForm,
)
from motia_django.exceptions import MotiaError
from motia_django.registry import Listener

PERMISSION = "motia.run_step"
FORMS: dict[str, Any] = {
    "http": HttpForm,
    "queue": MessageForm,
    "cron": TickForm,
    "state": StateChangeForm,
    "stream": StreamChangeForm,
}


def may_start(request: HttpRequest, step: str) -> bool:
    """Return whether this request's user may run a Step by hand."""
    return permits.may(request, PERMISSION, step)


def run_now(admin: ReadOnlyAdmin, request: HttpRequest, step: str, index: int) -> HttpResponse:
    """Ask for the input; on POST start one run of this trigger, and lead to its page."""
    if not may_start(request, step):
        raise PermissionDenied
    try:
        listener = starts.listener(step, index)
    except MotiaError as error:
        raise Http404(str(error)) from error
    form = FORMS[listener.trigger.kind](
        listener.trigger, request.POST if request.method == "POST" else None
    )
    context: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        if isinstance(form, HttpForm):
            context = _asked(admin, request, listener, form)
        else:
            answer = _started(admin, request, listener, form)
            if answer is not None:
                return answer
    return _page(admin, request, listener, form, context)


def _started(
    admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener, form: StartForm
) -> HttpResponse | None:
    """Start a run and return the way to it; None if it is refused, which the form then says."""
    step, index, reason = listener.step.name, listener.index, form.cleaned_data["reason"]
    asks: dict[str, Any] = {"by": who(request), "reason": reason}
    try:
        if isinstance(form, TickForm):
            run_id: Any = starts.tick_now(step, index, **asks)
        else:
            run_id = starts.start(step, index, form.given(), **asks)
    except MotiaError as error:
        form.refuse(error)
        return None
    _log(request, listener, reason)
    links = admin.links(request)
    if run_id is None:
        text = _("%s was not run: it is paused, or its last run goes on, or ran this second.")
        admin.message_user(request, text % step, messages.WARNING)
    else:
        admin.message_user(request, _("%s runs now.") % step, messages.SUCCESS)
    may_see_run = permits.may(request, "motia.view_run", step)
    run_url = links.run(run_id) if run_id and may_see_run else ""
    return HttpResponseRedirect(run_url or links.step(step))


def _asked(
    admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener, form: HttpForm
) -> dict[str, Any]:
    """Send the request through the project's own handler; return the answer for the page."""
    try:
        path = http_start.address(listener, form.values())
    except ValidationError as error:
        form.add_error(None, error)
        return {}
    _log(request, listener, form.cleaned_data["reason"])
    try:
        asked = form.asked(path)
        answer = exchange.ask(request, asked)
    except exchange.NoAnswer as error:
        return {"no_answer": str(error)}
    return {"answer": http_start.shown(asked, answer, admin.links(request))}


def _log(request: HttpRequest, listener: Listener, reason: str) -> None:
    text = f"Run now: {listener.trigger.kind} {listener.trigger.source}"
    step = models.Step(name=listener.step.name)
    log(request, [step], logged(text, reason))


def _page(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    listener: Listener,
    form: StartForm,
    context: dict[str, Any],
) -> HttpResponse:
    name, links = listener.step.name, admin.links(request)
    return admin.page(
        request,
        "admin/motia/start/run_now.html",
        _("Run %s now") % name,
        name=name,
        form=form,
        kind=listener.trigger.kind,
        kind_told=words.kind(listener.trigger.kind),
        source=listener.trigger.source,
        step_url=links.step(name),
        has_condition=listener.trigger.condition is not None,
        **context,
    )
