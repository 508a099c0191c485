"""What the pages of the dead letters show: the errors, and one error with its newest runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from motia_django import ledger, models
from motia_django.admin import permits, words
from motia_django.admin.interventions import BY_NAME
from motia_django.admin.links import Links
from motia_django.admin.narrowing import ORDER, ORDERS, STEP, asked, narrowing
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.fingerprints import LENGTH
from motia_django.ledger import pulse
from motia_django.ledger.errors import MOST_RUNS, DeadBy
from motia_django.registry import registry
from motia_django.runs import ANSWERED, Status

LAST_RUNS = 50
SEE = "motia.view_deadletter"
DEEDS = ("redrive", "discard")
_FINGERPRINT = re.compile(rf"[0-9a-f]{{{LENGTH}}}")
_ORDERS = {
    "first": lambda group: group.first.finished_at,
    "runs": lambda group: -group.runs,
    "step": lambda group: group.last.step,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that can be done to all runs of an error."""

    label: str
    url: str
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The dead runs of one error, as the pages show them."""

    error: str
    step: str
    step_url: str
    is_gone: bool
    is_answered: bool
    """Whether somebody waited for these runs, and was told: they cannot be redriven."""
    count: str
    first: str
    last: str
    last_url: str
    url: str
    runs_url: str
    deeds: list[Deed]


def errors(admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Show the errors, as the query string narrows and arranges them."""
    seen, links = permits.visible(request, SEE), admin.links(request)
    wanted = narrowing(request, seen)
    shown, is_cut = ledger.dead_by_error(seen)
    chosen = [wanted.step] if wanted.step and not wanted.problems else []
    steps = sorted({*chosen, *(each.last.step for each in shown)})
    if wanted.is_narrow:
        shown, is_cut = _killing(shown, is_cut, wanted.among or [])
    count = 0 if wanted.is_narrow else pulse.dead(seen)
    return admin.page(
        request,
        "admin/motia/deadletter/errors.html",
        _("Dead letters"),
        groups=[_group(each, request, links) for each in _ordered(shown, wanted.order)],
        orders=_orders(wanted.order or ORDERS[0]),
        steps=steps,
        wanted=wanted,
        is_cut=is_cut,
        is_well=not (count or wanted.is_narrow or shown or is_cut),
        number=_killed(shown) if wanted.is_narrow else count,
        total=_counted(shown, is_cut) if wanted.is_narrow else words.counted(count),
        unknown=0 if is_cut or wanted.is_narrow else _without_error(count, shown),
        choose_url=_choose_url(request, links),
        dead_url=links.runs(status=Status.DEAD, **_narrow(request)),
        errors_url=links.dead_letters(),
        batches_url=links.batches(),
    )


def error(admin: ReadOnlyAdmin, request: HttpRequest, mark: str) -> HttpResponse:
    """Show one error: an example of it, and its newest runs."""
    links = admin.links(request)
    if not _FINGERPRINT.fullmatch(mark):
        raise Http404(_("There is no error %s.") % mark[:100])
    found = ledger.dead_by([mark])
    if found and not permits.may(request, SEE, found[0].last.step):
        raise Http404(_("There is no error %s.") % mark)
    if not found:
        context: dict[str, Any] = {"mark": mark, "runs_url": links.runs(error=mark)}
        context |= {"errors_url": links.dead_letters(**asked(request))}
        return admin.page(request, "admin/motia/deadletter/none.html", _("Dead letters"), **context)
    return _error_page(admin, request, found[0], links)


def _error_page(
    admin: ReadOnlyAdmin, request: HttpRequest, group: DeadBy, links: Links
) -> HttpResponse:
    step, error = group.last.step, group.last.error
    may_see_runs = permits.may(request, "motia.view_run", step)
    runs = _newest(group.fingerprint, request) if may_see_runs else []
    keys = ledger.keys_of_runs(row.id for row in runs) if runs else {}
    return admin.page(
        request,
        "admin/motia/deadletter/error.html",
        step,
        group=_group(group, request, links),
        mark=group.fingerprint,
        traceback=words.traceback(error) if may_see_runs else "",
        runs=[
            (row, links.run(row.id), words.moment(row.finished_at), _found_by(keys.get(row.id, ())))
            for row in runs
        ],
        errors_url=links.dead_letters(**asked(request)),
        more=group.runs > LAST_RUNS,
    )


def _found_by(keys: Sequence[str]) -> str:
    return ", ".join(map(words.spelled, keys))


def _killing(shown: list[DeadBy], is_cut: bool, among: list[str]) -> tuple[list[DeadBy], bool]:
    """Return the errors that killed last a run of these Steps, as `dead_by_error` does.

    If all errors are shown, they are among these.
    """
    if is_cut:
        return ledger.dead_by_error(among)
    return [each for each in shown if each.last.step in among], False


def _killed(shown: list[DeadBy]) -> int:
    """Return how many runs the errors that are shown have killed, each counted up to `MOST_RUNS`.

    (To count the dead runs of a few Steps, a database would go through all runs of these Steps.)
    """
    return sum(min(each.runs, MOST_RUNS) for each in shown)


def _counted(shown: list[DeadBy], is_cut: bool) -> str:
    total = _killed(shown)
    are_more = is_cut or any(each.runs >= MOST_RUNS for each in shown)
    return words.counted(total, total if are_more else None)


def _ordered(groups: list[DeadBy], order: str) -> list[DeadBy]:
    """Return the errors in an order; as they come, those that killed last are first."""
    return sorted(groups, key=_ORDERS[order]) if order in _ORDERS else groups


def _narrow(request: HttpRequest) -> dict[str, str]:
    """Return what the errors are narrowed to, as other pages' addresses have it as well."""
    return {name: value for name, value in asked(request).items() if name != ORDER}


def _group(group: DeadBy, request: HttpRequest, links: Links) -> Group:
    mark, step = group.fingerprint, group.last.step
    return Group(
        error=words.error_line(group.last.error) or _("(no text)"),
        step=step,
        step_url=links.step(step) if step in registry() else "",
        is_gone=step not in registry(),
        is_answered=group.last.trigger in ANSWERED,
        count=words.counted(group.runs, MOST_RUNS),
        first=words.moment(group.first.finished_at),
        last=words.moment(group.last.finished_at),
        last_url=links.run(group.last.id),
        url=links.dead_letter(mark, **asked(request)),
        runs_url=links.runs(status=Status.DEAD, error=mark),
        deeds=_deeds(group, request, links),
    )


def _deeds(group: DeadBy, request: HttpRequest, links: Links) -> list[Deed]:
    query = {"status": str(Status.DEAD), "error": group.fingerprint, **_narrow(request)}
    is_answered = group.last.trigger in ANSWERED
    offered = (BY_NAME[name] for name in DEEDS if name != "redrive" or not is_answered)
    return [
        Deed(label=str(each.label), url=links.preview(each.name, **query), ends=each.ends)
        for each in offered
        if links.may_see(models.Batch) and each.allowed(request, group.last.step)
    ]


def _choose_url(request: HttpRequest, links: Links) -> str:
    """Return the way to choose runs by other means, for those who may do something to them."""
    may = any(BY_NAME[name].allowed(request) for name in DEEDS)
    step = asked(request).get(STEP)
    return links.choose(**({STEP: step} if step else {})) if may else ""


def _orders(order: str) -> list[dict[str, Any]]:
    """Return the ways to arrange the list, in words."""
    told = {
        "last": _("newest first"),
        "first": _("oldest first"),
        "runs": _("most runs first"),
        "step": _("by Step"),
    }
    return [{"name": name, "told": told[name], "is_this": name == order} for name in ORDERS]


def _newest(mark: str, request: HttpRequest) -> list[models.Run]:
    """Return the runs that died last of an error, and may be seen."""
    dead = models.Run.objects.filter(fingerprint=mark, status=Status.DEAD)
    rows = permits.narrowed(dead, request)
    small = rows.only("id", "step", "source", "attempt", "finished_at", "trace_id")
    return list(small.order_by("-finished_at")[:LAST_RUNS])


def _without_error(all_dead: int, shown: list[DeadBy]) -> int:
    """Return how many dead runs are of no error, since they died before errors were told apart.

    Where there are very many runs it is not known, and 0.
    """
    return 0 if all_dead >= pulse.MOST else max(all_dead - sum(each.runs for each in shown), 0)
