"""What the pages of Steps show: all of them, what is wrong with Step files, and one Step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from motia_django import ledger, models
from motia_django.admin import (
    figures,
    pauses,
    permits,
    sending,
    source,
    starting,
    tallies,
    triggers,
    windows,
    words,
)
from motia_django.admin.attempts import working_time
from motia_django.admin.figures import Board, Told
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.triggers import InForce
from motia_django.registry import registry
from motia_django.sources import near
from motia_django.steps import Step, Topic

LAST_RUNS = 20
SEE = "motia.view_step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One Step in the list."""

    step: Step
    url: str
    runs_url: str
    where: str
    triggers: list[triggers.Described]
    pause: models.Pause | None
    told: Told | None = None
    """Its figures, for those who may see its runs."""


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


def all_steps(admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Show all Steps, and what is wrong with Step files to whom the hook hides nothing."""
    links, window = admin.links(request), windows.chosen(request)
    board = figures.board(request, links, window)
    in_force = InForce()
    paused = in_force.paused
    seen = [step for step in registry() if permits.may(request, SEE, step.name)]
    rows = [_row(step, links, in_force, board) for step in sorted(seen, key=lambda step: step.name)]
    gone = [
        (pause, pauses.may_pause(request, name))
        for name, pause in sorted(paused.items())
        if name not in registry() and permits.may(request, SEE, name)
    ]
    return admin.page(
        request,
        "admin/motia/step/steps.html",
        _("Steps"),
        rows=rows,
        gone=gone,
        problems=registry().problems if permits.visible(request, SEE) is None else [],
        may_send=request.user.has_perm(sending.PERMISSION),
        **_window(request, window, board),
    )


def one_step(admin: ReadOnlyAdmin, request: HttpRequest, name: str) -> HttpResponse:
    """Show one Step."""
    links = admin.links(request)
    window = windows.chosen(request)
    board = figures.board(request, links, window, name)
    row = _row(registry().step(name), links, InForce(), board)
    context = {"row": row, "step": row.step, "topics": _topics(row.step, links)}
    context |= {"may_pause": pauses.may_pause(request, name)}
    context |= {"may_start": starting.may_start(request, name)}
    context |= {"sends": _sends(request, row.step)}
    context |= {"source": source.shown(row.step, request), **_window(request, window, board)}
    tallied = ledger.tallied(window.length, [name])
    context |= {"refused": tallies.refused(tallied.refused, links)}
    context |= {"unheard": tallies.unheard(tallied.unheard, links)}
    context |= {"tallied_in": window.label}
    flows = [(flow, links.flow(flow)) for flow in row.step.flows]
    may_see_runs = permits.may(request, "motia.view_run", name)
    runs = _last_runs(name, links) if may_see_runs else []
    context |= {"flows": flows, "runs": runs, "errors_url": links.dead_letters(step=name)}
    return admin.page(request, "admin/motia/step/step.html", name, **context)


def where(step: Step) -> str:
    """Return a Step's file and line, from the working directory if it lies below that."""
    here, line = near(step.file), step.line
    return f"{here}:{line}" if line else str(here)


def listeners(topic: str, links: Links) -> list[tuple[str, str]]:
    """Return the Steps that listen on a topic, and may be seen, each with its page's address."""
    names = dict.fromkeys(each.step.name for each in registry().subscribers(topic))
    return [(name, links.step(name)) for name in names if permits.may(links.request, SEE, name)]


def _window(request: HttpRequest, window: windows.Window, board: Board | None) -> dict[str, Any]:
    """Return what a page says of the time that its figures are of."""
    return {
        "windows": windows.choices(request, window) if board else [],
        "notes": board.notes if board else [],
    }


def _row(step: Step, links: Links, in_force: InForce, board: Board | None) -> Row:
    return Row(
        step=step,
        url=links.step(step.name),
        runs_url=links.runs(step=step.name),
        where=where(step),
        triggers=triggers.described(step, in_force),
        pause=in_force.paused.get(step.name),
        told=board.of(step.name) if board else None,
    )


def _topics(step: Step, links: Links) -> list[dict[str, Any]]:
    """Return the topics that a Step sends to, then that of its failures, then the virtual ones."""
    failing = [Topic(name=step.on_dead)] if step.on_dead else []
    sent = [_sent(each, links) for each in step.enqueues]
    sent += [_sent(each, links) | {"is_failure": True} for each in failing]
    told = [
        {"topic": each, "heard_by": listeners(each.name, links), "is_virtual": True}
        for each in step.virtual_enqueues
    ]
    return sent + told


def _sent(topic: Topic, links: Links) -> dict[str, Any]:
    return {
        "topic": topic,
        "heard_by": listeners(topic.name, links),
        "is_unheard": not registry().subscribers(topic.name),
    }


def _sends(request: HttpRequest, step: Step) -> list[str]:
    """Return the topics the Step listens on that this request's user may send to."""
    topics = [trigger.source for _index, trigger in step.triggers_of("queue")]
    return [topic for topic in topics if sending.may_send(request, topic)]


def _last_runs(name: str, links: Links) -> list[LastRun]:
    rows = ledger.rows(step=name).defer("input", "output", "timeline")[:LAST_RUNS]
    return [
        LastRun(
            run=row,
            url=links.run(row.id),
            status=words.badge(row.status),
            kind=words.kind(row.trigger),
            created=words.moment(row.created_at),
            took=words.duration(working_time(row)),
            problem=words.error_line(row.error),
        )
        for row in rows
    ]
