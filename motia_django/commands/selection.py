"""Which runs a subcommand is about: by their ids, or by filters, read batch by batch."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Q, QuerySet

from motia_django import ledger
from motia_django.exceptions import UnknownStep, did_you_mean
from motia_django.fingerprints import LENGTH
from motia_django.models import Run
from motia_django.moments import as_kept, asked
from motia_django.registry import registry
from motia_django.runs import Status, lowest_id_at

BATCH = 500
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
WHEN = "an age such as 30m, 2h or 7d, or a time such as 2026-11-22T18:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Runs of these statuses that match; or those of these ids, whatever they are."""

    statuses: Sequence[Status]
    matching: Q = field(default_factory=Q)
    keys: Sequence[str] = ()
    """Index keys that they have all of: `orderId=17`, or `17`."""
    ids: Sequence[UUID] = ()
    limit: int | None = None

    def rows(self) -> QuerySet[Run]:
        """Return the rows, oldest first, in the order of their birth."""
        chosen = Q(id__in=list(self.ids)) if self.ids else self.matching
        statuses = {} if self.ids else {"status__in": list(self.statuses)}
        return ledger.rows(**statuses).filter(chosen).order_by("id")

    def read(self) -> tuple[list[UUID], Counter[str]]:
        """Return the ids, and how many there are of each Step; the ids that were given.

        They are read once, batch by batch, so that what is said of runs and what is done to them is
        about the same ones, whatever is born or dies meanwhile.
        """
        if self.ids:
            return list(self.ids)[: self.limit], Counter(self.rows().values_list("step", flat=True))
        ids: list[UUID] = []
        steps: Counter[str] = Counter()
        for run_id, step in islice(self._found(), self.limit):
            ids.append(run_id)
            steps[step] += 1
        return ids, steps

    def _found(self) -> Iterator[tuple[UUID, str]]:
        rows = self.rows().filter(id__lt=lowest_id_at(datetime.now(UTC) + timedelta(seconds=1)))
        if self.keys:
            keyed = ledger.those_with(rows.only("id", "step"), self.keys, oldest_first=True)
            yield from ((row.id, row.step) for row in keyed)
            return
        found: list[tuple[UUID, str]] = list(rows.values_list("id", "step")[:BATCH])
        while found:
            yield from found
            after = rows.filter(id__gt=found[-1][0])
            found = list(after.values_list("id", "step")[:BATCH])


def add_filters(parser: ArgumentParser, *, dead: bool) -> None:
    """Add the options that runs are chosen by."""
    parser.add_argument("--step", metavar="STEP", help="only this Step's")
    parser.add_argument("--topic", help="only those that this topic, or schedule, started")
    when = "died" if dead else "were born"
    if dead:
        parser.add_argument(
            "--error",
            metavar="TEXT",
            help="only those whose error has this text, or is of this fingerprint",
        )
    add_keys(parser, "only those with this index key: orderId=17, or just 17")
    parser.add_argument("--since", metavar="WHEN", help=f"only those that {when} since: {WHEN}")
    parser.add_argument("--before", metavar="WHEN", help=f"only those that {when} before")


def add_keys(parser: ArgumentParser, help: str) -> None:
    """Add `--key`, which may be given several times: runs have each of them then."""
    parser.add_argument("--key", metavar="KEY", action="append", help=f"{help}; several: all")


def matching(options: Mapping[str, Any]) -> Q:
    """Return the filters given on the command line; raise `CommandError` for what is none.

    An index key is none of the columns of a run: it is looked for by itself.
    """
    filters = Q()
    refuse_empty(options)
    if options.get("step"):
        filters &= Q(step=known_to_history(options["step"]))
    if options.get("topic"):
        filters &= Q(source=_known_source(options["topic"]))
    if options.get("error"):
        filters &= _with_error(options["error"])
    if options.get("since"):
        filters &= _compared("gte", moment(options["since"], "--since"))
    if options.get("before"):
        filters &= _compared("lt", moment(options["before"], "--before"))
    return filters


def _with_error(text: str) -> Q:
    """Match a whole error by its fingerprint, or any by a part of it."""
    return Q(fingerprint=text) if is_fingerprint(text) else Q(error__icontains=text)


def is_fingerprint(text: str) -> bool:
    """Return whether a text looks like the fingerprint of an error."""
    return re.fullmatch(rf"[0-9a-f]{{{LENGTH}}}", text) is not None


def parsed_ids(texts: Sequence[str]) -> list[UUID]:
    """Return the ids of runs, each once; raise `CommandError` for what is none."""
    ids = []
    for text in texts:
        try:
            ids.append(UUID(str(text)))
        except ValueError as error:
            raise CommandError(
                f"expected a run's id, such as 01a20481-a3e3-7e98-8543-12a9b22a742e, got {text!r}"
                " (`motia_steps runs --key` finds those with an index key)",
                returncode=2,
            ) from error
    return list(dict.fromkeys(ids))


def known_to_history(step: str) -> str:
    """Return the name of a Step that is there, or of which there are runs."""
    if step not in registry() and not ledger.rows(step=step).exists():
        names = [each.name for each in registry()]
        raise CommandError(f"{UnknownStep(step, names)} Nor is there a run of it.", returncode=2)
    return step


def refuse_empty(options: Mapping[str, Any]) -> None:
    """Raise `CommandError` for a filter that is empty, as of a variable that is not set.

    Left out, it would widen what is done.
    """
    for name in ("step", "to", "topic", "error", "since", "before"):
        if options.get(name) is not None and not str(options[name]).strip():
            raise CommandError(f"--{name}: expected a value, got an empty one", returncode=2)


def all_by_keys(options: Mapping[str, Any]) -> list[UUID]:
    """Return all runs with the index keys of `--key`, which have to be named: `customer=17`."""
    for each in asked_keys(options):
        name, _, value = each.partition("=")
        if not name.strip() or not value:
            raise CommandError(
                f"--key: expected a name and a value, such as customer=17, got {each!r}",
                returncode=2,
            )
    return ledger.all_with(known_keys(options))


def asked_keys(options: Mapping[str, Any]) -> list[str]:
    """Return the index keys of `--key`, of which `call_command` may be given one as a text."""
    asked = options.get("key")
    return [asked] if isinstance(asked, str) else list(asked or ())


def known_keys(options: Mapping[str, Any]) -> list[str]:
    """Return the index keys of `--key`; raise `CommandError` if nothing has one of that name."""
    asked = (part for each in asked_keys(options) for part in ledger.spoken(each))
    return [_known_key(each) for each in asked]


def _known_key(asked: str) -> str:
    name, _, value = asked.partition("=")
    if not asked.strip() or (name != asked and not value):
        text = f"--key: expected a value, such as orderId=17, got {asked!r}"
        raise CommandError(text, returncode=2)
    if not value or ledger.found_by_key(asked, most=1):
        return asked
    names = ledger.key_names()
    if name.strip() not in names:
        raise CommandError(
            f"No Step has an index key {name!r}.{did_you_mean(name, names)} Nor is there a run"
            f" with {asked!r}.",
            returncode=2,
        )
    return asked


def first_of(
    rows: QuerySet[Run], options: Mapping[str, Any], limit: int, *, oldest_first: bool = False
) -> list[Run]:
    """Return the newest of these rows, or the oldest; with `--key` of those that have it."""
    keys = known_keys(options)
    if keys:
        return list(islice(ledger.those_with(rows, keys, oldest_first=oldest_first), limit))
    return list(rows.order_by("id" if oldest_first else "-id")[:limit])


def _known_source(topic: str) -> str:
    """Return the name of what starts a Step, or has started runs."""
    sources = {trigger.source for step in registry() for trigger in step.triggers}
    if topic not in sources and not ledger.rows(source=topic).exists():
        raise CommandError(
            f"No Step listens on {topic!r}.{did_you_mean(topic, sources)} Nor is there a run that"
            " it started.",
            returncode=2,
        )
    return topic


def known(step: str) -> str:
    """Return the name of a Step that is there; raise `CommandError` with the nearest one."""
    try:
        return registry().step(step).name
    except UnknownStep as error:
        raise CommandError(str(error), returncode=2) from error


def asked_statuses(options: Mapping[str, Any]) -> list[str]:
    """Return the statuses of `--status`, which `call_command` hands on as it got them."""
    asked = options.get("status") or []
    try:
        return statuses(asked) if isinstance(asked, str) else list(asked)
    except ArgumentTypeError as error:
        raise CommandError(f"--status: {error}", returncode=2) from error


def statuses(text: str) -> list[str]:
    """Parse the statuses of `--status`: one, or several with commas between them."""
    found = [each.strip() for each in text.split(",")]
    for each in found:
        if each not in list(Status):
            known = ", ".join(Status)
            raise ArgumentTypeError(f"expected some of {known}, got {each!r:.100}")
    return found


def moment(text: str, option: str) -> datetime:
    """Return the time that an age or an ISO 8601 date or time means, in the project's zone."""
    age = _AGE.fullmatch(text.strip())
    try:
        length = timedelta(**{_UNITS[age[2]]: float(age[1])}) if age else None
        found = asked(text) if length is None else datetime.now(UTC) - length
    except OverflowError:
        found = None
    if found is None:
        raise CommandError(f"{option}: expected {WHEN}, got {text!r}", returncode=2)
    return found


def _compared(how: str, when: datetime) -> Q:
    """Compare when a dead run died, or when one that waits was born."""
    when = as_kept(when)
    died = Q(**{f"finished_at__{how}": when}, status=Status.DEAD)
    return died | Q(Q(**{f"created_at__{how}": when}), ~Q(status=Status.DEAD))
