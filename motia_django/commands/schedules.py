"""`override` and `sync`, and what else is done to and told of single schedules."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.db import Error, OperationalError, ProgrammingError

from motia_django import ledger, models, ticks
from motia_django.beat import DATABASE_APP, operators
from motia_django.commands.base import Subcommand, add_format, operator
from motia_django.commands.selection import known
from motia_django.exceptions import CannotIntervene
from motia_django.moments import utc
from motia_django.registry import Listener, registry
from motia_django.schedule import entry_name

_WORDS = ("added", "changed", "removed", "unchanged", "paused", "taken")


class Sync(Subcommand):
    """`motia_steps sync`."""

    name = "sync"
    help = "Write the Steps' schedules into the rows of django-celery-beat, as beat does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        done = _reconciled()
        if options.get("format") == "json":
            self.json(done)
        else:
            rows = [(name, what) for what in _WORDS[:4] for name in done[what]]
            self.table(("SCHEDULE", "ROW"), [(name, _row(name, what, done)) for name, what in rows])
            counts = ", ".join(f"{len(done[what])} {what}" for what in _WORDS[:5])
            self.say("", f"{counts}")
        if done["taken"]:
            raise CommandError(
                f"{', '.join(done['taken'])}: a periodic task of another kind has this name."
                " Rename or delete it, else the Step does not run on its schedule."
            )


class Override(Subcommand):
    """`motia_steps override <step> <expression>`."""

    name = "override"
    help = "Put another expression in the place of the one in a Step's file, or drop that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("step_name", metavar="step", help="the Step's name")
        parser.add_argument("expression", nargs="?", help="when it is to be due, as in config")
        parser.add_argument("--drop", action="store_true", help="let the file say it again")
        parser.add_argument("--schedule", type=int, metavar="INDEX", help="of the trigger")
        parser.add_argument("--timezone", default="", help="as it is declared, if not said")
        parser.add_argument("--reason", default="", help="why, for whoever finds it overridden")

    def run(self, options: Mapping[str, Any]) -> None:
        expression, drop = options.get("expression"), options.get("drop")
        if bool(expression) == bool(drop):
            raise CommandError("Say either an expression or --drop", returncode=2)
        listener = schedule_of(options["step_name"], options.get("schedule"))
        name = entry_name(listener)
        if drop:
            done = operators.restore(listener, by=operator())
            self.say(f"{name} {'is due as its file says' if done else 'was not overridden'}.")
            return
        asks = {"by": operator(), "reason": options["reason"]}
        try:
            timing = operators.retime(listener, str(expression), options["timezone"], **asks)
        except CannotIntervene as error:
            raise CommandError(str(error), returncode=2) from error
        self.say(f"{name} is due by {timing}.")


def schedule_of(step: str, index: int | None) -> Listener:
    """Return a Step's cron trigger, its only one if none is named; raise `CommandError`."""
    there = [index for index, _ in registry().step(known(step)).triggers_of("cron")]
    if index is None and len(there) == 1:
        [index] = there
    if index not in there:
        named = "" if index is None else f" {index}"
        others = f": its schedules are {', '.join(map(str, there))}" if there else ""
        wrong = f"{step} has no schedule{named}{others}"
        asked = f"{step}: name one by --schedule{others}"
        raise CommandError(asked if there and index is None else wrong, returncode=2)
    return operators.schedule(step, index)


def facts(listener: Listener) -> dict[str, Any]:
    """Return when a schedule is due, and what operators say of it."""
    override, states = _on_record(listener)
    timing = ticks.in_force(operators.declared(listener), override)
    due = timing.after(datetime.now(UTC))
    told: dict[str, Any] = {
        "timezone": str(timing.zone),
        "next": due.astimezone(timing.zone) if due else None,
    }
    if operators.is_paused(listener, override, states):
        told["paused"] = _pause(override)
    if override is not None and override.expression:
        told["overridden"] = {
            "expression": timing.expression.text,
            "since": override.timed_at and utc(override.timed_at),
            "by": override.timed_by,
            "reason": override.timing_reason,
        }
    return told


def _pause(override: models.Override | None) -> dict[str, Any]:
    """Return since when, by whom and why a schedule is paused; none of it is in beat's own rows."""
    if override is None or not override.is_paused:
        return {"since": None, "by": "", "reason": ""}
    since = override.paused_at and utc(override.paused_at)
    return {"since": since, "by": override.paused_by, "reason": override.pause_reason}


def remarks() -> Callable[[Listener], str]:
    """Return what says of a schedule whether operators have paused or overridden it: or nothing."""
    try:
        overrides, states = ledger.overrides(), operators.row_states()
    except Error:
        overrides, states = {}, {}

    def remark(listener: Listener) -> str:
        override = overrides.get(operators.key_of(listener))
        paused = " (paused)" if operators.is_paused(listener, override, states) else ""
        expression = override.expression if override else ""
        return paused + (f" (overridden: {expression})" if expression else "")

    return remark


def _on_record(listener: Listener) -> tuple[models.Override | None, Mapping[str, bool]]:
    """Return what the database says of a schedule: nothing, where it is away or not migrated."""
    try:
        return ledger.override_of(*operators.key_of(listener)), operators.row_states()
    except Error:
        return None, {}


def _reconciled() -> dict[str, list[str]]:
    if not apps.is_installed(DATABASE_APP):
        raise CommandError(
            f"There is nothing to sync with: {DATABASE_APP!r} is not in INSTALLED_APPS. Only its"
            " DatabaseScheduler keeps schedules in the database; Celery's own needs no sync."
        )
    from motia_django.beat import rows

    try:
        return asdict(rows.reconcile(registry()))
    except (OperationalError, ProgrammingError) as error:
        raise CommandError(
            f"django-celery-beat's rows cannot be written: {error}. Has it been migrated?"
        ) from error


def _row(name: str, what: str, done: Mapping[str, list[str]]) -> str:
    return f"{what}, paused" if name in done["paused"] else what
