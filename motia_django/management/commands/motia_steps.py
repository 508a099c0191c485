"""`manage.py motia_steps`: see Steps, run them, follow them, develop with them."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.management.base import BaseCommand, CommandParser

from motia_django.commands.base import (
    Subcommand,
    SubcommandParser,
    add_djangos_options,
    errors_in_one_line,
    names_of,
    quiet_if_nobody_reads,
    refuse_others,
    refuse_unreadable,
)
from motia_django.commands.batches import Batches
from motia_django.commands.controls import Cancel, Pause, Prune, Resume
from motia_django.commands.dead import Dead, Discard, Redrive
from motia_django.commands.dev import Dev
from motia_django.commands.graph import ShowGraph
from motia_django.commands.importing import Import
from motia_django.commands.new import New
from motia_django.commands.openapi import OpenApi
from motia_django.commands.repeats import Rerun, Retry
from motia_django.commands.runs import Enqueue, Runs, RunStep
from motia_django.commands.schedules import Override, Sync
from motia_django.commands.state import State
from motia_django.commands.steps import Check, ListSteps, Show
from motia_django.commands.trace import Trace
from motia_django.commands.uninstall import Uninstall

ALL: tuple[type[Subcommand], ...] = (
    ListSteps,
    Show,
    Check,
    ShowGraph,
    OpenApi,
    RunStep,
    Enqueue,
    Runs,
    Trace,
    Dead,
    Redrive,
    Discard,
    Batches,
    Retry,
    Rerun,
    Cancel,
    Pause,
    Resume,
    Override,
    Prune,
    State,
    Sync,
    Dev,
    New,
    Import,
    Uninstall,
)


class Command(BaseCommand):
    """Gives each subcommand its own arguments and help."""

    help = "See the project's Steps, run them, follow their runs, and develop with them."
    requires_system_checks: list[str] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._known: dict[str, set[str]] = {}
        """Of each subcommand the names of its options."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a subparser for each subcommand; without one, the Steps are listed."""
        words = parser.add_subparsers(
            dest="subcommand", metavar="subcommand", parser_class=SubcommandParser
        )
        for each in ALL:
            inner = words.add_parser(each.name, help=each.help, description=each.help)
            each(self.stdout).add_arguments(inner)
            add_djangos_options(inner)
            self._known[each.name] = names_of(inner)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand."""
        subcommand = self._subcommand(options.get("subcommand") or "list")
        with errors_in_one_line(), quiet_if_nobody_reads():
            refuse_unreadable(options)
            refuse_others(options, self._known.get(subcommand.name))
            if subcommand.tells_warnings or (subcommand.needs_checks and _has_errors()):
                self.check(display_num_errors=False)
            subcommand.run(options)

    def _subcommand(self, name: str) -> Subcommand:
        return next(each(self.stdout) for each in ALL if each.name == name)


def _has_errors() -> bool:
    """Return whether the project's checks find anything for which nothing may start."""
    return any(each.is_serious() and not each.is_silenced() for each in checks.run_checks())
