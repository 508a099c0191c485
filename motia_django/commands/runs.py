"""`run`, `enqueue` and `runs`: start Steps, and see what became of them."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.utils import timezone

from motia_django import ledger, payloads, starts
from motia_django.celery_app import project_app
from motia_django.commands import dev_broker
from motia_django.commands.base import Subcommand, add_format, how_many, parsed_json, zone
from motia_django.commands.selection import (
    WHEN,
    add_keys,
    asked_keys,
    asked_statuses,
    first_of,
    known_to_history,
    moment,
    refuse_empty,
    statuses,
)
from motia_django.commands.steps import found
from motia_django.conf import are_readable
from motia_django.dispatch import enqueue
from motia_django.exceptions import (
    CannotIntervene,
    InvalidInput,
    InvalidMessage,
    MotiaError,
    did_you_mean,
)
from motia_django.ledger.rows import masked_input
from motia_django.models import Run
from motia_django.moments import utc
from motia_django.registry import registry
from motia_django.runner import invoked_as
from motia_django.runs import ANSWERED, Status, in_short, lowest_id_at, summary_of
from motia_django.steps import Step
from motia_django.timeline import clock

_OPEN = (Status.SCHEDULED, Status.QUEUED, Status.DEAD)
"""Of runs that wait for somebody to do something if their Step is gone."""


class RunStep(Subcommand):
    """`motia_steps run <step> --input JSON`."""

    name = "run"
    help = "Run a Step here and now, and print what its handler returns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("step_name", metavar="step", help="the Step's name")
        parser.add_argument(
            "--input", default="null", help="the message, or the body of an http Step, as JSON"
        )
        parser.add_argument("--traceback", dest="show_traceback", action="store_true")

    def run(self, options: Mapping[str, Any]) -> None:
        use_broker_of_dev()
        step = found(options["step_name"])
        data = parsed_json(options["input"], "--input")
        try:
            result = starts.invoke(step.name, data)
        except (InvalidInput, CannotIntervene) as error:
            raise CommandError(str(error), returncode=2) from error
        except Exception as error:
            if options.get("show_traceback"):
                raise
            raise CommandError(f"Step {step.name!r} {_ended_by(step, error)}") from error
        self.json(result)


class Enqueue(Subcommand):
    """`motia_steps enqueue <topic> [JSON]`."""

    name = "enqueue"
    help = "Send a message, and print the ids of the runs that it starts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("topic_name", metavar="topic")
        parser.add_argument("message", metavar="JSON", nargs="?", help="the message")
        parser.add_argument("--data", help="the message, as JSON")
        parser.add_argument("--delay", type=float, default=0, help="seconds before the first try")
        parser.add_argument("--group", help="the message group, for fifo triggers")
        parser.add_argument(
            "--dedupe-key", help="while a run that it began is unfinished, it begins no other"
        )
        parser.add_argument(
            "--anyway", action="store_true", help="even if the schema of a listener rejects it"
        )

    def run(self, options: Mapping[str, Any]) -> None:
        use_broker_of_dev()
        topic, heard = options["topic_name"], registry().topics()
        if topic not in heard:
            raise CommandError(
                f"Nobody listens on the topic {topic!r}: nothing was sent."
                f"{did_you_mean(topic, heard)}",
                returncode=2,
            )
        data = _message(options)
        message = {
            "topic": topic,
            "data": data,
            "delaySeconds": options["delay"],
            "messageGroupId": options.get("group"),
            "dedupeKey": options.get("dedupe_key"),
        }
        try:
            if not options.get("anyway"):
                _refuse_invalid(topic, data)
            ids = enqueue(message)
        except MotiaError as error:
            code = 2 if isinstance(error, InvalidMessage) else 1
            raise CommandError(str(error), returncode=code) from error
        for run_id in ids:
            self.say(run_id)


class Runs(Subcommand):
    """`motia_steps runs`."""

    name = "runs"
    help = "List the newest runs."
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--step", help="only this Step's")
        parser.add_argument(
            "--status", type=statuses, help=f"only these: {', '.join(Status)}; several by commas"
        )
        parser.add_argument(
            "--no-step",
            action="store_true",
            help="only those whose Step is not there any more, and that wait or are dead",
        )
        add_keys(parser, "only those with this index key: orderId=17, or just 17")
        parser.add_argument("--since", metavar="WHEN", help=f"only those born since: {WHEN}")
        parser.add_argument("--before", metavar="WHEN", help="only those born before")
        parser.add_argument("--limit", type=how_many, default=20, help="how many, 20 by default")
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        refuse_empty(options)
        step = options.get("step")
        found = ledger.rows(**({"step": known_to_history(step)} if step else {}))
        if options.get("status"):
            found = found.filter(status__in=asked_statuses(options))
        for option, side in (("since", "gte"), ("before", "lt")):
            if options.get(option):
                earliest = lowest_id_at(moment(options[option], f"--{option}"))
                found = found.filter(**{f"id__{side}": earliest})
        if options.get("no_step"):
            found = found.exclude(step__in=[step.name for step in registry()])
            found = found if options.get("status") else found.filter(status__in=_OPEN)
        rows = first_of(found, options, options["limit"])
        if options.get("format") == "json":
            self.json(described(rows))
        elif rows:
            self._show(rows)
        else:
            self.say(none_found(options))

    def _show(self, rows: Sequence[Run]) -> None:
        keys = ledger.keys_of_runs(row.id for row in rows)
        self.table(
            (
                "RUN",
                f"CREATED ({zone()})",
                "STEP",
                *key_head(keys),
                "STATUS",
                "TRIGGER",
                "TRY",
                "TOOK",
                "ERROR",
            ),
            [
                (
                    row.id,
                    clock(row.created_at),
                    step_of(row),
                    *key_cell(row, keys),
                    standing(row),
                    f"{row.trigger} {row.source}".strip(),
                    row.attempt,
                    _took(row),
                    in_short(row.error)[:80],
                )
                for row in rows
            ],
        )
        hint = hint_for_gone(rows)
        if hint:
            self.say("", *hint)


def none_found(options: Mapping[str, Any]) -> str:
    """Return what was looked for in vain, and by which index keys runs are found."""
    given = [f"--step {options['step']}"] if options.get("step") else []
    given += [f"--key {each}" for each in asked_keys(options)]
    if options.get("status"):
        given.append(f"--status {','.join(asked_statuses(options))}")
    asked = f" by {' '.join(given)}" if given else ""
    if not options.get("key"):
        return f"No run was found{asked}."
    names = ", ".join(sorted(ledger.key_names())) or "none"
    return f"No run was found{asked}. The index keys of the Steps: {names}."


def _ended_by(step: Step, error: Exception) -> str:
    """Return what an exception ended a Step with: an answer, as to a request, or a failure."""
    status = invoked_as(step)[1].status_of(error)
    return f"{f'answered {status}' if status else 'failed'}: {summary_of(error)}"


def _message(options: Mapping[str, Any]) -> Any:
    """Return the message, given behind the topic or as `--data`; raise `CommandError`."""
    named = {"message": options.get("message"), "--data": options.get("data")}
    given = [(name, text) for name, text in named.items() if text is not None]
    if len(given) > 1:
        raise CommandError("Give the message once: behind the topic, or as --data", returncode=2)
    return parsed_json(given[0][1], given[0][0]) if given else None


def _refuse_invalid(topic: str, data: Any) -> None:
    """Raise `CommandError` if any who listens would refuse the message."""
    errors = starts.refusals(topic, data)
    if errors:
        raise CommandError(
            f"{InvalidInput(f'The message to {topic!r}', errors)}. Nothing was sent; it is with"
            " --anyway.",
            returncode=2,
        )


def use_broker_of_dev() -> None:
    """Publish to the embedded broker of a running `motia_steps dev`, if the project has none."""
    url = None if project_app().conf.broker_url else dev_broker.find()
    if url:
        os.environ["CELERY_BROKER_URL"] = url


def step_of(row: Run) -> str:
    """Return the name of a run's Step, marked if this process does not know it."""
    return row.step if row.step in registry() else f"{row.step} (not known here)"


def standing(row: Run) -> str:
    """Return a run's status, with the code that a request was answered with."""
    is_answer = row.trigger == "http" and isinstance(row.output, dict) and "status" in row.output
    return f"{row.status} {row.output['status']}" if is_answer else row.status


def key_head(keys: Mapping[UUID, Sequence[str]]) -> list[str]:
    """Return the heading of the index keys, if any run that is shown has some."""
    return ["KEYS"] if keys else []


def key_cell(row: Run, keys: Mapping[UUID, Sequence[str]]) -> list[str]:
    """Return a run's index keys, if any run that is shown has some."""
    return [" ".join(keys.get(row.id, ()))] if keys else []


def hint_for_gone(rows: Iterable[Run]) -> list[str]:
    """Return how to go on with those of these runs that wait or died without a Step."""
    movable = (row for row in rows if row.status in _OPEN and row.trigger not in ANSWERED)
    strays = {_stray(row) for row in movable}
    if strays - {None} and (registry().problems or not are_readable()):
        return ["There are problems, so that not all Steps are known here: motia_steps check"]
    return [
        f"This process does not know {what}: gone, or newer than this process. To give its"
        f" runs to another: motia_steps redrive {which} --to STEP"
        for what, which in sorted(each for each in strays if each is not None)
    ]


def _stray(row: Run) -> tuple[str, str] | None:
    """Return what a run waits for that this process does not know, and how such runs are named."""
    which = f"--step {quote(row.step)}"
    if row.step not in registry():
        return f"the Step {row.step}", which
    if registry().takes(row.step, row.trigger, row.index, row.source):
        return None
    what = f"the {row.trigger} trigger {row.source} of the Step {row.step}"
    return what, f"{which} --topic {quote(row.source)}"


def described(rows: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the facts of runs for machines, masked."""
    keys = ledger.keys_of_runs(row.id for row in rows)
    return [_described(row, keys.get(row.id, ())) for row in rows]


def _described(row: Run, keys: Sequence[str]) -> dict[str, Any]:
    masks = registry().masks(row.step)
    return {
        "id": row.id,
        "step": row.step,
        "noSuchStep": row.step not in registry(),
        "status": row.status,
        "trigger": row.trigger,
        "source": row.source,
        "messageGroup": row.message_group or None,
        "attempt": row.attempt,
        "worker": row.worker or None,
        "keys": list(keys),
        "traceId": row.trace_id,
        "parentId": row.parent_id,
        "createdAt": utc(row.created_at),
        "startedAt": row.started_at and utc(row.started_at),
        "finishedAt": row.finished_at and utc(row.finished_at),
        "wakeAt": row.wake_at and utc(row.wake_at),
        "input": masked_input(row),
        "output": payloads.masked(row.output, masks),
        "error": row.error,
        "timeline": payloads.masked(row.timeline, masks),
    }


def length(row: Run, *, besides: float = 0) -> str:
    """Return how long a run's last attempt took, or has taken until now; "" if that is unknown.

    Of a run that was cancelled only when that was done is known. The seconds that the attempt took
    `besides` count as well.
    """
    if row.status == Status.CANCELLED:
        return ""
    ended = timezone.now() if row.status == Status.RUNNING else row.finished_at
    if row.started_at is None or ended is None or ended < row.started_at:
        return ""
    return f"{(ended - row.started_at).total_seconds() + besides:.3f} s"


def _took(row: Run) -> str:
    text = length(row)
    return f"{text} so far" if text and row.status == Status.RUNNING else text
