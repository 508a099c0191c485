"""What a run becomes when it is redriven: its target, its input, and whether it may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from motia_django import ledger, masks, models, payloads
from motia_django.exceptions import CannotIntervene, InvalidInput, MotiaError, TriggerGone
from motia_django.ledger.interventions import WAITING, in_words
from motia_django.ledger.rows import run_of, shown_input
from motia_django.registry import registry
from motia_django.runs import ANSWERED, Run, Status
from motia_django.steps import Step
from motia_django.triggers import Trigger

AS_IT_WAS: Any = object()
"""Stands for the input that a run has (None is an input like any other)."""


def given_instead(row: models.Run, input: Any) -> Any:
    """Return the input that a run is to have: its own, or another with its secrets put back.

    They are where a mask stands that hid them when the run was shown. Raise `CannotIntervene`,
    which says where, for a mask that stands anywhere else.
    """
    if input is AS_IT_WAS:
        return row.input
    what, shown = _("The input of run %s") % row.id, shown_input(row, row.input)
    try:
        return masks.restored(payloads.plain(input), row.input, shown, what)
    except InvalidInput as error:
        raise CannotIntervene(str(error)) from error


def redriven(row: models.Run, input: Any, to: str | None, *, insist: bool) -> Run:
    """Return what a run is to become; raise `CannotIntervene` if it may not."""
    run = run_of(row)
    _check_status(run, to)
    step, index, trigger = _target(run, to)
    given = given_instead(row, input)
    if not insist:
        _check_input(run, trigger, given)
    return replace(
        run,
        step=step.name,
        index=index,
        source=trigger.source if to and not trigger.starts_by(run.source) else run.source,
        input=given,
        turn=trigger.delivery.turn(step.name, index, run.message_group, given),
        limited=trigger.delivery.limited,
        status=Status.QUEUED,
        depth=0,
        attempt=0,
        wake_at=timezone.now() + ledger.patience(0),
    )


def _check_status(run: Run, to: str | None) -> None:
    there = registry().takes(run.step, run.trigger, run.index, run.source)
    waits_in_vain = run.status in WAITING and not there
    if run.status is Status.DEAD or waits_in_vain:
        return
    text = _("run %(id)s is %(status)s: only dead runs are redriven")
    if to:
        text = _(
            "run %(id)s is %(status)s: only dead runs, and those that wait for a Step or a trigger"
            " that is gone, are redriven to another"
        )
    raise CannotIntervene(text % {"id": run.id, "status": in_words(run.status)})


def _target(run: Run, to: str | None) -> tuple[Step, int, Trigger]:
    """Return the Step and the trigger in whose name a run is to be delivered."""
    if run.trigger in ANSWERED:
        text = _(
            "run %(id)s was started by %(trigger)s: whoever waited for its answer has had it, and"
            " would have to ask again"
        )
        raise CannotIntervene(text % {"id": run.id, "trigger": run.trigger})
    if to is None and run.step not in registry():
        text = _("there is no Step %(step)r any more: redrive run %(id)s to another")
        raise CannotIntervene(text % {"step": run.step, "id": run.id})
    try:
        step = registry().step(to or run.step)
        trigger = _trigger_of(step, run, to)
    except TriggerGone as error:
        text = _("%(error)s; redrive run %(id)s to the Step that now takes it, this one or another")
        raise CannotIntervene(text % {"error": error, "id": run.id}) from error
    except MotiaError as error:
        raise CannotIntervene(str(error)) from error
    return step, step.triggers.index(trigger), trigger


def _trigger_of(step: Step, run: Run, to: str | None) -> Trigger:
    """Return the trigger that the run was born of; of another Step, the first one of its kind."""
    if to is None:
        return step.trigger(run.trigger, run.index, run.source)
    same_kind = [each for each in step.triggers if each.kind == run.trigger]
    by_source = [each for each in same_kind if each.starts_by(run.source)]
    if not same_kind:
        text = _("Step %(step)r has no trigger of type %(trigger)s")
        raise CannotIntervene(text % {"step": step.name, "trigger": run.trigger})
    return (by_source or same_kind)[0]


def _check_input(run: Run, trigger: Trigger, given: Any) -> None:
    try:
        trigger.clean_input(payloads.plain(given), _("The input of run %s") % run.id)
    except InvalidInput as error:
        raise CannotIntervene(str(error)) from error
