"""What a person has to know of imported Steps once they are loaded: what may not be as it was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from motia_django.celery_app import project_app
from motia_django.dispatch import is_asked_at_once
from motia_django.steps import Step
from motia_django.triggers import CronTrigger, StateTrigger

_NUMBERED = re.compile(r"(?<![/#])\d")
"""A day of the week that is a number, and not how many of them, or which of a month's."""


def remarks(steps: Iterable[Step]) -> Iterator[str]:
    """Yield what is to be said of Steps, one sentence or two for each thing."""
    triggers = [(step, trigger) for step in steps for trigger in step.triggers]
    watching = [(step, each) for step, each in triggers if isinstance(each, StateTrigger)]
    yield from dict.fromkeys(
        _watching_all(step, each) for step, each in watching if _hears_all(each)
    )
    crons = [(step, each) for step, each in triggers if isinstance(each, CronTrigger)]
    for step, cron in crons:
        if _numbers_days(cron):
            yield (
                f"{step.name} is due {cron.schedule.words!r} by {cron.schedule.text!r}. Motia 1.0,"
                " unlike all others, counted the days of the week from Sunday as 1: a name, as in"
                " MON, is the same everywhere."
            )
    zone = project_app().timezone
    if str(zone) != "UTC" and any(each.timezone is None for _, each in crons):
        yield (
            f"Schedules are due by the clocks of {zone}, as Celery's timezone says. In Motia they"
            " were due in UTC, or before 1.0 by its server's clock: a trigger's `timezone` says"
            " which is meant."
        )


def _hears_all(trigger: StateTrigger) -> bool:
    """Return whether each write of state makes a run, be it to ask the condition."""
    is_late = trigger.condition is None or not is_asked_at_once(trigger.condition)
    return is_late and not trigger.group_id and not trigger.item_id


def _watching_all(step: Step, trigger: StateTrigger) -> str:
    asked = ", and its condition is asked in a run of its own" if trigger.condition else ""
    return (
        f"{step.name} is started by every write of state in the project{asked}: a groupId narrows"
        " that down."
    )


def _numbers_days(trigger: CronTrigger) -> bool:
    fields = trigger.schedule.text.split()
    return len(fields) > 5 and bool(_NUMBERED.search(fields[5]))
