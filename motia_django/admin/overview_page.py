"""What the overview shows: the numbers, what fails, the last hour, and how each part is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from motia_django.admin import charts, findings, parts, tallies, vitals, windows, words
from motia_django.admin.links import Links
from motia_django.admin.vitals import Vitals
from motia_django.ledger.errors import MOST_RUNS, DeadBy
from motia_django.registry import registry
from motia_django.runs import Status, last_line

_MOST_FAILING = 20
LAST_KILLERS = 3
"""Of the errors that runs died of those are shown that killed last..."""
MOST_KILLERS = 3
"""...and of the others those that killed most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One of the numbers on top, with where to look into it."""

    name: str
    value: str
    url: str
    is_bad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Killer:
    """An error that runs died of."""

    error: str
    url: str
    step: str
    dead: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A Step that failed lately."""

    step: str
    url: str
    failures: int
    runs_url: str


def shown(request: HttpRequest, links: Links) -> dict[str, Any]:
    """Return the numbers, what fails, the last hour, and how each part is."""
    now = vitals.of(request)
    standing, worst = parts.parts(now), _worst(now.killers)
    return {
        "title": _("Overview"),
        "findings": findings.findings(now, standing, links),
        "numbers": list(_numbers(now, links)),
        "failing": [_failing(step, count, links) for step, count in _most(now.failing)],
        "killers": [_killer(each, links) for each in worst],
        "other_killers": len(now.killers) - len(worst),
        "more_killers": now.more_killers,
        "killers_url": links.dead_letters(),
        "charts": [chart(now.minutes, links.runs) for chart in charts.ALL],
        "minutes": len(now.minutes),
        "busy": [each for each in now.minutes if each.runs],
        "width": charts.WIDTH,
        "height": charts.HEIGHT,
        "parts": standing,
        "refused": tallies.refused(now.tallied.refused, links),
        "unheard": tallies.unheard(now.tallied.unheard, links),
        "tallied_in": windows.WINDOWS["24h"].label,
    }


def _numbers(now: Vitals, links: Links) -> Iterator[Number]:
    failing = len(now.failing)
    yield _number(_("failing Steps"), failing, "#failing" if failing else links.steps())
    yield _number(_("dead letters"), now.dead, links.dead())
    yield _oldest(now, links)
    if now.next_in_turn is not None:
        waited, url = words.duration(now.waited_in_turn), links.run(now.next_in_turn.id)
        yield Number(name=_("longest wait for a turn"), value=waited, url=url, is_bad=False)
    yield _number(_("runs late to be sent"), now.overdue, links.runs(status=words.WAITING))
    yield _number(_("silent workers"), len(now.silent), "#parts")
    yield _number(_("late schedules"), len(now.late), links.schedules())
    if now.tallied.refused:
        value = words.counted(sum(each.requests for each in now.tallied.refused))
        name = _("refused requests, last 24 hours")
        yield Number(name=name, value=value, url="#refused", is_bad=False)
    if now.tallied.unheard:
        value = f"{sum(each.messages for each in now.tallied.unheard):,}"
        name = _("messages nobody heard, last 24 hours")
        yield Number(name=name, value=value, url="#unheard", is_bad=False)


def _number(name: str, count: int, url: str) -> Number:
    return Number(name=name, value=words.counted(count), url=url, is_bad=count > 0)


def _oldest(now: Vitals, links: Links) -> Number:
    """Return how long the run that has waited for longest has waited for a worker."""
    waiting = links.runs(status=str(Status.QUEUED))
    return Number(
        name=_("longest wait for a worker"),
        value=words.duration(now.waited),
        url=links.run(now.oldest.id) if now.oldest else waiting,
        is_bad=now.waits_long,
    )


def _most(failing: dict[str, int]) -> list[tuple[str, int]]:
    return list(failing.items())[:_MOST_FAILING]


def _worst(killers: Sequence[DeadBy]) -> list[DeadBy]:
    """Return those that killed last and those that killed most, in the order that they are in."""
    most = sorted(killers[LAST_KILLERS:], key=lambda each: each.runs, reverse=True)[:MOST_KILLERS]
    chosen = {each.fingerprint for each in (*killers[:LAST_KILLERS], *most)}
    return [each for each in killers if each.fingerprint in chosen]


def _killer(group: DeadBy, links: Links) -> Killer:
    return Killer(
        error=Truncator(last_line(group.last.error)).chars(160) or _("(no text)"),
        url=links.dead_letter(group.fingerprint),
        step=group.last.step,
        dead=words.counted(group.runs, MOST_RUNS),
        last=words.moment(group.last.finished_at),
    )


def _failing(step: str, count: int, links: Links) -> Failing:
    url = links.step(step) if step in registry() else ""
    return Failing(
        step=step, url=url, failures=count, runs_url=links.runs(status=words.FAILED, step=step)
    )
