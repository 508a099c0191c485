"""What the overview is made of: each thing asked once, of the Steps that its reader may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone

from motia_django import consumers, ledger, models
from motia_django.admin import permits, tallies
from motia_django.ledger import pulse
from motia_django.ledger.errors import DeadBy
from motia_django.ledger.waits import Waiting
from motia_django.registry import registry
from motia_django.runs import Status
from motia_django.standings import Standing, late_schedules

WORRYING = pulse.SILENT_AFTER
"""A run that waits for a worker for longer than that is worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How the deployment is, in numbers and names."""

    failing: dict[str, int]
    """Steps that failed in the last hour and how often, most often first."""
    dead: int
    answered: int
    """Of these, how many are answers that failed: whoever waited for them was told."""
    killers: Sequence[DeadBy]
    """The errors that the dead died of, those that killed last first."""
    more_killers: bool
    """Whether there are others, that were not looked at."""
    stranded: Mapping[str, int]
    """How many runs wait for each Step that is not there, if one has waited for longest."""
    untaken: Mapping[pulse.Place, int]
    """How many runs wait for each trigger that its Step does not have."""
    oldest: models.Run | None
    """The run that has waited for a worker for longest; those of paused Steps wait on purpose."""
    waited: timedelta | None
    next_in_turn: models.Run | None
    """The run that has waited for its turn for longest, behind others of its group or limit."""
    waited_in_turn: timedelta | None
    overdue: int
    """Runs that upkeep should have sent by now."""
    silent: Sequence[models.Worker]
    alive: Sequence[models.Worker]
    unconsumed: Mapping[str, Sequence[str]]
    """Celery queues that no worker consumes, each with the Steps whose runs go there."""
    late: Sequence[Standing]
    paused: Mapping[str, models.Pause]
    lapsed: Sequence[models.Override]
    """What operators said of schedules that are gone or changed, and that no longer applies."""
    minutes: Sequence[pulse.Minute]
    tallied: ledger.Tallies
    """What became no run in the last day."""

    @property
    def waits_long(self) -> bool:
        """Whether some run has waited for a worker for too long."""
        return self.waited is not None and self.waited > WORRYING


def of(request: HttpRequest) -> Vitals:
    """Ask for everything."""
    seen, paused = permits.visible(request), ledger.paused()
    held = [step for step in paused if step in registry()]
    waits = pulse.longest_queued(seen, but=held)
    stranded = _stranded(waits.for_worker)
    if stranded:
        waits = pulse.longest_queued(seen, but=[*held, *stranded])
    oldest, waited = _since(waits.for_worker)
    next_in_turn, waited_in_turn = _since(waits.for_turn)
    alive, silent = pulse.known_workers()
    placed = ledger.placed()
    dead, answered = pulse.dead_and_answered(seen)
    killers, more_killers = ledger.dead_by_error(seen)
    return Vitals(
        failing=pulse.failing(seen),
        dead=dead,
        answered=answered,
        killers=killers,
        more_killers=more_killers,
        stranded=stranded,
        untaken={
            place: times
            for place, times in pulse.strays(Status.SCHEDULED).triggers.items()
            if seen is None or place[0] in seen
        },
        oldest=oldest,
        waited=waited,
        next_in_turn=next_in_turn,
        waited_in_turn=waited_in_turn,
        overdue=pulse.late(seen),
        silent=silent,
        alive=alive,
        unconsumed=_unconsumed(alive, seen),
        late=[
            each
            for each in late_schedules(placed=placed)
            if seen is None or each.listener.step.name in seen
        ],
        paused={step: each for step, each in paused.items() if seen is None or step in seen},
        lapsed=[each for each in ledger.lapsed(placed) if seen is None or each.step in seen],
        minutes=pulse.last_hour(seen),
        tallied=ledger.tallied(tallies.DAY, seen),
    )


def _unconsumed(
    alive: Sequence[models.Worker], seen: Sequence[str] | None
) -> Mapping[str, Sequence[str]]:
    """Return the queues that nobody consumes, with those of their Steps that may be seen."""
    found = {
        queue: [each for each in steps if seen is None or each in seen]
        for queue, steps in consumers.unconsumed(alive).items()
    }
    return {queue: steps for queue, steps in found.items() if steps}


def _stranded(longest: Waiting | None) -> Mapping[str, int]:
    if longest is None or longest[0].step in registry():
        return {}
    return pulse.strays(Status.QUEUED).steps


def _since(found: Waiting | None) -> tuple[models.Run, timedelta] | tuple[None, None]:
    """Return a run that waits, and for how long it has."""
    return (found[0], timezone.now() - found[1]) if found else (None, None)
