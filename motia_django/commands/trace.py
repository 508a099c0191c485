"""`trace`: all runs that one cause led to, as a tree, with what happened in each."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from motia_django import ledger
from motia_django.commands.base import Subcommand, add_format, zone
from motia_django.commands.runs import described, hint_for_gone, length, standing, step_of
from motia_django.models import Run
from motia_django.runs import Status, last_line
from motia_django.timeline import Entry, called_before, in_words

_ERRORS = ("error", "worker_lost")
_FAILURES = (*_ERRORS, "attempt")
_DEEPEST = 12
"""Steps of indentation, as in the admin; what lies deeper is not indented further."""
_MOST_NEIGHBOURS = 20


class Trace(Subcommand):
    """`motia_steps trace <id>`."""

    name = "trace"
    help = (
        "Show all runs that one cause led to, with their timelines. Takes a trace's or a run's id,"
        " or an index key of a run."
    )
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "id",
            help="a trace id (32 hex digits), a run id, or an index key: orderId=17, or just 17",
        )
        parser.add_argument("--traceback", dest="show_traceback", action="store_true")
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        traces = _traces(options["id"])
        if not traces:
            raise CommandError(f"There is no trace, no run and no index key {options['id']!r}")
        if options.get("format") == "json":
            self.json(described([row for rows in traces for row in rows]))
            return
        for rows in traces:
            self._print_trace(rows, bool(options.get("show_traceback")))
        hint = hint_for_gone(row for rows in traces for row in rows)
        if hint:
            self.say("", *hint)

    def _print_trace(self, rows: Sequence[Run], tracebacks: bool) -> None:
        runs = "1 run" if len(rows) == 1 else f"{len(rows)} runs"
        self.say(f"trace {rows[0].trace_id}  {runs}  times in {zone()}", "")
        for depth, row in _as_tree(rows):
            margin = "  " * min(depth, _DEEPEST)
            self._print(row, margin, rows[0].created_at)
            self._print_timeline(row, f"{margin}    ", tracebacks)
        self._print_neighbours(rows)

    def _print_neighbours(self, rows: Sequence[Run]) -> None:
        """Tell which other traces this one comes from, and which begin in it (`newTrace`)."""
        here = {"trace_id": rows[0].trace_id}
        before = ledger.rows(id__in={row.parent_id for row in rows if row.parent_id})
        after = ledger.rows(parent_id__in=ledger.trace(rows[0].trace_id).values("id"))
        for text, found in (("begun by", before), ("begins", after)):
            for row in found.exclude(**here).order_by("id")[:_MOST_NEIGHBOURS]:
                self.say("", f"{text} {step_of(row)}  {row.id}  in trace {row.trace_id}")

    def _print(self, row: Run, margin: str, began: datetime) -> None:
        after = (row.created_at - began).total_seconds()
        tries = f", attempt {row.attempt}" if row.attempt > 1 else ""
        self.say(
            f"{margin}{step_of(row)}  {standing(row)}{tries}  {row.trigger} {row.source}"
            f"  +{after:.3f} s{_took(row)}  {row.id}"
        )

    def _print_timeline(self, row: Run, margin: str, tracebacks: bool) -> None:
        for text, traceback in _told(row.timeline):
            self.say(f"{margin}{text}")
            if tracebacks and traceback:
                self.say(*(f"{margin}  {line}" for line in traceback.split("\n")))
        if row.error and not any(entry.get("kind") in _FAILURES for entry in row.timeline):
            self.say(f"{margin}{last_line(row.error)}")


def _told(timeline: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Yield each entry in words, with its traceback.

    The error that ended an attempt is told with the attempt, which comes next.
    """
    for before, entry, after in zip([{}, *timeline], timeline, [*timeline[1:], {}], strict=False):
        if entry.get("kind") in _ERRORS and after.get("kind") == "attempt":
            continue
        raised = before if entry.get("kind") == "attempt" else entry
        yield in_words(entry), str(raised.get("traceback") or "").rstrip()


def _took(row: Run) -> str:
    """Return how long a run took, or has been running, and where; nothing if it waits.

    An attempt that was snoozed took what all calls of the handler did.
    """
    if row.status == Status.RUNNING:
        text, on = length(row), f" on {row.worker}" if row.worker else ""
        return f"  running for {text}{on}" if text else ""
    times, seconds = called_before(row.timeline, row.attempt)
    text = length(row, besides=seconds)
    calls = f" in {times + 1} calls" if times else ""
    return f"  took {text}{calls}" if text else ""


def _traces(text: str) -> list[list[Run]]:
    """Return the runs of the trace that is meant, or of each that has a run with this key."""
    rows = list(ledger.trace(_trace_id(text)))
    if rows:
        return [rows]
    rows_of_keys, asked = ledger.rows().only("id", "trace_id"), ledger.spoken(text)
    found = ledger.those_with(rows_of_keys, asked, oldest_first=True)
    traces = dict.fromkeys(row.trace_id for row in found)
    return [list(ledger.trace(each)) for each in traces]


def _trace_id(text: str) -> str:
    """Return the trace that a run belongs to; what is no run's id is a trace id itself."""
    try:
        run = ledger.find(UUID(text))
    except ValueError:
        return text
    return run.trace_id if run else text


def _as_tree(rows: Sequence[Run]) -> Iterator[tuple[int, Run]]:
    """Yield the runs with their depth, each below the one that caused it."""
    known = {row.id for row in rows}
    children: dict[UUID | None, list[Run]] = {}
    for row in rows:
        parent = row.parent_id if row.parent_id in known else None
        children.setdefault(parent, []).append(row)

    pending = [(0, row) for row in reversed(children.get(None, []))]
    while pending:
        depth, row = pending.pop()
        yield depth, row
        pending += [(depth + 1, child) for child in reversed(children.get(row.id, []))]
