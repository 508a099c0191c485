"""The overview: is anything wrong, and where to click."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from motia_django import models
from motia_django.admin import charts, parts, permits, words
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.schedules import late_schedules
from motia_django.ledger import pulse
from motia_django.registry import Listener, registry
from motia_django.runs import Status

_MOST_FAILING = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One of the numbers on top, with where to look into it."""

    name: str
    value: str
    url: str
    is_bad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A Step that failed lately."""

    step: str
    url: str
    failures: int
    runs_url: str


class OverviewAdmin(ReadOnlyAdmin):
    """One page that says whether all is well."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the numbers, what fails, the last hour, and how each part is."""
        links, seen = self.links(request), permits.visible(request)
        failing, silent = pulse.failing(seen), pulse.silent_workers()
        late = [each for each in late_schedules() if seen is None or each.step.name in seen]
        overdue, minutes = pulse.late(seen), pulse.last_hour(seen)
        return self.page(
            request,
            "admin/motia/overview/overview.html",
            _("Overview"),
            numbers=list(_numbers(failing, silent, late, overdue, links, seen)),
            failing=[_failing(step, count, links) for step, count in failing.items()][
                :_MOST_FAILING
            ],
            minutes=len(minutes),
            charts=[charts.of_runs(minutes, links.runs), charts.of_dead(minutes, links.runs)],
            busy=[each for each in minutes if each.runs],
            width=charts.WIDTH,
            height=charts.HEIGHT,
            parts=parts.parts(silent, late, overdue),
        )

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """There is nothing in it that would have a page."""
        raise Http404


def _numbers(
    failing: dict[str, int],
    silent: Sequence[models.Worker],
    late: Sequence[Listener],
    overdue: int,
    links: Links,
    seen: pulse.Among,
) -> Iterator[Number]:
    dead = pulse.dead(seen)
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
