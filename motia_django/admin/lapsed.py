"""What operators want of schedules whose triggers are not there any more, and the end of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from motia_django import ledger, models
from motia_django.admin import permits, words
from motia_django.admin.interventions import log, who
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.schedule_deeds import OVERRIDE, PAUSE
from motia_django.beat import operators
from motia_django.registry import registry

SEE = "motia.view_schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed:
    """A pause or another time, or both, of a trigger that no file declares now."""

    number: int
    step: str
    url: str
    index: int
    declared: str
    """What its file said."""
    pause: str
    """Since when, by whom and why it is paused; nothing if it is not."""
    override: str
    """Since when, by whom and why it is due at other times than its file said; or nothing."""
    expression: str
    may_remove: bool


def lapsed(request: HttpRequest, links: Links) -> list[Lapsed]:
    """Return those that this request's user may see."""
    return [
        _lapsed(row, request, links)
        for row in ledger.lapsed()
        if permits.may(request, SEE, row.step)
    ]


def remove(admin: ReadOnlyAdmin, request: HttpRequest, number: int) -> HttpResponse:
    """Forget one, if it is still there and of no use; go back to the list."""
    links = admin.links(request)
    row = next((row for row in ledger.lapsed() if row.pk == number), None)
    if row is not None and not _may_remove(row, request):
        raise PermissionDenied
    if request.method == "POST":
        if row is None or not operators.remove_lapsed(number, by=who(request)):
            text = _("It is not there any more, or its trigger is back.")
            admin.message_user(request, text, messages.WARNING)
        else:
            what = f"Remove what was said of the schedule {row}, which was {row.declared}"
            log(request, [models.Schedule(name=row.step)], what)
            admin.message_user(request, _("It is removed."), messages.SUCCESS)
    return HttpResponseRedirect(links.schedules())


def _lapsed(row: models.Override, request: HttpRequest, links: Links) -> Lapsed:
    pause = words.since(row.paused_at, row.paused_by, row.pause_reason)
    override = words.since(row.timed_at, row.timed_by, row.timing_reason)
    return Lapsed(
        number=row.pk,
        step=row.step,
        url=links.step(row.step) if row.step in registry() else "",
        index=row.index,
        declared=row.declared,
        pause=pause if row.is_paused else "",
        override=override if row.expression else "",
        expression=f"{row.expression} in {row.zone}" if row.zone else row.expression,
        may_remove=_may_remove(row, request),
    )


def _may_remove(row: models.Override, request: HttpRequest) -> bool:
    return all(permits.may(request, each, row.step) for each in (SEE, *_needed(row)))


def _needed(row: models.Override) -> Iterator[str]:
    if row.is_paused:
        yield PAUSE
    if row.expression:
        yield OVERRIDE
