"""The waterfall of a trace: of each run, when it waited and when it worked, on one axis of time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils.translation import gettext as _

from motia_django import models
from motia_django.admin import words
from motia_django.admin.attempts import FAILED, SNOOZED, Attempt
from motia_django.runs import Status

TICKS = 4
"""About so many times stand on the axis."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
"""Seconds between two of them; below that, and above it in days, 1, 2 or 5 and zeros."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a run's life."""

    begins: datetime
    ends: datetime
    kind: str
    """In the style sheet: `waited`, `backoff`, `snoozed`, `called`, `failed`, or a status."""
    told: str
    is_open: bool = False
    """Whether it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A stretch as it is drawn: lengths are parts of the whole width."""

    x: str
    width: str
    end: str
    kind: str
    told: str
    is_open: bool
    is_waiting: bool
    is_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A time on the axis."""

    x: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The time that all runs of a trace took together."""

    begins: datetime
    length: timedelta

    def marks(self, spans: Sequence[Span]) -> list[Mark]:
        """Return the stretches as they are drawn, in their order."""
        return [self._mark(each) for each in spans]

    def ticks(self) -> list[Tick]:
        """Return times to read the others by."""
        seconds = self.length.total_seconds()
        step = _step(seconds)
        count = int(seconds / step + 1e-9)
        return [
            Tick(
                x=_percent(number * step / seconds),
                told=words.duration(timedelta(seconds=number * step)) if number else "0",
            )
            for number in range(count + 1)
            if number * step / seconds < 0.97
        ]

    def _mark(self, span: Span) -> Mark:
        begin, end = self._part(span.begins), self._part(span.ends)
        return Mark(
            x=_percent(begin),
            width=_percent(max(end - begin, 0)),
            end=_percent(max(end, begin)),
            kind=span.kind,
            told=span.told,
            is_open=span.is_open,
            is_waiting=span.kind in ("waited", "backoff", SNOOZED),
            is_failed=span.kind == FAILED,
        )

    def _part(self, moment: datetime) -> float:
        return min(max((moment - self.begins) / self.length, 0), 1)


def spans_of(
    row: models.Run, attempts: Sequence[Attempt], now: datetime, redriven: Sequence[datetime] = ()
) -> list[Span]:
    """Return a run's life in stretches; clocks that disagree make none that ends before it begins.

    Attempts of which it is not known when they were are left out. From its death until it was
    `redriven` a run waits for nothing.
    """
    known = [each for each in attempts if each.began is not None]
    spans = list(_first_wait(row, known, now))
    for before, after in pairwise([*known, None]):
        assert before is not None
        spans.append(_worked(before, now))
        spans += _between(row, before, after, now, redriven)
    return spans


def axis_of(spans: Sequence[Span]) -> Axis | None:
    """Return the axis on which all these stretches lie; None if there are none."""
    if not spans:
        return None
    begins = min(each.begins for each in spans)
    ends = max(each.ends for each in spans)
    return Axis(begins=begins, length=max(ends - begins, timedelta(milliseconds=1)))


def in_words(spans: Sequence[Span]) -> str:
    """Return what the stretches show, for those who do not see them."""
    return "; ".join(each.told for each in spans) or _("nothing is known of its times")


def _first_wait(row: models.Run, known: Sequence[Attempt], now: datetime) -> Iterator[Span]:
    """Yield the time from birth to the first attempt, to the end if there was none, or to now."""
    began = known[0].began if known else None
    is_open = began is None and not Status(row.status).final
    ends = now if is_open else began or row.finished_at
    if ends is not None and (ends > row.created_at or is_open):
        yield _wait("waited", row.created_at, ends, is_open=is_open)


def _between(
    row: models.Run,
    before: Attempt,
    after: Attempt | None,
    now: datetime,
    redriven: Sequence[datetime],
) -> Iterator[Span]:
    """Yield the time from one attempt to the next, or to now if the next is still to come."""
    is_open = after is None and row.status in (Status.SCHEDULED, Status.QUEUED)
    begins, ends = before.ended or before.began, now if is_open else after and after.began
    if not (begins and ends and (ends > begins or is_open)):
        return
    afresh = max((each for each in redriven if begins <= each <= ends), default=None)
    if afresh:
        yield _wait("waited", afresh, ends, is_open=is_open)
    elif before.became != SNOOZED:
        yield _wait("backoff", begins, ends, is_open=is_open)
    else:
        over = min(max(before.until or ends, begins), ends)
        goes_on = is_open and row.status == Status.SCHEDULED
        yield _wait(SNOOZED, begins, ends if goes_on else over, is_open=goes_on)
        if not goes_on and (ends > over or is_open):
            yield _wait("waited", over, ends, is_open=is_open)


def _wait(kind: str, begins: datetime, ends: datetime, *, is_open: bool) -> Span:
    so_far, whole = {
        "waited": (_("has waited %s so far"), _("waited %s")),
        "backoff": (_("waits for the next try, %s so far"), _("%s to the next try")),
        SNOOZED: (_("is snoozed, %s so far"), _("snoozed %s")),
    }[kind]
    told = (so_far if is_open else whole) % words.duration(ends - begins)
    return Span(begins=begins, ends=max(ends, begins), kind=kind, told=told, is_open=is_open)


def _worked(attempt: Attempt, now: datetime) -> Span:
    assert attempt.began is not None
    is_open = attempt.became == Status.RUNNING
    ends = now if is_open else attempt.ended or attempt.began
    own = {FAILED: _("failed"), SNOOZED: _("asked to go on later")}
    became = own.get(attempt.became) or words.STATUSES.get(attempt.became, "")
    became = _("its worker was lost") if attempt.is_lost else became
    facts = {
        "number": attempt.number,
        "became": became,
        "length": words.duration(ends - attempt.began),
    }
    told = _("attempt %(number)d: %(became)s, %(length)s") % facts
    return Span(
        begins=attempt.began,
        ends=max(ends, attempt.began),
        kind="called" if attempt.became == SNOOZED else str(attempt.became),
        told=told,
        is_open=is_open,
    )


def _step(seconds: float) -> float:
    """Return a round number of seconds of which about `TICKS` make up the whole."""
    least = seconds / TICKS
    for step in _STEPS:
        if 1 <= least <= step:
            return step
    unit = _STEPS[-1] if least > _STEPS[-1] else 1
    power = unit * 10.0 ** math.floor(math.log10(least / unit))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= least * (1 - 1e-9))


def _percent(part: float) -> str:
    return f"{part * 100:.3f}%"
