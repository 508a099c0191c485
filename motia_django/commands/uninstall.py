"""`uninstall`: what this app has put into the project's servers is taken out of them again."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connections, router
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count

from motia_django import ledger, models
from motia_django.beat import DATABASE_APP
from motia_django.commands.base import Subcommand
from motia_django.commands.bulk import runs_in_words
from motia_django.exceptions import MotiaError
from motia_django.ledger import batches, pulse
from motia_django.runs import UNFINISHED, Status
from motia_django.stores import state_store

_APP = "motia"


class Uninstall(Subcommand):
    """`motia_steps uninstall`."""

    name = "uninstall"
    help = "Delete all that this app has put into the project's database, beat's rows and Redis."
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--yes", action="store_true", help="do it, with whatever is unfinished; else only tell"
        )

    def run(self, options: Mapping[str, Any]) -> None:
        try:
            unfinished = self._tell()
            if options.get("yes"):
                self._refuse()
                self._remove()
            elif unfinished:
                raise CommandError(
                    f"Nothing was removed. Unfinished: {unfinished}. Let them finish, or drop them"
                    " by --yes."
                )
            else:
                self.say("Nothing is unfinished. Nothing was removed: that is done by --yes.")
        except (DatabaseError, MotiaError) as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error

    def _tell(self) -> str:
        """Print what would be lost; return what of it is unfinished, in words."""
        if not _is_migrated(ledger.database()):
            self.say("There are no tables: nothing is kept in them.")
            return ""
        runs = ledger.rows().order_by().filter(status__in=UNFINISHED)
        by_step = list(runs.values_list("step").annotate(Count("id")).order_by("step"))
        for step, count in by_step:
            self.say(f"  {count:>9,}  unfinished runs of {step}")
        waiting = batches.batches().filter(finished_at=None).count()
        kept = {
            "unfinished batches": waiting,
            "dead runs": ledger.rows().filter(status=Status.DEAD).count(),
            "groups of state": len(state_store().groups()),
            "items of streams": models.StreamItem.objects.count(),
        }
        for what, count in kept.items():
            self.say(f"  {count:>9,}  {what}")
        count = sum(count for _, count in by_step)
        batch = "1 batch" if waiting == 1 else f"{waiting:,} batches"
        return " and ".join([runs_in_words(count)] * bool(count) + [batch] * bool(waiting))

    def _refuse(self) -> None:
        """Raise `CommandError` while workers work, or if other apps would lose tables as well."""
        for alias in _databases():
            executor = MigrationExecutor(connections[alias])
            plan = executor.migration_plan([(_APP, None)])
            others = [str(each) for each, _ in plan if each.app_label != _APP]
            if others:
                raise CommandError(
                    f"Nothing was removed. These migrations depend on this app's, and would be"
                    f" undone with them: {', '.join(others)}"
                )
        if _is_migrated(ledger.database()) and (alive := pulse.live_workers()):
            raise CommandError(
                f"Nothing was removed, since workers are at work: {', '.join(map(str, alive))}."
                " Stop them first; one that was killed counts as such for half a minute."
            )

    def _remove(self) -> None:
        """Remove everything; what was broken off can be done again."""
        if apps.is_installed(DATABASE_APP):
            from motia_django.beat import rows

            self.say(f"Rows of django-celery-beat deleted: {len(rows.remove())}")
        state_store().drop()
        for alias in _databases():
            call_command("migrate", _APP, "zero", database=alias, verbosity=0, interactive=False)
            self.say(f"Tables and migrations undone on the database {alias!r}")
        if apps.is_installed("django.contrib.contenttypes"):
            _remove_content_types()
            self.say("Content types and permissions deleted")
        self.say(
            "Now take 'motia_django' out of INSTALLED_APPS and of the URLs: the next `migrate` that"
            " finds it there makes the tables anew."
        )


def _databases() -> list[str]:
    """Return the databases that the app's tables are on: one, unless routers say otherwise."""
    tables = apps.get_app_config(_APP).get_models()
    found = {router.db_for_write(each) for each in tables if each._meta.managed}
    return [alias for alias in sorted(found) if _is_migrated(alias)]


def _is_migrated(alias: str) -> bool:
    applied = MigrationExecutor(connections[alias]).recorder.applied_migrations()
    return any(app == _APP for app, _ in applied)


def _remove_content_types() -> None:
    """Delete the models' content types, and with them their permissions, whoever has those."""
    from django.contrib.contenttypes.models import ContentType

    ContentType.objects.filter(app_label=_APP).delete()
    ContentType.objects.clear_cache()
