"""Trying again: a run that waits at once, or a finished one anew, as another run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from motia_django import ledger, models, payloads, publish, tracing
from motia_django.exceptions import (
    CannotIntervene,
    InvalidInput,
    MotiaError,
    some_of,
)
from motia_django.ledger.interventions import WAITING, changed_meanwhile, in_words, refusing
from motia_django.ledger.rows import run_of
from motia_django.operations import Result, checked, id_of, row_of
from motia_django.redriving import AS_IT_WAS, given_instead
from motia_django.registry import registry
from motia_django.runs import INVOKE, Run, Status, new_run_id
from motia_django.timeline import Entry, operation, woken
from motia_django.triggers import Trigger

logger = logging.getLogger("motia.operations")

RERUN = "rerun"
"""The kind of the note that a run is left with when it is run again."""
REPEATED = (Status.SUCCEEDED, Status.SKIPPED, Status.CANCELLED)
"""The runs of which many are run again together; many that are dead are redriven."""
_MOST_NAMES = 5
"""That a refusal tells of what was masked."""


def retry(run_id: UUID, *, by: str, reason: str = "") -> None:
    """Publish a run that waits at once: one in backoff or delayed before its time, another again.

    `by` is who asks, for the run's timeline. Raise `CannotIntervene` if it does not wait, or if it
    could not begin: its Step is paused, or gone.
    """
    row = row_of(run_id)
    _check_waits(row)
    run = replace(
        run_of(row), status=Status.QUEUED, wake_at=timezone.now() + ledger.patience(0), publishes=0
    )
    if not ledger.retry(row, run, operation("retried", by, reason)):
        raise changed_meanwhile(run_id)
    logger.debug("Run %s of %s was tried at once for %s", run_id, row.step, by)
    publish.publish_on_commit([run], fresh=False)


def wake(run_id: UUID | str) -> bool:
    """Have a run that is snoozed, delayed or in backoff go on now, once your transaction commits.

    Return False if there is none that is scheduled, so that nothing was to be done. One that is
    queued or running, and is snoozed after that, goes on at once all the same. Raise
    `InvalidRunId`.
    """
    run = ledger.wake(id_of(run_id, "wake"), _woken())
    if run is not None:
        logger.debug("Run %s of %s was woken", run_id, run.step)
        publish.publish_on_commit([run], fresh=False)
    return run is not None


def rerun(run_id: UUID, *, by: str, reason: str = "", input: Any = AS_IT_WAS) -> UUID:
    """Start a new run of a finished one's Step, with its input or another; return its id.

    It begins a trace of its own and names the old run as its cause; both timelines say so. Raise
    `CannotIntervene` if that cannot be done: of http requests, with an input that was not kept
    whole, or with one that breaks today's schema.
    """
    row = row_of(run_id)
    new = _anew(row, input)
    facts = {"input": "edited"} if input is not AS_IT_WAS and new.input != row.input else {}
    told = operation("repeats", by, reason, run_id=str(run_id), **facts)
    new = replace(new, timeline=(told,))
    if not ledger.rerun(row, new, operation(RERUN, by, reason, run_id=str(new.id), **facts)):
        raise changed_meanwhile(run_id)
    logger.debug("Run %s of %s was run again as %s by %s", run_id, new.step, new.id, by)
    publish.publish_on_commit([new])
    return new.id


def rerun_once(run_id: UUID, *, by: str, reason: str = "") -> UUID:
    """Do as `rerun` does, but refuse a run that was run again before: so one of many is done.

    Whoever is killed on the way, or sends for the same runs twice, can begin again: no run is
    repeated twice, whoever else is at it.
    """
    with transaction.atomic(using=ledger.database()):
        found = ledger.rows(id=run_id).using(ledger.database()).select_for_update()
        timelines: list[Any] = list(found.values_list("timeline", flat=True))
        for timeline in timelines:
            _check_is_first(run_id, timeline)
        return rerun(run_id, by=by, reason=reason)


def refusals(rows: Iterable[models.Run]) -> Iterator[Result]:
    """Return for each of these rows why `rerun_once` would refuse it, if it would.

    They may come without their output and error.
    """

    def attempt(row: models.Run) -> None:
        _check_is_first(row.id, row.timeline)
        _anew(row, AS_IT_WAS)

    return checked(rows, attempt)


def refusal(run_id: UUID, *, input: Any = AS_IT_WAS) -> str:
    """Return why a run cannot be run again so; an empty text if it can."""
    try:
        with refusing(f"Run {run_id}"):
            _anew(row_of(run_id), input)
    except MotiaError as error:
        return str(error)
    return ""


def is_repeatable(row: models.Run) -> bool:
    """Return whether a run of that kind can be run again, given a right input."""
    try:
        _trigger(row)
    except CannotIntervene:
        return False
    return Status(row.status).final


def missing(input: Any) -> str:
    """Return what of a stored input was not kept, in words; an empty text if it is whole."""
    if payloads.is_cut(input):
        return _("it was too large, and only its beginning was kept")
    names = payloads.masked_names(input)
    if names:
        text = _(
            "masked when the run was over: %s (what is in later runs,"
            ' "redact" in the config of its Step can say)'
        )
        return text % some_of(names, _MOST_NAMES)
    return ""


def _woken() -> Entry:
    """Return the note that a run was woken, by the run that goes on here if there is one."""
    scope, cause = tracing.current(), tracing.cause()
    by = {"step": scope.step} if scope else {}
    return woken(**by, **({"run_id": str(cause.run_id)} if cause else {}))


def _check_waits(row: models.Run) -> None:
    if row.status not in WAITING:
        text = _(
            "run %(id)s is %(status)s: only runs that are scheduled or queued are tried at once"
        )
        raise CannotIntervene(text % {"id": row.id, "status": in_words(row.status)})
    if row.step not in registry():
        text = _("there is no Step %(step)r any more: move run %(id)s")
        raise CannotIntervene(text % {"step": row.step, "id": row.id})
    if row.step in ledger.paused():
        text = _("Step %r is paused: resume it, and its runs go on")
        raise CannotIntervene(text % row.step)


def _check_is_first(run_id: UUID, timeline: list[Entry] | None) -> None:
    if any(each["kind"] == RERUN for each in timeline or ()):
        text = _("run %s was run again already: once more it is run by its own id only")
        raise CannotIntervene(text % run_id)


def _anew(row: models.Run, input: Any) -> Run:
    """Return the new run for an old one; raise `CannotIntervene` if there can be none."""
    if not Status(row.status).final:
        text = _("run %(id)s is %(status)s: only finished runs are run again")
        raise CannotIntervene(text % {"id": row.id, "status": in_words(row.status)})
    index, trigger = _trigger(row)
    given = given_instead(row, input)
    _check_input(row, trigger, given)
    delivery = trigger.delivery
    turn = delivery.turn(row.step, index, row.message_group, given)
    return Run(
        id=new_run_id(),
        step=row.step,
        trigger=trigger.kind,
        index=index,
        source=trigger.source if row.trigger == INVOKE else row.source,
        input=given,
        trace_id=tracing.new_trace_id(),
        parent_id=row.id,
        message_group=row.message_group if delivery.fifo else "",
        turn=turn,
        limited=turn is not None,
        created_at=timezone.now(),
        wake_at=timezone.now() + ledger.patience(0),
    )


def _trigger(row: models.Run) -> tuple[int, Trigger]:
    """Return the trigger that a run is run again by, with its index among its Step's."""
    try:
        step = registry().step(row.step)
        if row.trigger != INVOKE:
            trigger = step.trigger(row.trigger, row.index, row.source)
        else:
            trigger = step.triggers[min(row.index, len(step.triggers) - 1)]
    except MotiaError as error:
        raise CannotIntervene(str(error)) from error
    if trigger.kind == "http":
        text = _("run %s answered a request: its Step is run again by sending one")
        raise CannotIntervene(text % row.id)
    return step.triggers.index(trigger), trigger


def _check_input(row: models.Run, trigger: Trigger, given: Any) -> None:
    if missing(given):
        text = _(
            "run %(id)s cannot be run again with the input that is stored: %(why)s. Give it whole,"
            " by --input or as edited input in the admin"
        )
        raise CannotIntervene(text % {"id": row.id, "why": missing(given)})
    try:
        trigger.clean_input(payloads.plain(given), _("The input of run %s") % row.id)
    except InvalidInput as error:
        raise CannotIntervene(str(error)) from error
