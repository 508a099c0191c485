"""`cancel`, `pause`, `resume` and `prune`: what is not to run, not now, or not to be kept."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from shlex import quote
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from motia_django import ledger, operations
from motia_django.beat import operators
from motia_django.commands.base import Subcommand, operator
from motia_django.commands.bulk import Bulk, confirm, runs_in_words, write_steps
from motia_django.commands.runs import use_broker_of_dev
from motia_django.commands.schedules import schedule_of
from motia_django.commands.selection import add_keys, all_by_keys, asked_keys, known
from motia_django.commands.steps import told
from motia_django.conf import settings
from motia_django.ledger.interventions import WAITING
from motia_django.runs import Status
from motia_django.schedule import entry_name

FINAL = tuple(each for each in Status if each.final)


class Cancel(Bulk):
    """`motia_steps cancel <run id>... | filters`."""

    name = "cancel"
    help = "Cancel runs that wait, scheduled or queued: by id, or all that match."
    past = "cancelled"
    statuses = WAITING

    def act(self, options: Mapping[str, Any]) -> Callable[[UUID], None]:
        return partial(operations.cancel, by=operator(), reason=options["reason"])


class Pause(Subcommand):
    """`motia_steps pause <step>`."""

    name = "pause"
    help = "Let no run of a Step begin until it is resumed; what runs goes on."
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("step_name", metavar="step", help="the Step's name")
        parser.add_argument("--reason", default="", help="why, for whoever finds it paused")
        add_schedule(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        if options.get("schedule") is not None:
            listener = schedule_of(options["step_name"], options["schedule"])
            done = operators.pause(listener, by=operator(), reason=options["reason"])
            what = "is paused: its ticks are left out" if done else "was paused already"
            self.say(f"{entry_name(listener)} {what}.")
            return
        step = known(options["step_name"])
        if operations.pause(step, by=operator(), reason=options["reason"]):
            self.say(f"{step} is paused: its runs wait until it is resumed.")
        else:
            self.say(f"{step} was paused already: {told(ledger.paused()[step])}.")


class Resume(Subcommand):
    """`motia_steps resume <step>`."""

    name = "resume"
    help = "Let a paused Step go on with the runs that wait."
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("step_name", metavar="step", help="the Step's name")
        add_schedule(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        if options.get("schedule") is not None:
            listener = schedule_of(options["step_name"], options["schedule"])
            done = operators.resume(listener, by=operator())
            what = "is resumed" if done else "was not paused"
            self.say(f"{entry_name(listener)} {what}.")
            return
        use_broker_of_dev()
        step = options["step_name"]
        if operations.resume(step, by=operator()):
            self.say(f"{step} is resumed: the workers take what waits within a second or so.")
        else:
            self.say(f"{known(step)} was not paused.")


class Prune(Subcommand):
    """`motia_steps prune`."""

    name = "prune"
    help = (
        "Delete old history, as upkeep does by itself: by the setting RETENTION, or as said. Or"
        " what is finished of one index key, however young."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--status", choices=[each.value for each in FINAL])
        parser.add_argument("--older-than", type=float, metavar="DAYS", help="for this --status")
        add_keys(parser, "in place of both: all with this index key: customer=17")
        parser.add_argument(
            "--caused", action="store_true", help="with --key: and all that these have caused"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def run(self, options: Mapping[str, Any]) -> None:
        if options.get("key") is not None or options.get("caused"):
            self._erase(options)
            return
        ages = _ages(options)
        if options.get("dry_run"):
            for status, days in ages.items():
                count = operations.prunable(status, days)
                self.say(f"{_told(status, days)}: {count:,} would be deleted")
            return
        if options.get("older_than") is not None and not options.get("yes"):
            [(status, days)] = ages.items()
            count = operations.prunable(status, days)
            confirm(f"Delete {runs_in_words(count)}, {_told(status, days)}?")
        for status, days in ages.items():
            self._prune(status, days)

    def _erase(self, options: Mapping[str, Any]) -> None:
        caused = bool(options.get("caused"))
        standings = list(ledger.standings(_of_key(options)))
        unfinished = [run_id for run_id, _step, status in standings if not status.final]
        left = set(ledger.with_causes(unfinished) if caused else unfinished)
        gone = {run_id: step for run_id, step, _status in standings if run_id not in left}
        what = " and ".join(asked_keys(options))
        which = what + (", and what those runs caused" if caused else "")
        finished = runs_in_words(len(standings) - len(unfinished))
        self.say(f"{which}: {finished} finished, {len(unfinished):,} not")
        write_steps(self, Counter(gone.values()))
        if gone and not options.get("dry_run"):
            if not options.get("yes"):
                confirm(f"Delete {runs_in_words(len(gone))}?")
            deleted = sum(operations.erase(list(gone)))
            self.say(f"{runs_in_words(deleted)} deleted.")
        if unfinished:
            by_them = ", with what has led there" if caused else ""
            keys = " ".join(f"--key {quote(each)}" for each in asked_keys(options))
            raise CommandError(
                f"{runs_in_words(len(unfinished))} not finished, and left{by_them}: cancel what"
                f" waits (motia_steps cancel {keys}), and come again"
            )

    def _prune(self, status: Status, days: float) -> None:
        total = 0
        for count in operations.prune(status, days):
            total += count
            if total % (20 * operations.PRUNED_AT_ONCE) == 0:
                self.say(f"  {total:,} ...")
                self.out.flush()
        self.say(f"{_told(status, days)}: {total:,} deleted")


def add_schedule(parser: ArgumentParser) -> None:
    """Add `--schedule INDEX`."""
    parser.add_argument(
        "--schedule", type=int, metavar="INDEX", help="only the cron trigger of this index"
    )


def _of_key(options: Mapping[str, Any]) -> list[UUID]:
    """Return the runs that `--key` means, with those that they have caused if that is said."""
    if options.get("key") is None:
        raise CommandError("--caused is said with --key", returncode=2)
    if options.get("status") or options.get("older_than") is not None:
        raise CommandError(
            "--key means all that is finished: leave out --status and --older-than", returncode=2
        )
    found = all_by_keys(options)
    return ledger.with_caused(found) if options.get("caused") else found


def _ages(options: Mapping[str, Any]) -> dict[Status, float]:
    """Return after how many days the runs of each status are deleted."""
    days, status = options.get("older_than"), options.get("status")
    if days is not None:
        if not status:
            raise CommandError("--older-than is said with --status", returncode=2)
        if not 0 <= days < 1e5:
            raise CommandError(
                f"--older-than: expected days, from 0 to 100,000, got {days:g}", returncode=2
            )
        return {Status(status): days}
    kept = settings().retention
    if status and kept[status] is None:
        raise CommandError(
            f"MOTIA['RETENTION'] keeps {status} runs for ever: say --older-than", returncode=2
        )
    return {
        Status(each): age
        for each, age in kept.items()
        if age is not None and status in (None, each)
    }


def _told(status: Status, days: float) -> str:
    return f"{status} for more than {days:g} day{'s' * (days != 1)}"
