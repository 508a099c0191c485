"""What operators start by hand: one run of one trigger, or a message to all who listen."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from motia_django import dispatch, masks, payloads, runner
from motia_django.exceptions import CannotIntervene, InvalidInput
from motia_django.ledger.interventions import refusing
from motia_django.messages import Message
from motia_django.registry import Listener, registry
from motia_django.timeline import operation
from motia_django.triggers import HttpTrigger, StateTrigger, StreamTrigger
from motia_django.triggers.state import StateChange
from motia_django.triggers.stream import StreamChange

logger = logging.getLogger("motia.operations")

Errors = Mapping[str, list[str]]


def listener(step: str, index: int) -> Listener:
    """Return a Step's trigger; raise `UnknownStep`, or `CannotIntervene` if there is none."""
    triggers = registry().step(step).triggers
    if not 0 <= index < len(triggers):
        text = _("Step %(step)r has no trigger with the index %(index)d")
        raise CannotIntervene(text % {"step": step, "index": index})
    return Listener(step=registry().step(step), index=index, trigger=triggers[index])


def start(step: str, index: int, input: Any, *, by: str, reason: str = "") -> str:
    """Start one run of this queue, state or stream trigger, of nobody else; return the run's id.

    `input` is the message, or the change as `to_json` writes it. It is checked first, and nothing
    is born of one that is invalid. Raise `InvalidInput`, `UnknownStep`, or `CannotIntervene` for a
    trigger of another kind or a change that the trigger does not listen for.
    """
    target = listener(step, index)
    if isinstance(target.trigger, HttpTrigger) or target.trigger.kind == "cron":
        text = _("a trigger of type %s is not started like this")
        raise CannotIntervene(text % target.trigger.kind)
    with refusing(f"Step {step!r}"):
        what = f"The input of Step {step!r}"
        cleaned = target.trigger.clean_input(masks.without(payloads.plain(input), what), what)
        source = _source(target, cleaned)
        run_id = dispatch.start(target, input, operation("started", by, reason), source)
    logger.info("Run %s of %s was started by %s", run_id, step, by)
    return run_id


def invoke(step: str, data: Any) -> Any:
    """Run a Step here and now, as `runner.invoke` does, but let no run be born of a wrong input.

    Raise `InvalidInput`, `UnknownStep`, `CannotIntervene` for a schema that raises what it should
    not, or what the handler raises.
    """
    trigger = runner.invoked_as(registry().step(step))[1]
    with refusing(f"Step {step!r}"):
        what = f"The input of Step {step!r}"
        plain = trigger.kept_for(masks.without(payloads.plain(data), what))
        trigger.clean_input(trigger.input_for(plain), what)
    return runner.invoke(step, data)


def send(message: Message, *, by: str, reason: str = "") -> dict[str, bool]:
    """Send a message to all who listen on its topic; return the ids of the runs, in their order.

    Each says whether it is new, or there already, begun by the same dedupe key.

    Raise `InvalidInput`, its paths beginning with the Step's name, if any of them would refuse it.
    """
    errors = refusals(message.topic, message.data)
    if errors:
        raise InvalidInput(f"The message to {message.topic!r}", errors)
    with refusing(f"The topic {message.topic!r}"):
        sent = dispatch.send(message, operation("started", by, reason))
    logger.info("A message to %s was sent by %s", message.topic, by)
    return sent


def refusals(topic: str, data: Any) -> Errors:
    """Return what each listener's schema says against a message; nothing if all would take it.

    Masks that were copied with it are an error of their own.
    """
    errors: dict[str, list[str]] = {}
    try:
        masks.without(payloads.plain(data), "The message")
    except InvalidInput as error:
        errors |= error.errors
    for each in registry().subscribers(topic):
        try:
            with refusing(f"Step {each.step.name!r}"):
                each.trigger.clean_input(payloads.plain(data), "The message")
        except InvalidInput as error:
            for path, told in error.errors.items():
                errors[f"{each.step.name}: {path}" if path else each.step.name] = list(told)
        except CannotIntervene as error:  # a schema that raises what it should not
            errors[each.step.name] = [str(error)]
    return errors


def tick_now(step: str, index: int, *, by: str, reason: str = "") -> UUID | None:
    """Start a run of a Step's cron trigger now, as if it were due; None if it is not to run.

    It is not while its Step is paused, or while another goes on that may not be overlapped: then a
    skipped run says so. Raise `UnknownStep`, or `CannotIntervene` if it is no cron trigger.
    """
    if listener(step, index).trigger.kind != "cron":
        text = _("Step %(step)r has no cron trigger with the index %(index)d")
        raise CannotIntervene(text % {"step": step, "index": index})
    note = operation("started", by, reason)
    with refusing(f"Step {step!r}"):
        return dispatch.tick(step, index, datetime.now(UTC).replace(microsecond=0), note)


def _source(target: Listener, change: Any) -> str | None:
    """Return what a change is named by; raise `CannotIntervene` if the trigger is deaf to it."""
    trigger = target.trigger
    if isinstance(trigger, StateTrigger) and isinstance(change, StateChange):
        heard, source = trigger.hears(change), f"{change.group_id}/{change.item_id}"
    elif isinstance(trigger, StreamTrigger) and isinstance(change, StreamChange):
        parts = (change.stream_name, change.group_id, change.id)
        heard, source = trigger.hears(change), "/".join(part for part in parts if part is not None)
    else:
        return None
    if not heard:
        raise CannotIntervene(_("this trigger does not listen for such a change"))
    return source
