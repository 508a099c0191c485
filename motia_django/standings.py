"""How each schedule is doing: when it is due, whether it rests, and what it has missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from motia_django import ledger, models, ticks
from motia_django.beat import operators
from motia_django.ledger import pulse
from motia_django.ledger.overrides import Key
from motia_django.moments import utc
from motia_django.registry import Listener, registry
from motia_django.ticks import GRACE
from motia_django.triggers import CronTrigger
from motia_django.triggers.cron import Timing

MOST_MISSED = 100
"""Ticks that are counted; and that of the last day alone."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one cron trigger is doing."""

    listener: Listener
    trigger: CronTrigger
    declared: Timing
    """When it is due as its file says."""
    timing: Timing
    """When it is due."""
    override: models.Override | None
    """What is on record of operators, in force or not."""
    last: models.Run | None
    """Its newest run, without the large columns."""
    is_paused: bool
    missed: int
    """Ticks since its last run, of the last day at most, that should have come; up to a bound."""

    @property
    def is_overridden(self) -> bool:
        """Whether an operator says when it is due."""
        return self.override is not None and bool(self.override.expression)

    @property
    def is_late(self) -> bool:
        """Whether it should have run by now, and did not."""
        return self.missed > 0


def standings(
    now: datetime | None = None, *, placed: ledger.Placed | None = None
) -> list[Standing]:
    """Return how each cron trigger is doing, in the order of their Steps' names.

    `placed` is what operators have on record, if the caller has just asked for it.
    """
    listeners = sorted(registry().schedules, key=operators.key_of)
    overrides, states = ledger.overrides(placed), operators.row_states()
    last = pulse.last_ticks([operators.key_of(each) for each in listeners])
    return [
        _standing(each, overrides.get(operators.key_of(each)), states, last, now or timezone.now())
        for each in listeners
    ]


def late_schedules(
    now: datetime | None = None, *, placed: ledger.Placed | None = None
) -> list[Standing]:
    """Return how those cron triggers are doing whose last tick should have run by now, and did not.

    One that never ran is not among them: it may be new. Neither is one that an operator paused.
    """
    return [each for each in standings(now, placed=placed) if each.is_late]


def _standing(
    listener: Listener,
    override: models.Override | None,
    states: Mapping[str, bool],
    last: Mapping[Key, models.Run],
    now: datetime,
) -> Standing:
    assert isinstance(listener.trigger, CronTrigger)
    declared = operators.declared(listener)
    timing = ticks.in_force(declared, override)
    newest = last.get(operators.key_of(listener))
    is_paused = operators.is_paused(listener, override, states)
    is_counted = newest is not None and not is_paused
    return Standing(
        listener=listener,
        trigger=listener.trigger,
        declared=declared,
        timing=timing,
        override=override,
        last=newest,
        is_paused=is_paused,
        missed=sum(1 for _ in _missed(timing, newest, override, utc(now))) if is_counted else 0,
    )


def _missed(
    timing: Timing, last: models.Run | None, override: models.Override | None, now: datetime
) -> Iterator[datetime]:
    """Yield the ticks that should have come since the last run, or an operator's last word."""
    marks = [last.created_at if last else None, override.since if override else None]
    begin = max(utc(each) for each in marks if each is not None)
    newest = timing.latest(now - GRACE)
    if newest is None or newest - begin <= GRACE:
        return
    due = timing.after(max(begin, now - DAY))
    if due is None or due > newest:  # it is longer ago than a day
        yield newest
        return
    for _number in range(MOST_MISSED):
        if due is None or due > newest:
            return
        yield due
        due = timing.after(due)
