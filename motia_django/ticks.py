"""The ticks of schedules: the newest one, borne by beat itself, made up for if beat was down.

A schedule is due when its file says so, unless an operator has put another expression in its place;
and no tick is born that comes due while he has paused it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.apps import apps
from django.db import DatabaseError, InterfaceError, OperationalError, connections

from motia_django import dispatch, ledger, models
from motia_django.celery_app import project_app
from motia_django.conf import settings
from motia_django.moments import utc
from motia_django.registry import Listener, registry
from motia_django.timeline import Entry
from motia_django.triggers import CronTrigger
from motia_django.triggers.cron import CronExpression, Timing

T = TypeVar("T")
logger = logging.getLogger("motia.ticks")

GRACE = timedelta(seconds=60)
"""A tick that is later than this is no longer late but missed, and for `catchUp` to decide."""


FRESH = 5.0
"""Seconds after which beat looks again for what operators have overridden."""
PREFIX = "motia:"
"""What the names of the Steps' entries begin with."""
LONGEST_NAME = 200
"""Characters of an entry's name: what django-celery-beat's column holds."""


def entry_name(step: str, index: int) -> str:
    """Return the name of a trigger's entry, such as `motia:Work:0`; a long one ends in a digest."""
    name = f"{PREFIX}{step}:{index}"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: LONGEST_NAME - 17]}~{digest}"


def trigger_of(step: str, index: int) -> CronTrigger:
    """Return a Step's cron trigger."""
    trigger = registry().step(step).triggers[index]
    assert isinstance(trigger, CronTrigger)
    return trigger


def zone_of(trigger: CronTrigger) -> tzinfo:
    """Return the time zone of a trigger: its own, or else the Celery app's."""
    return trigger.timezone or project_app().timezone


def declared(trigger: CronTrigger) -> Timing:
    """Return when a trigger is due as its file says."""
    return Timing(trigger.schedule, zone_of(trigger))


def in_force(declared: Timing, override: models.Override | None) -> Timing:
    """Return when a schedule is due: as the override says, or else as it is declared."""
    if override is None or not override.expression:
        return declared
    try:
        zone = ZoneInfo(override.zone) if override.zone else declared.zone
        return Timing(_expression(override.expression), zone)
    except (ValueError, KeyError):
        logger.exception("The override of %s cannot be read: its file counts", override)
        return declared


class Known:
    """What beat knows of the overrides: the table as it was read last, some seconds ago."""

    def __init__(self) -> None:
        self._found: Mapping[tuple[str, int], models.Override] = {}
        self._read_at = -FRESH
        self.is_away = False
        """Whether the database did not answer when it was asked last."""

    def override(self, step: str, index: int) -> models.Override | None:
        """Return what is on record of a schedule, without asking the database."""
        return self._found.get((step, index))

    def refresh(self) -> bool:
        """Read the table if it was not read lately; return whether any schedule's time changed.

        While the database is away, what was known before counts; and so it does whatever else goes
        wrong here, since beat ends with any error, and all schedules with beat.
        """
        if time.monotonic() - self._read_at < FRESH:
            return False
        self._read_at = time.monotonic()
        before = self._times()
        try:
            self._found = _with_database(ledger.overrides)
            if self.is_away:
                logger.info("Overrides of schedules can be read again")
            self.is_away = False
        except Exception as error:
            if not self.is_away:
                of_database = isinstance(error, (DatabaseError, InterfaceError))
                text = "Overrides of schedules cannot be read now: %s"
                logger.warning(text, error, exc_info=not of_database)
            self.is_away = True
        return self._times() != before

    def _times(self) -> dict[tuple[str, int], tuple[str, str]]:
        found = self._found.items()
        return {key: (each.expression, each.zone) for key, each in found if each.expression}


known = Known()


def newest(step: str, index: int) -> datetime | None:
    """Return the last time up to now that a trigger was due, in UTC, if there was one."""
    timing = in_force(declared(trigger_of(step, index)), known.override(step, index))
    return timing.latest(datetime.now(UTC))


def tick(step: str, index: int, due: datetime) -> UUID | None:
    """Start the run of a tick; None if it is skipped, has had its run, or an operator forbids it.

    He does by a pause during which it comes due, or by an expression by which it does not. The
    timeline of a run that is due by his expression, and not by its file's, says so.
    """
    override = ledger.override_of(step, index)
    if override is None:
        return dispatch.tick(step, index, due)
    of_file = declared(trigger_of(step, index))
    timing = in_force(of_file, override)
    if _forbids(override, timing, due):
        logger.debug("A tick of %s is not born: an operator has paused or changed it", step)
        return None
    note = None if timing is of_file else _note(override, timing)
    return dispatch.tick(step, index, due, note)


def is_enabled_in_row(name: str) -> bool:
    """Return whether django-celery-beat has an entry of this name that may run."""
    if not apps.is_installed("django_celery_beat"):
        return False
    rows = apps.get_model("django_celery_beat", "PeriodicTask")._default_manager
    return bool(rows.filter(name=name, enabled=True).exists())


def bear(step: str, index: int) -> str | None:
    """Start the run of the newest tick here, in beat; return when it was due, for beat's message.

    The message starts the same run, unless it is there. So a tick needs the database or the broker
    while it is due, and not both.
    """
    due = newest(step, index)
    if due is None:
        return None
    try:
        _with_database(partial(tick, step, index, due))
    except Exception:
        logger.exception("Beat could not keep a tick of %s; its message will", step)
    return due.isoformat()


def catch_up(listeners: Iterable[Listener]) -> bool:
    """Start the newest tick of each trigger with `catchUp`, if it has not had its run.

    A trigger of which no earlier tick is on record is new: it has missed nothing.

    Return False if the database is away: then it is to be done again.
    """
    known.refresh()
    if known.is_away:
        return False
    try:
        for each in listeners:
            trigger = trigger_of(each.step.name, each.index)
            if trigger.catch_up:
                _with_database(partial(_make_up, each.step.name, each.index, trigger))
    except (OperationalError, InterfaceError) as error:
        logger.warning("Missed ticks cannot be looked for now: %s", error)
        return False
    except Exception:
        logger.exception("Missed ticks could not be looked for")
    return True


def _make_up(step: str, index: int, trigger: CronTrigger) -> None:
    due = newest(step, index)
    if due is None or _may_be_pruned(due):
        return
    if not ledger.has_ticked(step, index, trigger.source, before=due):
        return
    if tick(step, index, due):
        logger.info("The tick of %s that was due at %s was missed and runs now", step, due)


def _note(override: models.Override, timing: Timing) -> Entry:
    """Return what a run's timeline says of who had it be due, and by which expression."""
    by = override.timed_by or "somebody"
    when = f"`{timing.expression.text}` ({timing.zone})"
    told = f"due by {when}, which {by} put in the place of the file's schedule"
    return {"at": None, "kind": "note", "message": told}


def _forbids(override: models.Override, timing: Timing, due: datetime) -> bool:
    """Return whether a tick is not to be born, by what an operator says of its schedule.

    `timing` is what is in force by that.
    """
    if override.timed_at is not None and due < utc(override.timed_at):
        return True
    if override.expression and timing.latest(due) != due:
        return True
    if override.paused_at is None or due < utc(override.paused_at):
        return False
    if override.resumed_at is not None:
        return due < utc(override.resumed_at)
    return not (override.in_row and is_enabled_in_row(entry_name(override.step, override.index)))


_expression = lru_cache(maxsize=256)(CronExpression.parse)


def _may_be_pruned(due: datetime) -> bool:
    """Return whether a tick is so old that the history may have forgotten its run."""
    days = [each for each in settings().retention.values() if each is not None]
    return bool(days) and datetime.now(UTC) - due >= timedelta(days=min(days))


def _with_database(work: Callable[[], T]) -> T:
    """Do work on the ledger; if the connection turns out to be broken, once more on a new one.

    Beat lives long and works seldom: nobody else looks after its connections. (Whether one is
    usable can be asked of MySQL only while there is one: not when connecting has failed.)
    """
    database = connections[ledger.database()]
    if database.in_atomic_block:
        return work()
    database.close_if_unusable_or_obsolete()
    try:
        return work()
    except (OperationalError, InterfaceError):
        if database.connection is not None and database.is_usable():
            raise
        database.close()
        return work()
    finally:
        database.close_if_unusable_or_obsolete()
