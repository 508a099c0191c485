"""What is done to one schedule: run now, paused, resumed, given another time, left to its file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import ledger, models, starts, ticks
from motia_django.admin import once, permits, starting
from motia_django.admin.interventions import log, logged, who
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.run_forms import ReasonForm
from motia_django.beat import operators
from motia_django.exceptions import CannotIntervene, MotiaError
from motia_django.registry import Listener
from motia_django.standings import Standing

RUN, PAUSE, OVERRIDE = "motia.run_step", "motia.pause_schedule", "motia.override_schedule"
PERMISSIONS = {
    "run": RUN,
    "pause": PAUSE,
    "resume": PAUSE,
    "override": OVERRIDE,
    "restore": OVERRIDE,
}
Told = tuple[int, Any]
"""The level of a message, and the message."""


class PauseForm(ReasonForm):
    """Why a schedule is paused."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _(
            "For the list of schedules and the log. It may be left empty."
        )


class OverrideForm(PauseForm):
    """When a schedule is to be due, whatever its file says."""

    expression = forms.CharField(
        label=gettext_lazy("Expression"),
        max_length=operators.LONGEST,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy(
            "A cron expression of 5 fields, 6 with seconds first, 7 with the year last; or"
            " @hourly, @daily, @weekly, @monthly, @yearly."
        ),
    )
    zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        required=False,
        max_length=operators.LONGEST,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("Such as Europe/Berlin. Empty leaves it as it is declared."),
    )
    field_order = ("expression", "zone", "reason")

    def clean_expression(self) -> str:
        """Return the expression, if it is one."""
        try:
            return operators.expression_of(self.cleaned_data["expression"]).text
        except CannotIntervene as error:
            raise ValidationError(str(error)) from error

    def clean_zone(self) -> str:
        """Return the time zone, if there is such a one."""
        name = str(self.cleaned_data["zone"])
        if name:
            try:
                operators.zone_of(name)
            except CannotIntervene as error:
                raise ValidationError(_("There is no time zone of this name.")) from error
        return name

    def clean(self) -> None:
        """Refuse what is never due."""
        text = self.cleaned_data.get("expression")
        if text and operators.expression_of(text).after(datetime.now(UTC), UTC) is None:
            self.add_error("expression", _("This is never due again."))


def offered(request: HttpRequest, standing: Standing) -> list[str]:
    """Return what this request's user may do to a schedule as it is now."""
    fits = {
        "run": True,
        "pause": not standing.is_paused,
        "resume": standing.is_paused,
        "override": True,
        "restore": standing.is_overridden,
    }
    name = standing.listener.step.name
    return [
        deed
        for deed, permission in PERMISSIONS.items()
        if fits[deed] and permits.may(request, permission, name)
    ]


def do(
    admin: ReadOnlyAdmin, request: HttpRequest, step: str, index: int, name: str
) -> HttpResponse:
    """Check who asks, for what; then ask for the reason, or do it and go back to the list."""
    needed = ("motia.view_schedule", PERMISSIONS[name])
    if not all(permits.may(request, each, step) for each in needed):
        raise PermissionDenied
    try:
        listener = operators.schedule(step, index)
    except MotiaError as error:
        raise Http404(str(error)) from error
    return VIEWS[name](admin, request, listener)


def _run(admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener) -> HttpResponse:
    step, reason = listener.step.name, _reason(request)
    if request.method != "POST":
        return _back(admin)

    def act() -> list[str]:
        run_id = starts.tick_now(step, listener.index, by=who(request), reason=reason)
        return [str(run_id)] if run_id else []

    try:
        began, is_new = once.start(request, act)
    except MotiaError as error:
        return _back(admin, request, (messages.ERROR, str(error)))
    if is_new:
        _log(request, listener, "Run now", reason)
    level, text = starting.told(step, began, is_new)
    url = admin.links(request).run(began[0]) if began else ""
    told = format_html('{} <a href="{}">{}</a>', text, url, _("Its run")) if url else text
    return _back(admin, request, (level, told))


def _pause(admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener) -> HttpResponse:
    form = PauseForm(None, request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        title = _("Pause the schedule of %s") % listener.step.name
        return _page(admin, request, listener, form, title, "pause")
    reason = form.cleaned_data["reason"]
    if not operators.pause(listener, by=who(request), reason=reason):
        return _back(admin, request, (messages.WARNING, _("It was paused already.")))
    _log(request, listener, "Pause the schedule", reason)
    text = _("The schedule of %s is paused.") % listener.step.name
    return _back(admin, request, (messages.SUCCESS, text))


def _resume(admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener) -> HttpResponse:
    told = (_("The schedule of %s is resumed."), _("It was not paused."))
    return _end(admin, request, listener, operators.resume, "Resume the schedule", told)


def _override(admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener) -> HttpResponse:
    override = ledger.override_of(*operators.key_of(listener))
    now = ticks.in_force(operators.declared(listener), override)
    initial = {"expression": now.expression.text, "zone": override.zone if override else ""}
    form = OverrideForm(None, request.POST if request.method == "POST" else None, initial=initial)
    if request.method != "POST" or not form.is_valid():
        title = _("Override when %s is due") % listener.step.name
        return _page(admin, request, listener, form, title, "override")
    typed = form.cleaned_data
    asks = {"by": who(request), "reason": typed["reason"]}
    timing = operators.retime(listener, typed["expression"], typed["zone"], **asks)
    _log(request, listener, f"Override the schedule with {timing}", typed["reason"])
    text = _("%(step)s is now due by %(timing)s.") % {"step": listener.step.name, "timing": timing}
    return _back(admin, request, (messages.SUCCESS, text))


def _restore(admin: ReadOnlyAdmin, request: HttpRequest, listener: Listener) -> HttpResponse:
    told = (_("%s is due again as its file says."), _("Nobody had overridden it."))
    what = "Drop the override of the schedule"
    return _end(admin, request, listener, operators.restore, what, told)


VIEWS: dict[str, Callable[[ReadOnlyAdmin, HttpRequest, Listener], HttpResponse]] = {
    "run": _run,
    "pause": _pause,
    "resume": _resume,
    "override": _override,
    "restore": _restore,
}


def _end(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    listener: Listener,
    end: Callable[..., bool],
    what: str,
    told: tuple[str, str],
) -> HttpResponse:
    """On POST, end what was said of a schedule; `told` is of that, and of there being nothing."""
    if request.method != "POST":
        return _back(admin)
    if not end(listener, by=who(request)):
        return _back(admin, request, (messages.WARNING, told[1]))
    _log(request, listener, what, _reason(request))
    return _back(admin, request, (messages.SUCCESS, told[0] % listener.step.name))


def _reason(request: HttpRequest) -> str:
    form = ReasonForm(None, request.POST)
    return str(form.cleaned_data["reason"]) if form.is_valid() else ""


def _log(request: HttpRequest, listener: Listener, what: str, reason: str) -> None:
    schedule = models.Schedule(name=listener.step.name)
    log(request, [schedule], logged(f"{what}: trigger {listener.index}", reason))


def _back(
    admin: ReadOnlyAdmin, request: HttpRequest | None = None, told: Told | None = None
) -> HttpResponse:
    if request is not None and told is not None:
        admin.message_user(request, told[1], told[0])
    name = "admin:motia_schedule_changelist"
    return HttpResponseRedirect(reverse(name, current_app=admin.admin_site.name))


def _page(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    listener: Listener,
    form: ReasonForm,
    title: str,
    deed: str,
) -> HttpResponse:
    declared = operators.declared(listener)
    return admin.page(
        request,
        "admin/motia/schedule/deed.html",
        title,
        deed=deed,
        form=form,
        declared=declared,
        declared_told=declared.expression.words,
        list_url=admin.links(request).schedules(),
    )
