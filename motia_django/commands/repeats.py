"""`retry` and `rerun`: what waits is tried at once, what is finished is run anew."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from motia_django import repeats
from motia_django.commands.base import Subcommand, operator, parsed_json
from motia_django.commands.bulk import Bulk
from motia_django.commands.runs import use_broker_of_dev
from motia_django.commands.selection import parsed_ids
from motia_django.exceptions import CannotIntervene
from motia_django.ledger.interventions import WAITING


class Retry(Bulk):
    """`motia_steps retry <run id>... | filters`."""

    name = "retry"
    help = "Try runs that wait, scheduled or queued, at once: by id, or all that match."
    past = "sent to be tried at once"
    statuses = WAITING

    def act(self, options: Mapping[str, Any]) -> Callable[[UUID], None]:
        return partial(repeats.retry, by=operator(), reason=options["reason"])


class Rerun(Subcommand):
    """`motia_steps rerun <run id>...`."""

    name = "rerun"
    help = "Run finished runs again, each as a new run, and print the new ones' ids."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="+", metavar="run id")
        parser.add_argument("--input", help="another input for the new runs, as JSON")
        parser.add_argument("--reason", default="", help="why, for the runs' timelines")

    def run(self, options: Mapping[str, Any]) -> None:
        use_broker_of_dev()
        given = options.get("input")
        changes = {} if given is None else {"input": parsed_json(given, "--input")}
        refused = 0
        for run_id in parsed_ids(options["ids"]):
            try:
                new = repeats.rerun(run_id, by=operator(), reason=options["reason"], **changes)
            except CannotIntervene as error:
                refused += 1
                self.out.write(f"refused: {error}")
            else:
                self.out.write(str(new))
        if refused:
            raise CommandError(f"{refused} of {len(options['ids'])} refused")
