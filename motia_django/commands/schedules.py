"""`sync`: the Steps' schedules into the rows of django-celery-beat, without waiting for beat."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError

from motia_django.beat import DATABASE_APP
from motia_django.commands.base import Subcommand, add_format
from motia_django.registry import registry

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
            self.out.write(f"\n{counts}")
        if done["taken"]:
            raise CommandError(
                f"{', '.join(done['taken'])}: a periodic task of another kind has this name."
                " Rename or delete it, else the Step does not run on its schedule."
            )


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
