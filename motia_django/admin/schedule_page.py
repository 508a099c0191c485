"""What the list of schedules shows: when each is due, when it last ran, what operators want."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import ledger
from motia_django.admin import permits, schedule_deeds, words
from motia_django.admin.lapsed import SEE, lapsed
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.standings import MOST_MISSED, Standing, standings
from motia_django.triggers.cron import Timing

NEXT = 3


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
    next: list[tuple[str, str]]
    """When it is due, in the reader's zone; and in its own, if that differs."""
    last: str
    last_status: SafeString | str
    last_url: str
    pause: str
    """Since when, by whom and why it is paused; nothing if it is not."""
    override: str
    """Since when, by whom and why it is due at other times than its file says; or nothing."""
    declared: str
    """What its file says, where that does not count."""
    notes: list[str]
    is_late: bool
    deeds: list[str]
    """What this request's user may do to it."""


def schedules(admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Show every schedule."""
    links, paused = admin.links(request), ledger.paused()
    seen = [each for each in standings() if permits.may(request, SEE, each.listener.step.name)]
    rows = [_row(each, links, paused, schedule_deeds.offered(request, each)) for each in seen]
    template = "admin/motia/schedule/schedules.html"
    may_act = any(row.deeds for row in rows)
    context = {"rows": rows, "may_act": may_act, "lapsed": lapsed(request, links)}
    context["zone"] = _zone_to_name(rows)
    return admin.page(request, template, _("Schedules"), **context)


def _zone_to_name(rows: Sequence[Row]) -> str:
    """Return the name of the reader's zone, if any schedule is of another; else nothing."""
    differs = any(own for row in rows for _here, own in row.next)
    return timezone.get_current_timezone_name() if differs else ""


def _row(standing: Standing, links: Links, paused: Container[str], deeds: list[str]) -> Row:
    listener, timing = standing.listener, standing.timing
    may_see_runs = permits.may(links.request, "motia.view_run", listener.step.name)
    last = standing.last if may_see_runs else None
    override = standing.override if standing.is_overridden else None
    return Row(
        step=listener.step.name,
        url=links.step(listener.step.name),
        index=listener.index,
        expression=timing.expression.text,
        told=timing.expression.words,
        zone=str(timing.zone),
        next=list(_next(timing)),
        last=words.moment(last.created_at) if last else "",
        last_status=words.badge(last.status) if last else "",
        last_url=links.run(last.id) if last else "",
        pause=_pause(standing),
        override=words.since(override.timed_at, override.timed_by, override.timing_reason)
        if override
        else "",
        declared=str(standing.declared) if override else "",
        notes=list(_notes(standing, paused)),
        is_late=standing.is_late,
        deeds=deeds,
    )


def _pause(standing: Standing) -> str:
    if not standing.is_paused:
        return ""
    override = standing.override
    if override is None or not override.is_paused:
        return _("in celery-beat's rows")
    return words.since(override.paused_at, override.paused_by, override.pause_reason)


def _next(timing: Timing) -> Iterator[tuple[str, str]]:
    """Yield when a trigger is due next, in the reader's time zone and in its own."""
    moment = datetime.now(UTC)
    for _number in range(NEXT):
        due = timing.after(moment)
        if due is None:
            return
        yield words.clocks(due, timing.zone)
        moment = due


def _notes(standing: Standing, paused: Container[str]) -> Iterator[str]:
    if standing.is_late:
        yield _missed(standing.missed)
    if standing.listener.step.name in paused:
        yield _("its Step is paused")
    if standing.trigger.overlap == "skip":
        yield _("skipped while a run of it goes on")
    if standing.trigger.catch_up:
        yield _("made up for if it was missed")


def _missed(count: int) -> str:
    if count >= MOST_MISSED:
        return _("late: %d ticks or more did not come since its last run") % MOST_MISSED
    text = ngettext(
        "late: %d tick did not come since its last run",
        "late: %d ticks did not come since its last run",
        count,
    )
    return text % count
