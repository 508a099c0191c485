"""A run's attempts: when each was and what became of it, as far as it was noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

from motia_django import models
from motia_django.runs import Status, last_line

FAILED = "failed"
"""What became of an attempt, besides running, succeeded and skipped."""
_AFRESH = ("redriven", "moved")
_ERRORS = ("error", "worker_lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a run."""

    number: int
    began: datetime | None = None
    ended: datetime | None = None
    """None while it goes on, or where it was not noted."""
    became: str = FAILED
    is_lost: bool = False
    """Whether its worker was: it ended before that was noticed, which is when it `ended`."""
    error: str = ""
    traceback: str = field(default="", repr=False)
    turn: int = 0
    """How often the run had been redriven before."""


def attempts_of(row: models.Run, timeline: Any = None) -> list[Attempt]:
    """Return a run's attempts, oldest first: those that failed as its timeline tells of them.

    Without a timeline there is the last one at most, of which the row itself tells.
    """
    entries = timeline if isinstance(timeline, list) else []
    told = list(_told(entries))
    last = _last(row, len(redrives(entries)))
    if last is None:
        return told
    is_told = bool(told) and told[-1].number == last.number and last.became == FAILED
    if not is_told:
        return [*told, last]
    if told[-1].began is not None:
        return told
    return [*told[:-1], replace(told[-1], began=last.began, ended=last.ended)]


def redrives(timeline: Any) -> list[dict[str, Any]]:
    """Return what a timeline tells of redrives, each of which begins to count attempts anew."""
    entries = timeline if isinstance(timeline, list) else []
    return [each for each in entries if isinstance(each, dict) and each.get("kind") in _AFRESH]


def redriven_at(timeline: Any) -> list[datetime]:
    """Return when a run was redriven, as far as its timeline tells."""
    moments = (_moment(each.get("time")) for each in redrives(timeline))
    return [each for each in moments if each is not None]


def _told(entries: Sequence[Any]) -> Iterator[Attempt]:
    """Read the attempts that failed out of a timeline."""
    found: dict[tuple[int, int], Attempt] = {}
    turn = 0
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        turn += entry.get("kind") in _AFRESH
        number = entry.get("attempt")
        if isinstance(number, int) and entry.get("kind") in (*_ERRORS, "attempt"):
            before = found.get((turn, number), Attempt(number=number, turn=turn))
            found[turn, number] = _with(before, entry)
    yield from found.values()


def _with(attempt: Attempt, entry: dict[str, Any]) -> Attempt:
    if entry["kind"] == "attempt":
        began, ended = _moment(entry.get("began")), _moment(entry.get("ended"))
        error = attempt.error or str(entry.get("error") or "")
        return replace(attempt, began=began, ended=ended if began else None, error=error)
    traceback = str(entry.get("traceback") or "")
    is_lost = entry["kind"] == "worker_lost"
    message = str(entry.get("message") or "")
    return replace(attempt, error=message, traceback=traceback, is_lost=is_lost)


def _last(row: models.Run, turn: int) -> Attempt | None:
    """Return the last attempt as the row's own columns have it."""
    if row.started_at is None or not row.attempt:
        return None
    last = Attempt(number=row.attempt, began=row.started_at, ended=row.finished_at, turn=turn)
    if row.status == Status.RUNNING:
        return replace(last, ended=None, became=Status.RUNNING)
    if row.status in (Status.SUCCEEDED, Status.SKIPPED):
        return replace(last, became=row.status)
    error = "" if "error" in row.get_deferred_fields() else last_line(row.error)
    # Whoever cancelled or discarded it wrote `finished_at` anew: how long it took is not known.
    ended = row.started_at if row.status == Status.CANCELLED else row.finished_at
    return replace(last, ended=ended, error=error)


def _moment(text: Any) -> datetime | None:
    try:
        found = parse_datetime(str(text))
    except ValueError:
        return None
    if found is None or not is_aware(found):
        return None
    # What is told in another zone must still be a time there.
    return found if datetime.min.year < found.year < datetime.max.year else None
