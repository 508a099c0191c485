"""What operators do to single schedules, whatever beat's scheduler: pause, resume, retime.

Where django-celery-beat has a row for a schedule, the row's `enabled` says whether it is paused;
otherwise our own table does. When it is due, if not as its file says, is in our table alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from django.apps import apps
from django.utils.translation import gettext as _

from motia_django import ledger, models, ticks
from motia_django.exceptions import CannotIntervene
from motia_django.ledger.overrides import Key
from motia_django.registry import Listener, registry
from motia_django.schedule import entry_name
from motia_django.triggers import CronTrigger
from motia_django.triggers.cron import CronExpression, Timing

logger = logging.getLogger("motia.operations")
LONGEST = 255


def schedule(step: str, index: int) -> Listener:
    """Return a Step's cron trigger; raise `UnknownStep`, or `CannotIntervene` if it is none."""
    triggers = registry().step(step).triggers
    if not 0 <= index < len(triggers) or not isinstance(triggers[index], CronTrigger):
        text = _("Step %(step)r has no cron trigger with the index %(index)d")
        raise CannotIntervene(text % {"step": step, "index": index})
    return Listener(step=registry().step(step), index=index, trigger=triggers[index])


def pause(listener: Listener, *, by: str, reason: str = "") -> bool:
    """Let no tick of a schedule be born until it is resumed; return False if it was paused already.

    Its Step goes on with all else. What comes due meanwhile is not made up for.
    """
    states = row_states()
    if is_paused(listener, ledger.override_of(*key_of(listener)), states):
        return False
    in_row = entry_name(listener) in states and _set_enabled(entry_name(listener), False)
    ledger.resume_schedule(key_of(listener))  # a pause that the row's `enabled` has ended
    done = ledger.pause_schedule(key_of(listener), by=by, reason=reason, in_row=in_row) or in_row
    if done:
        logger.warning("The schedule %s was paused by %s", entry_name(listener), by)
    return done


def resume(listener: Listener, *, by: str, seen: str | None = None) -> bool:
    """Let a schedule's ticks be born again; return False if it was not paused.

    Also if another pause than the one `seen` is in force, which is what `ledger.pause_seen` gave.
    """
    override = ledger.override_of(*key_of(listener))
    if seen not in (None, ledger.pause_seen(override)):
        return False
    rows = {entry_name(listener), *_rows_of(override)}
    held = [name for name in rows if _set_enabled(name, True)]
    done = ledger.resume_schedule(key_of(listener)) or bool(held)
    if done:
        logger.warning("The schedule %s was resumed by %s", entry_name(listener), by)
    return done


def retime(
    listener: Listener,
    expression: str,
    zone: str,
    *,
    by: str,
    reason: str = "",
    seen: str | None = None,
) -> Timing | None:
    """Put another expression, in a time zone, in the place of the file's; return what now counts.

    An empty `zone` leaves the time zone as it is declared. Raise `CannotIntervene` for what is no
    expression or no time zone. Return None, and do nothing, if something else was said since it was
    `seen`, which is what `ledger.timing_seen` gave.
    """
    timing = Timing(expression_of(expression), zone_of(zone) if zone else declared(listener).zone)
    values = {"expression": timing.expression.text, "zone": zone}
    if not ledger.retime(key_of(listener), **values, by=by, reason=reason, seen=seen):
        return None
    _refresh_row(listener)
    logger.warning("The schedule %s was set to %s by %s", entry_name(listener), timing, by)
    return timing


def restore(listener: Listener, *, by: str, seen: str | None = None) -> bool:
    """Let the file say again when a schedule is due; return False if it did so already.

    Also if something else was said since it was `seen`, which is what `ledger.timing_seen` gave.
    """
    done = ledger.restore_timing(key_of(listener), seen=seen)
    if done:
        _refresh_row(listener)
        logger.warning("The schedule %s was restored by %s", entry_name(listener), by)
    return done


def remove_lapsed(number: int, *, by: str) -> models.Override | None:
    """Forget what an operator wanted of a trigger that is not there any more, and return it.

    None if it is gone already, or its trigger is back.
    """
    lapsed = ledger.forget_lapsed(number)
    if lapsed is not None:
        for name in _rows_of(lapsed):
            _set_enabled(name, True)
        logger.warning("What was said of the schedule %s was removed by %s", lapsed, by)
    return lapsed


def key_of(listener: Listener) -> Key:
    """Return what a schedule is known by in our table."""
    return listener.step.name, listener.index


def declared(listener: Listener) -> Timing:
    """Return when a schedule is due as its file says."""
    assert isinstance(listener.trigger, CronTrigger)
    return ticks.declared(listener.trigger)


def row_states() -> Mapping[str, bool]:
    """Return whether each of django-celery-beat's rows may run; empty where there are none."""
    if not apps.is_installed("django_celery_beat"):
        return {}
    from motia_django.beat import rows

    return rows.enabled_by_name()


def is_paused(
    listener: Listener, override: models.Override | None, states: Mapping[str, bool]
) -> bool:
    """Return whether a schedule is paused, by its row or by our table."""
    if states.get(entry_name(listener)) is False:
        return True
    is_ours = override is not None and override.is_paused
    return is_ours and not any(states.get(name) for name in _rows_of(override))


def expression_of(expression: str) -> CronExpression:
    """Return a cron expression; raise `CannotIntervene` that says what is wrong with it."""
    text = " ".join(expression.split())
    try:
        if len(text) > LONGEST:
            raise ValueError(_("it has more than %d characters") % LONGEST)
        return CronExpression.parse(text)
    except ValueError as error:
        told = _("%(text).100r is no cron expression: %(why)s")
        raise CannotIntervene(told % {"text": text, "why": error}) from error


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; raise `CannotIntervene` if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        text = _("there is no time zone %r, such as Europe/Berlin")
        raise CannotIntervene(text % name) from error


def _rows_of(override: models.Override | None) -> list[str]:
    """Return the name of the row that is not enabled because of a pause, if there is one."""
    if override is None or not (override.is_paused and override.in_row):
        return []
    return [ticks.entry_name(override.step, override.index)]


def _set_enabled(name: str, enabled: bool) -> bool:
    if not apps.is_installed("django_celery_beat"):
        return False
    from motia_django.beat import rows

    return rows.set_enabled(name, enabled)


def _refresh_row(listener: Listener) -> None:
    if apps.is_installed("django_celery_beat"):
        from motia_django.beat import rows

        rows.refresh(listener)
