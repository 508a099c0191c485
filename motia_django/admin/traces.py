"""The runs of one trace as a tree: who caused whom, and when each waited and worked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from motia_django import ledger, models
from motia_django.admin import permits, waterfall, words
from motia_django.admin.attempts import attempts_of, redriven_at
from motia_django.admin.links import Links
from motia_django.admin.waterfall import Axis, Mark, Span, Tick
from motia_django.ledger import aftermath

MOST = 100
MOST_TIMELINES = 20
"""Runs of which earlier attempts are drawn: for these a large column is read."""
DEEPEST = 12
"""Steps of indentation; what lies deeper is not indented further."""
_COLUMNS = (
    "id", "step", "status", "trigger", "source", "parent_id", "trace_id", "attempt", "created_at",
    "started_at", "finished_at", "tried_since",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One run of a trace and how deep it hangs."""

    run: models.Run
    url: str
    status: SafeString
    kind: str
    created: str
    indent: range
    is_this: bool
    marks: list[Mark]
    told: str
    """When it waited and worked, in words."""
    took: str
    """From its birth to its end, or to now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The runs of a trace, each below the one that caused it."""

    branches: list[Branch]
    ticks: list[Tick]
    begins: str
    length: str
    is_cut: bool
    """Whether there are more of them."""


def trace_of(this: models.Run, links: Links) -> Trace:
    """Return the first runs of a run's trace; itself and what it caused are always among them."""
    rows = _seen(links, trace_id=this.trace_id)
    first = list(rows[: MOST + 1])
    caused = rows.filter(parent_id=this.id)[:MOST] if len(first) > MOST else ()
    runs = {run.id: run for run in [*first[:MOST], this, *caused]}
    ordered = in_order(runs)
    lives = _lives([run for run, _depth in ordered], this)
    axis = waterfall.axis_of([span for spans in lives.values() for span in spans])
    return Trace(
        branches=[_branch(run, depth, this, links, lives[run.id], axis) for run, depth in ordered],
        ticks=axis.ticks() if axis else [],
        begins=words.moment_with_zone(axis.begins if axis else this.created_at),
        length=words.duration(axis.length if axis else None),
        is_cut=len(first) > MOST,
    )


def caused_by(this: models.Run, links: Links, most: int) -> QuerySet[models.Run]:
    """Return the first runs that a run caused, in whatever trace."""
    return _seen(links, parent_id=this.id)[:most]


def of_death(this: models.Run, request: HttpRequest) -> QuerySet[models.Run]:
    """Return the runs that the death of a run has started, as far as the reader may see them."""
    return permits.narrowed(aftermath.of_death(this).only(*_COLUMNS), request)


def hidden_of_death(this: models.Run, request: HttpRequest) -> int:
    """Return how many it has started besides, which the reader may not see."""
    seen = permits.visible(request)
    return 0 if seen is None else aftermath.of_death(this).exclude(step__in=seen).count()


def in_order(runs: dict[UUID, models.Run]) -> list[tuple[models.Run, int]]:
    """Return the runs, oldest first, each below the one that caused it, with its depth there.

    A run whose cause is not among them is at the top, and so is one that is its own ancestor.
    """
    children: dict[UUID | None, list[models.Run]] = {}
    for run in sorted(runs.values(), key=lambda run: run.id):
        children.setdefault(run.parent_id if run.parent_id in runs else None, []).append(run)
    ordered: dict[UUID, tuple[models.Run, int]] = {}
    for top in [*children.get(None, ()), *runs.values()]:
        waiting = [(top, 0)]
        while waiting:
            run, depth = waiting.pop()
            if run.id not in ordered:
                ordered[run.id] = (run, depth)
                waiting += [(each, depth + 1) for each in reversed(children.get(run.id, ()))]
    return list(ordered.values())


def _seen(links: Links, **filters: Any) -> QuerySet[models.Run]:
    """Return the rows that the reader may see, oldest first, without their large columns."""
    rows = ledger.rows(**filters).order_by("id").only(*_COLUMNS)
    return permits.narrowed(rows, links.request)


def _lives(runs: Sequence[models.Run], this: models.Run) -> dict[UUID, list[Span]]:
    """Return when each run waited and worked; of some also in attempts before the last."""
    told_of = (run for run in runs if run.attempt > 1 or run.tried_since)
    tried = [run.id for run in told_of if run.id != this.id][:MOST_TIMELINES]
    found = ledger.rows(id__in=tried).values_list("id", "timeline") if tried else ()
    timelines = {**dict(found), this.id: this.timeline}
    now = timezone.now()
    return {
        run.id: waterfall.spans_of(run, attempts_of(run, told), now, redriven_at(told))
        for run, told in ((run, timelines.get(run.id)) for run in runs)
    }


def _branch(
    run: models.Run,
    depth: int,
    this: models.Run,
    links: Links,
    spans: Sequence[Span],
    axis: Axis | None,
) -> Branch:
    ends = max((span.ends for span in spans), default=None)
    return Branch(
        run=run,
        url=links.run(run.id),
        status=words.badge(run.status),
        kind=words.kind(run.trigger),
        created=words.moment(run.created_at),
        indent=range(min(depth, DEEPEST)),
        is_this=run.id == this.id,
        marks=axis.marks(spans) if axis else [],
        told=waterfall.in_words(spans),
        took=words.duration(ends - spans[0].begins if ends else None),
    )
