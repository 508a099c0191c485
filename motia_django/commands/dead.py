"""`dead`, `redrive` and `discard`: find dead runs, run them again, or lay them aside."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Q
from django.utils import timezone

from motia_django import ledger, operations
from motia_django.commands.base import Subcommand, add_format, how_many, operator, parsed_json, zone
from motia_django.commands.bulk import Bulk
from motia_django.commands.runs import described, hint_for_gone, key_cell, key_head, step_of
from motia_django.commands.selection import (
    Selection,
    add_filters,
    first_of,
    known,
    known_to_history,
    matching,
)
from motia_django.ledger import aftermath
from motia_django.ledger.aftermath import Aftermath
from motia_django.ledger.errors import MOST_RUNS, DeadBy
from motia_django.ledger.interventions import WAITING
from motia_django.models import Run
from motia_django.moments import utc
from motia_django.registry import registry
from motia_django.runs import ANSWERED, Status, in_short, last_line
from motia_django.timeline import clock

_NONE = "No run is dead, or none that was asked for."


class Dead(Subcommand):
    """`motia_steps dead`."""

    name = "dead"
    help = "List dead runs, those that were born last first."
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_filters(parser, dead=True)
        parser.add_argument(
            "--groups", action="store_true", help="errors instead of runs, with how many each has"
        )
        parser.add_argument("--oldest", action="store_true", help="the oldest first")
        parser.add_argument("--limit", type=how_many, default=20, help="how many, 20 by default")
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        limit = options["limit"]
        if options.get("groups"):
            self._show_groups(options, limit)
            return
        rows = ledger.rows(status=Status.DEAD).filter(matching(options))
        oldest_first = bool(options.get("oldest"))
        shown = first_of(rows, options, limit + 1, oldest_first=oldest_first)
        if options.get("format") == "json":
            self.json(described(shown[:limit]))
            return
        if not shown:
            self.say(_NONE)
            return
        keys = ledger.keys_of_runs(row.id for row in shown[:limit])
        self.table(
            ("RUN", f"DIED ({zone()})", "AGE", "STEP", *key_head(keys), "TRIGGER", "TRY", "ERROR"),
            [_line(row, keys) for row in shown[:limit]],
        )
        if len(shown) > limit:
            self.say("", f"There are more than {limit}: see more with --limit, or narrow them.")
        hint = hint_for_gone(shown[:limit])
        if hint:
            self.say("", *hint)

    def _show_groups(self, options: Mapping[str, Any], limit: int) -> None:
        """Show what killed the runs, what killed last first; perhaps of one Step."""
        others = [
            name for name in ("topic", "key", "error", "since", "before") if options.get(name)
        ]
        if others:
            raise CommandError(f"--groups: not together with --{others[0]}", returncode=2)
        step = options.get("step")
        found, is_cut = ledger.dead_by_error([known_to_history(step)] if step else None)
        groups = found[:limit]
        if options.get("format") == "json":
            self.json([_described_group(group) for group in groups])
            return
        if not found:
            self.say(_NONE)
            return
        self.table(
            ("FINGERPRINT", "RUNS", f"FIRST ({zone()})", "LAST", "STEP", "ERROR"),
            [_group_line(group) for group in groups],
        )
        if is_cut or len(groups) < len(found):
            self.say("", "There are more errors than are shown.")


class Redrive(Bulk):
    """`motia_steps redrive <run id>... | filters`."""

    name = "redrive"
    help = "Queue dead runs again, their attempts afresh: by id, or all that match."
    past = "redriven"
    begins = True
    statuses = (Status.DEAD,)
    only = ~Q(trigger__in=ANSWERED)

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--input", help="another input for the runs of these ids, as JSON")
        parser.add_argument(
            "--to",
            metavar="STEP",
            help="another Step; also for runs that wait for a Step or topic that is gone",
        )
        parser.add_argument(
            "--insist", action="store_true", help="even if today's schema rejects the input"
        )

    def run(self, options: Mapping[str, Any]) -> None:
        if options.get("input") is not None and options.get("ids"):
            self._say_groups(self.selection(options))
        super().run(options)

    def act(self, options: Mapping[str, Any]) -> Callable[[UUID], None]:
        return partial(
            operations.redrive,
            by=operator(),
            reason=options["reason"],
            insist=bool(options.get("insist")),
            as_of=_as_of(options),
            **_changes(options),
        )

    def warn(self, run_ids: Sequence[UUID], steps: Iterable[str]) -> None:
        """Say also what their deaths have started already."""
        super().warn(run_ids, steps)
        found = aftermath.of_deaths(run_ids)
        if found.deaths:
            what = f"started runs, and nothing of that is undone: {found.told()}"
            self.say(f"{_deaths(found)} {what}")

    def refusal(self, run_id: UUID, options: Mapping[str, Any]) -> str:
        insist = bool(options.get("insist"))
        return operations.refusal(run_id, insist=insist, **_changes(options))

    def takers(self, steps: Mapping[str, int], options: Mapping[str, Any]) -> Iterable[str]:
        return [known(options["to"])] if options.get("to") else steps

    def statuses_for(self, options: Mapping[str, Any]) -> Sequence[Status]:
        step = options.get("step")
        is_gone = options.get("to") and step and not _is_there(step, options.get("topic"))
        return (*self.statuses, *WAITING) if is_gone else self.statuses

    def _say_groups(self, chosen: Selection) -> None:
        """Say what another input does not change."""
        for row in chosen.rows():
            if row.message_group:
                self.say(
                    f"{row.id}: message group {row.message_group}"
                    " (stays the same, whatever the input says)"
                )


class Discard(Bulk):
    """`motia_steps discard <run id>... | filters`."""

    name = "discard"
    help = "Lay dead runs aside: they become cancelled. By id, or all that match."
    past = "discarded"
    statuses = (Status.DEAD,)

    def act(self, options: Mapping[str, Any]) -> Callable[[UUID], None]:
        hand = {"by": operator(), "reason": options["reason"]}
        return partial(operations.discard, **hand, as_of=_as_of(options))


def _as_of(options: Mapping[str, Any]) -> datetime | None:
    """Return when the runs are looked for; what dies while the question is open, is left."""
    return None if options.get("ids") else timezone.now()


def _is_there(step: str, source: str | None) -> bool:
    """Return whether there is this Step, and of its triggers the one with this source, if any."""
    if step not in registry():
        return False
    triggers = registry().step(step).triggers
    return source is None or any(each.starts_by(source) for each in triggers)


def _changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the runs is to be another; raise `CommandError` for what cannot be."""
    changes: dict[str, Any] = {}
    if options.get("input") is not None:
        if not options.get("ids"):
            raise CommandError("--input is for runs given by their ids", returncode=2)
        changes["input"] = parsed_json(options["input"], "--input")
    if options.get("to"):
        changes["to"] = known(options["to"])
    return changes


def _deaths(found: Aftermath) -> str:
    """Return how many deaths have started runs: `12 of these 400 deaths have`."""
    if found.are_all and found.looked_at == 1:
        return "This death has"
    among = f"these {found.looked_at:,} deaths"
    if not found.are_all:
        among = f"the {found.looked_at:,} deaths that were looked at"
    return f"{found.deaths:,} of {among} {'has' if found.deaths == 1 else 'have'}"


def _group_line(group: DeadBy) -> tuple[object, ...]:
    is_more = group.runs > MOST_RUNS
    return (
        group.fingerprint,
        f"{MOST_RUNS:,}+" if is_more else f"{group.runs:,}",
        *(clock(died_at(each)) for each in (group.first, group.last)),
        step_of(group.last),
        in_short(group.last.error)[:80],
    )


def _described_group(group: DeadBy) -> dict[str, Any]:
    return {
        "fingerprint": group.fingerprint,
        "step": group.last.step,
        "error": last_line(group.last.error),
        "runs": min(group.runs, MOST_RUNS),
        "isMore": group.runs > MOST_RUNS,
        "firstAt": utc(died_at(group.first)),
        "lastAt": utc(died_at(group.last)),
        "lastRun": group.last.id,
    }


def died_at(row: Run) -> datetime:
    """Return when a dead run died."""
    return row.finished_at or row.created_at


def _line(row: Run, keys: Mapping[UUID, Sequence[str]]) -> tuple[object, ...]:
    died = died_at(row)
    return (
        row.id,
        clock(died),
        _age(timezone.now() - died),
        step_of(row),
        *key_cell(row, keys),
        f"{row.trigger} {row.source}".strip(),
        row.attempt,
        in_short(row.error)[:80],
    )


def _age(length: timedelta) -> str:
    """Return an age in its largest unit: `3 h`."""
    seconds = max(int(length.total_seconds()), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
