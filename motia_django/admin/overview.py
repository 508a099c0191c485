"""The overview: is anything wrong, and where to click."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import models
from motia_django.admin import permits, words
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.schedules import late_schedules
from motia_django.celery_app import project_app
from motia_django.checks.asking import ask, reach
from motia_django.ledger import pulse
from motia_django.registry import Listener, registry
from motia_django.runs import Status

WIDTH, HEIGHT = 300, 48
"""Of a chart, in the units of its SVG."""
_MOST_FAILING = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One of the numbers on top, with where to look into it."""

    name: str
    value: str
    url: str
    is_bad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the deployment, and how it is."""

    name: str
    told: str
    is_bad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A Step that failed lately."""

    step: str
    url: str
    failures: int
    runs_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Numbers over the minutes, as the points of a line."""

    name: str
    total: int
    most: int
    points: str


class OverviewAdmin(ReadOnlyAdmin):
    """One page that says whether all is well."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the numbers, what fails, the last hour, and how each part is."""
        links, seen = self.links(request), permits.visible(request)
        failing, silent = pulse.failing(seen), pulse.silent_workers()
        late = [each for each in late_schedules() if seen is None or each.step.name in seen]
        minutes = pulse.last_hour(seen)
        return self.page(
            request,
            "admin/motia/overview/overview.html",
            _("Overview"),
            numbers=list(_numbers(failing, silent, late, links, seen)),
            failing=[_failing(step, count, links) for step, count in failing.items()][
                :_MOST_FAILING
            ],
            minutes=len(minutes),
            charts=_charts(minutes),
            width=WIDTH,
            height=HEIGHT,
            parts=[_broker(), _upkeep(silent), _schedules(late)],
        )

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """There is nothing in it that would have a page."""
        raise Http404


def _numbers(
    failing: dict[str, int],
    silent: Sequence[models.Worker],
    late: Sequence[Listener],
    links: Links,
    seen: pulse.Among,
) -> Iterator[Number]:
    dead, overdue = pulse.dead(seen), pulse.late(seen)
    url = links.runs(status=str(Status.DEAD))
    yield _number(_("failing Steps"), len(failing), "#failing" if failing else links.steps())
    yield _number(_("dead letters"), dead, url)
    yield _oldest(links, seen)
    yield _number(_("runs late to be sent"), overdue, links.runs(status=str(Status.SCHEDULED)))
    yield _number(_("silent workers"), len(silent), "#parts")
    yield _number(_("late schedules"), len(late), links.schedules())


def _number(name: str, count: int, url: str) -> Number:
    value = f"{pulse.MOST}+" if count >= pulse.MOST else str(count)
    return Number(name=name, value=value, url=url, is_bad=count > 0)


def _oldest(links: Links, seen: pulse.Among) -> Number:
    """Return how long the run that has waited for longest has waited for a worker."""
    oldest = pulse.oldest_queued(seen)
    waited = timezone.now() - oldest.created_at if oldest else None
    return Number(
        name=_("longest wait for a worker"),
        value=words.duration(waited),
        url=links.run(oldest.id) if oldest else links.runs(status=str(Status.QUEUED)),
        is_bad=waited is not None and waited > pulse.SILENT_AFTER,
    )


def _failing(step: str, count: int, links: Links) -> Failing:
    url = links.step(step) if step in registry() else ""
    return Failing(
        step=step, url=url, failures=count, runs_url=links.runs(status="dead", step=step)
    )


def _charts(minutes: Sequence[pulse.Minute]) -> list[Chart]:
    return [
        _chart(_("runs"), [each.runs for each in minutes]),
        _chart(_("of them dead"), [each.dead for each in minutes]),
    ]


def _chart(name: str, numbers: Sequence[int]) -> Chart:
    most = max(numbers, default=0)
    step = WIDTH / max(len(numbers) - 1, 1)
    points = " ".join(
        f"{index * step:.1f},{HEIGHT - 1 - (HEIGHT - 2) * number / (most or 1):.1f}"
        for index, number in enumerate(numbers)
    )
    return Chart(name=name, total=sum(numbers), most=most, points=points)


def _broker() -> Part:
    """Ask the broker, but not for long."""
    try:
        ask(_reach)
    except Exception as error:
        text = _("It does not answer: %s. Messages wait in the database until it does.")
        return Part(name=_("broker"), told=text % type(error).__name__, is_bad=True)
    return Part(name=_("broker"), told=_("It answers."), is_bad=False)


def _reach() -> None:
    with project_app().connection_for_write() as connection:
        reach(connection)


def _upkeep(silent: Sequence[models.Worker]) -> Part:
    alive = pulse.live_workers()
    text = ngettext("%(count)d worker is alive", "%(count)d workers are alive", len(alive))
    told = text % {"count": len(alive)}
    if alive:
        told += f": {', '.join(each.name for each in alive)}"
    if silent:
        told += _("; silent: %s") % ", ".join(each.name for each in silent)
    return Part(name=_("workers and upkeep"), told=f"{told}.", is_bad=bool(silent) or not alive)


def _schedules(late: Sequence[Listener]) -> Part:
    if not registry().schedules:
        return Part(name=_("beat"), told=_("No Step has a schedule."), is_bad=False)
    if late:
        names = ", ".join(f"{each.step.name} ({each.trigger.source})" for each in late)
        told = _("Its last tick did not come: %s. Is beat running?") % names
        return Part(name=_("beat"), told=told, is_bad=True)
    return Part(name=_("beat"), told=_("No schedule is late."), is_bad=False)
