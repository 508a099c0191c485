"""Schedules: when each cron trigger is due, when it last ran, and running it now."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from motia_django import ledger, models, operations
from motia_django.admin import permits, words
from motia_django.admin.interventions import log, logged
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.run_forms import ReasonForm
from motia_django.exceptions import MotiaError
from motia_django.ledger import pulse
from motia_django.registry import Listener, registry
from motia_django.schedule import entry_name
from motia_django.ticks import GRACE, zone_of
from motia_django.triggers import CronTrigger

PERMISSION = "motia.run_step"
SEE = "motia.view_schedule"
NEXT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one cron trigger is doing."""

    listener: Listener
    trigger: CronTrigger
    last: models.Run | None
    """Its newest run, without the large columns."""
    rests: bool
    """Whether an operator has paused it, in celery-beat's rows."""
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cron trigger in the list."""

    step: str
    url: str
    index: int
    expression: str
    told: str
    """The expression in plain language."""
    zone: str
    next: list[str]
    last: str
    last_status: SafeString | str
    last_url: str
    notes: list[str]
    is_late: bool


class ScheduleAdmin(ReadOnlyAdmin):
    """The cron triggers of the Steps of this process."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every schedule."""
        links, paused = self.links(request), ledger.paused()
        standings = sorted(_standings(timezone.now()), key=_name_and_index)
        seen = [each for each in standings if permits.may(request, SEE, each.listener.step.name)]
        rows = [_row(each, links, list(_notes(each, paused))) for each in seen]
        may_run = permits.visible(request, PERMISSION) if request.user.has_perm(PERMISSION) else []
        context = {
            "rows": rows,
            "may_run": [row.step for row in rows] if may_run is None else may_run,
        }
        return self.page(request, "admin/motia/schedule/schedules.html", _("Schedules"), **context)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """A schedule has no page besides the list."""
        raise Http404

    def get_urls(self) -> list[URLPattern]:
        view = self.guarded(self.run_view, also=("POST",))
        own = path("<path:object_id>/<int:index>/run/", view, name="motia_schedule_run")
        return [own, *super().get_urls()]

    def run_view(self, request: HttpRequest, object_id: str, index: int) -> HttpResponse:
        """On POST, run a trigger now."""
        if not permits.may(request, PERMISSION, unquote(object_id)):
            raise PermissionDenied
        if request.method == "POST":
            self._run(request, unquote(object_id), index)
        return HttpResponseRedirect("../../../")

    def _run(self, request: HttpRequest, step: str, index: int) -> None:
        try:
            run_id = operations.tick_now(step, index)
        except MotiaError as error:
            raise Http404(str(error)) from error
        form = ReasonForm(None, request.POST)
        reason = form.cleaned_data["reason"] if form.is_valid() else ""
        log(request, [models.Schedule(name=step)], logged(f"Run now: trigger {index}", reason))
        if run_id is None:
            text = _("%s was not run: it is paused, or its last run goes on, or ran this second.")
            self.message_user(request, text % step, messages.WARNING)
        else:
            self.message_user(request, _("%s runs now.") % step, messages.SUCCESS)


def late_schedules(now: datetime | None = None) -> list[Listener]:
    """Return the cron triggers whose last tick should have run by now, and did not.

    One that never ran is not among them: it may be new. Neither is one that an operator paused.
    """
    return [each.listener for each in _standings(now or timezone.now()) if each.is_late]


def _standings(now: datetime) -> Iterator[Standing]:
    """Yield how each cron trigger is doing."""
    resting = _resting()
    for listener in registry().schedules:
        trigger = listener.trigger
        assert isinstance(trigger, CronTrigger)
        last = pulse.last_tick(listener.step.name, listener.index)
        rests = entry_name(listener) in resting
        is_late = last is not None and not rests and _has_missed(trigger, last, now)
        yield Standing(listener=listener, trigger=trigger, last=last, rests=rests, is_late=is_late)


def _resting() -> set[str]:
    if not apps.is_installed("django_celery_beat"):
        return set()
    from motia_django.beat import rows

    return rows.resting()


def _has_missed(trigger: CronTrigger, last: models.Run, now: datetime) -> bool:
    """Return whether a trigger should have run after its last run."""
    due = trigger.schedule.latest(_utc(now) - GRACE, zone_of(trigger))
    return due is not None and due - _utc(last.created_at) > GRACE


def _utc(moment: datetime) -> datetime:
    return (moment if timezone.is_aware(moment) else timezone.make_aware(moment)).astimezone(UTC)


def _name_and_index(standing: Standing) -> tuple[str, int]:
    return standing.listener.step.name, standing.listener.index


def _row(standing: Standing, links: Links, notes: list[str]) -> Row:
    listener, trigger, last = standing.listener, standing.trigger, standing.last
    return Row(
        step=listener.step.name,
        url=links.step(listener.step.name),
        index=listener.index,
        expression=trigger.source,
        told=trigger.schedule.words,
        zone=str(zone_of(trigger)),
        next=list(_next(trigger)),
        last=words.moment(last.created_at) if last else "",
        last_status=words.badge(last.status) if last else "",
        last_url=links.run(last.id) if last else "",
        notes=notes,
        is_late=standing.is_late,
    )


def _next(trigger: CronTrigger) -> Iterator[str]:
    """Yield when a trigger is due next, in its own time zone."""
    moment, zone = timezone.now(), zone_of(trigger)
    for _number in range(NEXT):
        due = trigger.schedule.after(_utc(moment), zone)
        if due is None:
            return
        yield f"{due.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        moment = due


def _notes(standing: Standing, paused: Container[str]) -> Iterator[str]:
    if standing.is_late:
        yield _("late: its last tick did not come")
    if standing.rests:
        yield _("paused by an operator, in celery-beat's rows")
    if standing.listener.step.name in paused:
        yield _("its Step is paused")
    if standing.trigger.overlap == "skip":
        yield _("skipped while a run of it goes on")
    if standing.trigger.catch_up:
        yield _("made up for if it was missed")
