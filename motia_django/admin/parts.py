"""The parts of a deployment, and how each is: broker, database, workers with their upkeep, beat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connections
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import ledger
from motia_django.admin import words
from motia_django.admin.vitals import Vitals
from motia_django.celery_app import project_app
from motia_django.checks.asking import ask, reach
from motia_django.registry import registry
from motia_django.standings import Standing

SLOW = timedelta(seconds=0.25)
"""A database that takes so long over a question that has no work in it is in trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the deployment, and how it is."""

    name: str
    told: str
    is_bad: bool


def parts(now: Vitals) -> list[Part]:
    """Return how each part is."""
    broker = _broker()
    beat = _beat(now.late, is_cut_off=broker.is_bad)
    return [broker, _database(), _workers(now), _upkeep(now.overdue), beat]


def _broker() -> Part:
    """Ask the broker, but not for long."""
    try:
        ask(_reach)
    except Exception as error:
        text = _("It does not answer: %s. Messages wait in the database until it does.")
        return Part(name=_("broker"), told=text % type(error).__name__, is_bad=True)
    return Part(name=_("broker"), told=_("It answers."), is_bad=False)


def _reach() -> None:
    with project_app().connection_for_write() as connection:
        reach(connection)


def _database() -> Part:
    """Ask the database that the runs are in; were it not there, nor would this page be."""
    connection = connections[ledger.database()]
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    took = timedelta(seconds=time.perf_counter() - began)
    facts = {"name": connection.display_name, "duration": words.duration(took)}
    told = _("%(name)s answers within %(duration)s.") % facts
    return Part(name=_("database"), told=told, is_bad=took > SLOW)


def _workers(now: Vitals) -> Part:
    alive, silent = now.alive, now.silent
    text = ngettext("%(count)d worker is alive", "%(count)d workers are alive", len(alive))
    told = text % {"count": len(alive)}
    if alive:
        told += f": {', '.join(each.name for each in alive)}"
    if silent:
        told += _("; silent: %s") % ", ".join(each.name for each in silent)
    if not alive:
        told += _("; nothing runs in the background until one is started")
    return Part(name=_("workers"), told=f"{told}.", is_bad=bool(silent) or not alive)


def _upkeep(overdue: int) -> Part:
    if not overdue:
        told = _("Nothing is late to be sent.")
        return Part(name=_("upkeep"), told=told, is_bad=False)
    text = ngettext(
        "%d run should have been sent by now. Upkeep is part of each worker: is one running?",
        "%d runs should have been sent by now. Upkeep is part of each worker: is one running?",
        overdue,
    )
    return Part(name=_("upkeep"), told=text % overdue, is_bad=True)


def _beat(late: Sequence[Standing], *, is_cut_off: bool) -> Part:
    """Say whether its ticks come; while there is no broker, it may be running and send none."""
    if not registry().schedules:
        return Part(name=_("beat"), told=_("No Step has a schedule."), is_bad=False)
    if late:
        told = _("Its last tick did not come: %s.") % ", ".join(
            f"{each.listener.step.name} ({each.timing.expression.text})" for each in late
        )
        if not is_cut_off:
            told += " " + _("Is beat running?")
        return Part(name=_("beat"), told=told, is_bad=True)
    return Part(name=_("beat"), told=_("No schedule is late."), is_bad=False)
