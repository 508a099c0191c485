"""`retry` and `rerun`: what waits is tried at once, what is finished is run anew."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Exists, OuterRef, Q

from motia_django import ledger, repeats
from motia_django.commands.base import operator, parsed_json
from motia_django.commands.bulk import Bulk
from motia_django.commands.runs import use_broker_of_dev
from motia_django.commands.selection import Selection, asked_statuses, is_fingerprint, statuses
from motia_django.exceptions import CannotIntervene
from motia_django.ledger.interventions import WAITING
from motia_django.repeats import REPEATED
from motia_django.runs import Status, new_run_id


class Retry(Bulk):
    """`motia_steps retry <run id>... | filters`."""

    name = "retry"
    help = "Try runs that wait, scheduled or queued, at once: by id, or all that match."
    past = "sent to be tried at once"
    statuses = WAITING

    def act(self, options: Mapping[str, Any]) -> Callable[[UUID], None]:
        return partial(repeats.retry, by=operator(), reason=options["reason"])


class Rerun(Bulk):
    """`motia_steps rerun <run id>... | filters`."""

    name = "rerun"
    help = "Run finished runs again, each as a new run: by id, or all that match."
    past = "run again"
    begins = True
    statuses = (Status.SUCCEEDED,)
    only = ~Q(trigger="http")

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        known = ", ".join(REPEATED)
        parser.add_argument(
            "--status",
            type=statuses,
            help=f"only those of this status, or of several: some of {known}; else succeeded",
        )
        parser.add_argument(
            "--error", metavar="TEXT", help="only those whose last error has this text"
        )
        parser.add_argument("--input", help="another input for the runs of these ids, as JSON")

    def run(self, options: Mapping[str, Any]) -> None:
        if options.get("ids") and not options.get("dry_run"):
            self._run_each(self.selection(options), self.act(options))
        else:
            super().run(options)

    def act(self, options: Mapping[str, Any]) -> Callable[[UUID], UUID]:
        hand = {"by": operator(), "reason": options["reason"]}
        if options.get("ids"):
            return partial(repeats.rerun, **hand, **_changes(options))
        _changes(options)
        return partial(repeats.rerun_once, **hand)

    def refusal(self, run_id: UUID, options: Mapping[str, Any]) -> str:
        if options.get("ids"):
            return repeats.refusal(run_id, **_changes(options))
        return "".join(each.refusal for each in repeats.refusals(ledger.rows(id=run_id)))

    def selection(self, options: Mapping[str, Any]) -> Selection:
        """Return the runs that are meant: none that was run again, none that is made on the way."""
        if is_fingerprint(options.get("error") or ""):
            raise CommandError(
                "--error: expected a part of an error's text, got a fingerprint, which finished"
                " runs have only while they are dead",
                returncode=2,
            )
        chosen = super().selection(options)
        started = ledger.rows(parent_id=OuterRef("id")).exclude(trace_id=OuterRef("trace_id"))
        first = Q(~Exists(started), id__lte=new_run_id())
        return replace(chosen, matching=chosen.matching & first)

    def statuses_for(self, options: Mapping[str, Any]) -> Sequence[Status]:
        asked = [Status(each) for each in asked_statuses(options) or self.statuses]
        if not set(asked) <= set(REPEATED):
            known = ", ".join(REPEATED)
            raise CommandError(
                f"--status: expected some of {known} (dead runs are redriven),"
                f" got {','.join(asked)}",
                returncode=2,
            )
        return asked

    def _kind(self, options: Mapping[str, Any]) -> str:
        return f"{super()._kind(options)} that were not run again yet"

    def _run_each(self, chosen: Selection, act: Callable[[UUID], UUID]) -> None:
        """Run each of these again, and print the new ones' ids, in order."""
        use_broker_of_dev()
        refused, (ids, _) = 0, chosen.read()
        for run_id in ids:
            try:
                self.say(str(act(run_id)))
            except CannotIntervene as error:
                refused += 1
                self.say(f"refused: {error}")
        if refused:
            raise CommandError(f"{refused} of {len(ids)} refused")


def _changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the runs is to be another; raise `CommandError` for what cannot be."""
    if options.get("input") is None:
        return {}
    if not options.get("ids"):
        raise CommandError("--input is for runs given by their ids", returncode=2)
    return {"input": parsed_json(options["input"], "--input")}
