"""The runs of one trace as a tree: who caused whom."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.safestring import SafeString

from motia_django import ledger, models
from motia_django.admin import words
from motia_django.admin.links import Links

MOST = 100
DEEPEST = 12
"""Steps of indentation; what lies deeper is not indented further."""
_COLUMNS = ("id", "step", "status", "trigger", "source", "parent_id", "created_at", "attempt")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The runs of a trace, each below the one that caused it."""

    branches: list[Branch]
    is_cut: bool
    """Whether there are more of them."""


def trace_of(this: models.Run, links: Links) -> Trace:
    """Return the first runs of a run's trace; itself and what it caused are always among them."""
    first = list(ledger.rows(trace_id=this.trace_id).order_by("id").only(*_COLUMNS)[: MOST + 1])
    caused = ledger.rows(parent_id=this.id).order_by("id").only(*_COLUMNS)[:MOST]
    runs = {run.id: run for run in [*first[:MOST], this, *caused]}
    branches = [_branch(run, depth, this, links) for run, depth in in_order(runs)]
    return Trace(branches=branches, is_cut=len(first) > MOST)


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


def _branch(run: models.Run, depth: int, this: models.Run, links: Links) -> Branch:
    return Branch(
        run=run,
        url=links.run(run.id),
        status=words.badge(run.status),
        kind=words.kind(run.trigger),
        created=words.moment(run.created_at),
        indent=range(min(depth, DEEPEST)),
        is_this=run.id == this.id,
    )
