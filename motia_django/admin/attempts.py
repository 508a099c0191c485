"""A run's attempts: when each was and what became of it, as far as it was noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from motia_django import models
from motia_django.runs import Status, last_line
from motia_django.timeline import AFRESH, WOKEN, moment_of

FAILED = "failed"
SNOOZED = "snoozed"
"""What became of an attempt, besides running, succeeded and skipped."""
_ENDED_EARLY = (WOKEN, "retried")
"""The kinds of entries that tell that a snooze was over before its time."""
_ERRORS = ("error", "worker_lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a run, or one call of its handler that was snoozed."""

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
    until: datetime | None = None
    """Of one that was snoozed: when that was over, or is to be, as far as it was noted."""
    besides: int = 0
    """How many more calls like it there were, of which it was not noted when."""
    besides_worked: timedelta = timedelta()


def attempts_of(row: models.Run, timeline: Any = None) -> list[Attempt]:
    """Return a run's attempts, oldest first, as its timeline tells of those that did not succeed.

    Without a timeline there is the last one at most, of which the row itself tells.
    """
    entries = timeline if isinstance(timeline, list) else []
    told = list(_told(entries))
    last = _last(row, len(redrives(entries)))
    if last is None:
        return told
    is_told = bool(told) and told[-1].number == last.number
    if not (is_told and told[-1].became == last.became == FAILED):
        return [*told, last]
    if told[-1].began is not None:
        return told
    return [*told[:-1], replace(told[-1], began=last.began, ended=last.ended)]


def working_time(row: models.Run) -> timedelta | None:
    """Return how long the last attempt took, or has taken until now."""
    if row.started_at is None or row.status == Status.CANCELLED:
        return None
    if row.status == Status.RUNNING:
        return timezone.now() - row.started_at
    return row.finished_at - row.started_at if row.finished_at else None


def redrives(timeline: Any) -> list[dict[str, Any]]:
    """Return what a timeline tells of redrives, each of which begins to count attempts anew."""
    entries = timeline if isinstance(timeline, list) else []
    return [each for each in entries if isinstance(each, dict) and each.get("kind") in AFRESH]


def redriven_at(timeline: Any) -> list[datetime]:
    """Return when a run was redriven, as far as its timeline tells."""
    moments = (moment_of(each.get("time")) for each in redrives(timeline))
    return [each for each in moments if each is not None]


def _told(entries: Sequence[Any]) -> Iterator[Attempt]:
    """Read the attempts that failed or were snoozed out of a timeline."""
    found: list[Attempt] = []
    turn = 0
    for entry in entries:
        kind = entry.get("kind") if isinstance(entry, dict) else None
        turn += kind in AFRESH
        last = found[-1] if found else None
        if kind in _ENDED_EARLY and last is not None and last.became == SNOOZED:
            found[-1] = replace(last, until=moment_of(entry.get("time")) or last.until)
        number = entry.get("attempt") if kind is not None else None
        if isinstance(number, int) and kind == SNOOZED:
            found += _calls(entry, number, turn)
        elif isinstance(number, int) and kind in (*_ERRORS, "attempt"):
            is_same = last and (last.turn, last.number, last.became) == (turn, number, FAILED)
            before = found.pop() if is_same else Attempt(number=number, turn=turn)
            found.append(_with(before, entry))
    yield from found


def _calls(entry: dict[str, Any], number: int, turn: int) -> list[Attempt]:
    """Return the calls of a handler that an entry tells of, each of which was snoozed."""
    reason, noted, times = str(entry.get("reason") or ""), entry.get("calls"), entry.get("times")
    one = Attempt(number=number, became=SNOOZED, error=reason, turn=turn)
    calls = [call for each in noted if (call := _call(each))] if isinstance(noted, list) else []
    if not calls:
        return [one]
    found = [replace(one, began=began, ended=ended) for began, ended in calls]
    if isinstance(times, int) and times > len(calls):
        worked = _length(entry.get("worked")) - sum((b - a for a, b in calls), timedelta())
        rest = max(worked, timedelta())
        found[0] = replace(found[0], besides=times - len(calls), besides_worked=rest)
    return [*found[:-1], replace(found[-1], until=moment_of(entry.get("until")))]


def _call(noted: Any) -> tuple[datetime, datetime] | None:
    """Return when a call was, which is noted by its beginning and its seconds."""
    try:
        text, took = noted
        began = moment_of(text)
        return (began, began + timedelta(seconds=took)) if began else None
    except (TypeError, ValueError, OverflowError):
        return None


def _with(attempt: Attempt, entry: dict[str, Any]) -> Attempt:
    if entry["kind"] == "attempt":
        began, ended = moment_of(entry.get("began")), moment_of(entry.get("ended"))
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


def _length(seconds: Any) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (TypeError, ValueError, OverflowError):
        return timedelta()
