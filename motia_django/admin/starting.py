"""The pages on which a Step is run by hand: a form for each kind of trigger, the deed by POST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from motia_django import models, starts, tracing
from motia_django.admin import exchange, http_start, once, permits, words
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
from motia_django.timeline import operation

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
    if request.method == "POST" and form.is_valid():
        if isinstance(form, HttpForm):
            answer = _asked(admin, request, listener, form)
        else:
            answer = _started(admin, request, listener, form)
        if answer is not None:
            return answer
    return _page(admin, request, listener, form)


def told(step: str, began: Sequence[str], is_new: bool) -> tuple[int, str]:
    """Return what is said of a schedule that was to run now: the level of a message, and it."""
    if not is_new:
        return messages.WARNING, once.already()
    if not began:
        text = _("%s was not run: it is paused, or its last run goes on, or ran this second.")
        return messages.WARNING, text % step
    return messages.SUCCESS, _("%s runs now.") % step


def _started(
    admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener, form: StartForm
) -> HttpResponse | None:
    """Start a run and return the way to it; None if it is refused, which the form then says."""
    step, index, reason = listener.step.name, listener.index, form.cleaned_data["reason"]
    asks: dict[str, Any] = {"by": who(request), "reason": reason}

    def act() -> list[str]:
        if not isinstance(form, TickForm):
            return [starts.start(step, index, form.given(), **asks)]
        run_id = starts.tick_now(step, index, **asks)
        return [str(run_id)] if run_id else []

    try:
        began, is_new = once.start(request, act)
    except MotiaError as error:
        form.refuse(error)
        return None
    if is_new:
        _log(request, listener, reason)
    level, text = told(step, began, is_new)
    admin.message_user(request, text, level)
    links = admin.links(request)
    run_url = links.run(began[0]) if began and permits.may(request, "motia.view_run", step) else ""
    return HttpResponseRedirect(run_url or links.step(step))


def _asked(
    admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener, form: HttpForm
) -> HttpResponse | None:
    """Send the request through the project's own handler, and return the page with its answer."""
    try:
        asked = form.asked(http_start.address(listener, form.values()))
        trace_id = tracing.trace_id_from(asked.headers)
        began, is_new = once.start(request, lambda: [trace_id] if trace_id else [])
    except ValidationError as error:
        form.add_error(None, error)
        return None
    except MotiaError as error:
        form.add_error(None, str(error))
        return None
    if not is_new:
        return _sent_before(admin, request, listener, form, began)
    reason = form.cleaned_data["reason"]
    _log(request, listener, reason)
    try:
        answer = exchange.ask(request, asked, operation("started", who(request), reason))
    except exchange.NoAnswer as error:
        if not error.is_sent:
            once.give_back(request)
        return _page(admin, request, listener, form, no_answer=str(error))
    shown = http_start.shown(listener.step, asked, answer, admin.links(request))
    return _page(admin, request, listener, form, answer=shown)


def _sent_before(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    listener: Listener,
    form: HttpForm,
    began: Sequence[str],
) -> HttpResponse:
    """Lead to the run of a request that was sent before; to the form while there is none."""
    admin.message_user(request, once.already(), messages.WARNING)
    run_url = http_start.run_of(began[0], admin.links(request))[1] if began else ""
    return HttpResponseRedirect(run_url) if run_url else _page(admin, request, listener, form)


def _log(request: HttpRequest, listener: Listener, reason: str) -> None:
    text = f"Run now: {listener.trigger.kind} {listener.trigger.source}"
    step = models.Step(name=listener.step.name)
    log(request, [step], logged(text, reason))


def _page(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    listener: Listener,
    form: StartForm,
    **context: Any,
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
