"""Doing one thing to many runs: say what, ask, do it batch by batch, and tell what was refused."""

from __future__ import annotations

import sys
import time
from abc import abstractmethod
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Q

from motia_django import ledger, operations
from motia_django.commands.base import Subcommand, how_many
from motia_django.commands.runs import use_broker_of_dev
from motia_django.commands.selection import (
    Selection,
    add_filters,
    known_keys,
    matching,
    parsed_ids,
)
from motia_django.operations import Result
from motia_django.runs import Status

MOST_STEPS = 10
"""Steps that the question names, and runs that are named for each reason of a refusal."""
_SECONDS_BETWEEN_SIGNS = 2.0


class Bulk(Subcommand):
    """A subcommand that does one thing to the runs of these ids, or to all that match."""

    past: ClassVar[str]
    """`redriven`: what was done to them."""
    statuses: ClassVar[tuple[Status, ...]]
    """Those that it can be done to."""
    only: ClassVar[Q] = Q()
    """What the filters leave out, since it can never be done to them."""
    begins: ClassVar[bool] = False
    """Whether Steps have work by it: those that are paused are told then."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="run id", default=[])
        add_filters(parser, dead=Status.DEAD in self.statuses)
        parser.add_argument("--all", action="store_true", help=f"all {self._kind({})}")
        parser.add_argument("--limit", type=how_many, help="at most so many, the oldest first")
        parser.add_argument("--reason", default="", help="why, for the runs' timelines")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    @abstractmethod
    def act(self, options: Mapping[str, Any]) -> Callable[[UUID], object]:
        """Return what is done to one run, which may raise `CannotIntervene`."""

    def refusal(self, run_id: UUID, options: Mapping[str, Any]) -> str:
        """Return why it cannot be done to a run; an empty text if it can."""
        run = ledger.find(run_id)
        if run is None:
            return f"run {run_id} is not there"
        return "" if run.status in self.statuses else f"run {run_id} is {run.status}"

    def warn(self, run_ids: Sequence[UUID], steps: Iterable[str]) -> None:
        """Say what else there is to know before it is done to these runs, for which Steps."""
        for name in sorted(set(steps) & set(ledger.paused())) if self.begins else ():
            self.say(f"{name} is paused: its runs wait until it is resumed.")

    def run(self, options: Mapping[str, Any]) -> None:
        use_broker_of_dev()
        chosen = self.selection(options)
        act = self.act(options)
        ids, steps = chosen.read()
        if not ids:
            self.say(f"None of the {self._kind(options)} matches: nothing to do.")
            return
        if not chosen.ids:
            self._say(len(ids), steps)
        self.warn(ids, self.takers(steps, options))
        if options.get("dry_run"):
            results: Iterable[Result] = (
                Result(run_id=run_id, refusal=self.refusal(run_id, options)) for run_id in ids
            )
            self._report(results, len(ids), f"would be {self.past}", "would be refused")
            return
        if not chosen.ids and not options.get("yes"):
            confirm(f"{self.name.capitalize()} {runs_in_words(len(ids))}?")
        self._report(operations.many(ids, act), len(ids), self.past, "refused")

    def selection(self, options: Mapping[str, Any]) -> Selection:
        """Return the runs that are meant; raise `CommandError` if nothing says which."""
        ids, filters = parsed_ids(options.get("ids") or ()), matching(options)
        keys = known_keys(options)
        if ids and (filters or keys or options.get("all")):
            raise CommandError("give either the ids of runs, or filters, not both", returncode=2)
        if not (ids or filters or keys or options.get("all")):
            raise CommandError(
                f"say which runs: their ids, filters, or --all for all {self._kind(options)}",
                returncode=2,
            )
        statuses = self.statuses_for(options)
        matched = filters & self.only
        return Selection(
            statuses=statuses, matching=matched, keys=keys, ids=ids, limit=options.get("limit")
        )

    def statuses_for(self, options: Mapping[str, Any]) -> Sequence[Status]:
        """Return the statuses that the filters look among."""
        return self.statuses

    def takers(self, steps: Mapping[str, int], options: Mapping[str, Any]) -> Iterable[str]:
        """Return the Steps whose runs they will be; those that they are of, mostly."""
        return steps

    def _kind(self, options: Mapping[str, Any]) -> str:
        return f"{' and '.join(self.statuses_for(options))} runs"

    def _say(self, count: int, steps: Mapping[str, int]) -> None:
        of_them = "matches" if count == 1 else "match"
        self.say(f"{runs_in_words(count)} {of_them}:")
        write_steps(self, steps)

    def _report(self, results: Iterable[Result], count: int, done: str, refused: str) -> None:
        tally = Tally(self, count)
        for each in results:
            tally.add(each)
        self.say(f"{runs_in_words(tally.done)} {done}.")
        tally.write_refusals(refused)
        if tally.refused:
            raise CommandError(f"{runs_in_words(tally.refused)} {refused}")


class Tally:
    """How many runs it was done to, and why not to others; says from time to time how far it is."""

    def __init__(self, teller: Subcommand, count: int) -> None:
        self.done = 0
        self.refused = 0
        self._teller = teller
        self._count = count
        self._refusals: dict[str, list[UUID]] = {}
        self._numbers: Counter[str] = Counter()
        self._said = time.monotonic()

    def add(self, result: Result) -> None:
        """Count what became of one run."""
        if result.refusal:
            self.refused += 1
            self._numbers[result.reason] += 1
            examples = self._refusals.setdefault(result.reason, [])
            examples += [result.run_id] if len(examples) < MOST_STEPS else []
        else:
            self.done += 1
        if time.monotonic() - self._said >= _SECONDS_BETWEEN_SIGNS:
            self._said = time.monotonic()
            self._teller.say(f"  {self.done + self.refused:,} of {self._count:,} ...")
            self._teller.out.flush()

    def write_refusals(self, word: str) -> None:
        """Print the reasons, the most frequent first, with some runs of each."""
        for reason, number in self._numbers.most_common():
            self._teller.say(f"{runs_in_words(number)} {word}: {reason}")
            for run_id in self._refusals[reason]:
                self._teller.say(f"  {run_id}")
            if number > len(self._refusals[reason]):
                self._teller.say(f"  and {number - len(self._refusals[reason]):,} more")


def write_steps(teller: Subcommand, counts: Mapping[str, int]) -> None:
    """Print how many runs there are of each Step, the most first; of many Steps only some."""
    steps = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    for step, number in steps[:MOST_STEPS]:
        teller.say(f"  {number:>9,}  {step}")
    others = len(steps) - MOST_STEPS
    if others > 0:
        teller.say(f"  and those of {others:,} other Step{'s' * (others != 1)}")


def confirm(question: str) -> None:
    """Ask whoever sits there; raise `CommandError` if the answer is no, or nobody can be asked."""
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody can be asked here: add --yes", returncode=2)
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing was done.")


def runs_in_words(count: int) -> str:
    """Return `1 run`, or `1,234 runs`."""
    return f"{count:,} run" if count == 1 else f"{count:,} runs"
