"""The ticks of schedules: the newest one, borne by beat itself, made up for if beat was down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

from motia_django import dispatch, ledger
from motia_django.celery_app import project_app
from motia_django.conf import settings
from motia_django.registry import Listener, registry
from motia_django.triggers import CronTrigger

T = TypeVar("T")
logger = logging.getLogger("motia.ticks")

GRACE = timedelta(seconds=60)
"""A tick that is later than this is no longer late but missed, and for `catchUp` to decide."""


def trigger_of(step: str, index: int) -> CronTrigger:
    """Return a Step's cron trigger."""
    trigger = registry().step(step).triggers[index]
    assert isinstance(trigger, CronTrigger)
    return trigger


def zone_of(trigger: CronTrigger) -> tzinfo:
    """Return the time zone of a trigger: its own, or else the Celery app's."""
    return trigger.timezone or project_app().timezone


def newest(trigger: CronTrigger) -> datetime | None:
    """Return the last time up to now that a trigger was due, in UTC, if there was one."""
    return trigger.schedule.latest(datetime.now(UTC), zone_of(trigger))


def bear(step: str, index: int) -> str | None:
    """Start the run of the newest tick here, in beat; return when it was due, for beat's message.

    The message starts the same run, unless it is there. So a tick needs the database or the broker
    while it is due, and not both.
    """
    due = newest(trigger_of(step, index))
    if due is None:
        return None
    try:
        _with_database(partial(dispatch.tick, step, index, due))
    except Exception:
        logger.exception("Beat could not keep a tick of %s; its message will", step)
    return due.isoformat()


def catch_up(listeners: Iterable[Listener]) -> None:
    """Start the newest tick of each trigger with `catchUp`, if it has not had its run.

    A trigger of which no tick is on record is new: it has missed nothing.
    """
    try:
        for each in listeners:
            trigger = trigger_of(each.step.name, each.index)
            if trigger.catch_up:
                _with_database(partial(_make_up, each.step.name, each.index, trigger))
    except Exception:
        logger.exception("Missed ticks could not be looked for")


def _make_up(step: str, index: int, trigger: CronTrigger) -> None:
    due = newest(trigger)
    if due is None or _may_be_pruned(due) or not ledger.has_ticked(step, index, trigger.source):
        return
    if dispatch.tick(step, index, due):
        logger.info("The tick of %s that was due at %s was missed and runs now", step, due)


def _may_be_pruned(due: datetime) -> bool:
    """Return whether a tick is so old that the history may have forgotten its run."""
    days = [each for each in settings().retention.values() if each is not None]
    return bool(days) and datetime.now(UTC) - due >= timedelta(days=min(days))


def _with_database(work: Callable[[], T]) -> T:
    """Do work on the ledger; if the connection turns out to be broken, once more on a new one.

    Beat lives long and works seldom: nobody else looks after its connections.
    """
    database = connections[ledger.database()]
    if database.in_atomic_block:
        return work()
    database.close_if_unusable_or_obsolete()
    try:
        return work()
    except (OperationalError, InterfaceError):
        if database.is_usable():
            raise
        database.close()
        return work()
    finally:
        database.close_if_unusable_or_obsolete()
