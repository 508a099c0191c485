"""Steps: the list, with what is wrong with Step files on top, and one Step's page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from motia_django import ledger, models
from motia_django.admin import run_page, triggers, words
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.registry import registry
from motia_django.runs import last_line
from motia_django.steps import Step

LAST_RUNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One Step in the list."""

    step: Step
    url: str
    runs_url: str
    where: str
    triggers: list[triggers.Described]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """One of a Step's last runs."""

    run: models.Run
    url: str
    status: SafeString
    kind: str
    created: str
    took: str
    problem: str


class StepAdmin(ReadOnlyAdmin):
    """The Steps of this process, as discovery found them."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show all Steps, and every problem of every Step file."""
        links = self.links(request)
        rows = [_row(step, links) for step in sorted(registry(), key=lambda step: step.name)]
        return self.page(
            request,
            "admin/motia/step/steps.html",
            _("Steps"),
            rows=rows,
            problems=registry().problems,
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one Step. One that is gone has no page, but its runs may still be in the history."""
        name = unquote(object_id)
        if name not in registry():
            raise Http404(_("There is no Step named %s.") % name)
        links = self.links(request)
        row = _row(registry().step(name), links)
        context = {"row": row, "step": row.step, "topics": _topics(row.step, links)}
        flows = [(flow, links.flow(flow)) for flow in row.step.flows]
        runs = _last_runs(name, links) if links.may_see(models.Run) else []
        return self.page(
            request, "admin/motia/step/step.html", name, **context, flows=flows, runs=runs
        )


def where(step: Step) -> str:
    """Return a Step's file and line, from the working directory if it lies below that."""
    file = step.file
    here = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{here}:{step.line}" if step.line else str(here)


def listeners(topic: str, links: Links) -> list[tuple[str, str]]:
    """Return the names of the Steps that listen on a topic, each with its page's address."""
    names = dict.fromkeys(each.step.name for each in registry().subscribers(topic))
    return [(name, links.step(name)) for name in names]


def _row(step: Step, links: Links) -> Row:
    return Row(
        step=step,
        url=links.step(step.name),
        runs_url=links.runs(step=step.name),
        where=where(step),
        triggers=triggers.described(step),
    )


def _topics(step: Step, links: Links) -> list[dict[str, Any]]:
    return [{"topic": each, "heard_by": listeners(each.name, links)} for each in step.enqueues]


def _last_runs(name: str, links: Links) -> list[LastRun]:
    rows = ledger.rows(step=name).defer("input", "output", "timeline")[:LAST_RUNS]
    return [
        LastRun(
            run=row,
            url=links.run(row.id),
            status=words.badge(row.status),
            kind=words.kind(row.trigger),
            created=words.moment(row.created_at),
            took=words.duration(run_page.working_time(row)),
            problem=last_line(row.error),
        )
        for row in rows
    ]
