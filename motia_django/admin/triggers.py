"""Triggers in words: what a Step listens for, on what conditions, and how it is delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from motia_django import keys, ledger, models, ticks
from motia_django.admin import words
from motia_django.beat import operators
from motia_django.delivery import Delivery
from motia_django.ledger.overrides import Key
from motia_django.registry import Listener
from motia_django.schemas import Schema
from motia_django.steps import Step
from motia_django.triggers import (
    CronTrigger,
    HttpTrigger,
    QueueTrigger,
    StateTrigger,
    StreamTrigger,
    Trigger,
)
from motia_django.triggers.cron import Timing
from motia_django.triggers.middleware import name_of
from motia_django.triggers.stream import EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One trigger as a page shows it."""

    kind: str
    what: str
    notes: list[str]
    """More about it, each in a few words."""
    delivery: list[tuple[str, str]]
    """How its runs are delivered; empty where somebody waits for the answer."""
    schemas: list[tuple[str, str]]
    """What each schema is for, and the schema as JSON Schema."""


class InForce:
    """What operators say of schedules and Steps, read once, and only where a page tells of some."""

    @cached_property
    def paused(self) -> Mapping[str, models.Pause]:
        """The Steps that are paused."""
        return ledger.paused()

    @cached_property
    def _overrides(self) -> Mapping[Key, models.Override]:
        return ledger.overrides()

    @cached_property
    def _row_states(self) -> Mapping[str, bool]:
        return operators.row_states()

    def override(self, listener: Listener) -> models.Override | None:
        """Return what is on record of a schedule."""
        return self._overrides.get(operators.key_of(listener))

    def is_paused(self, listener: Listener) -> bool:
        """Return whether a schedule is paused by itself."""
        return operators.is_paused(listener, self.override(listener), self._row_states)


def described(step: Step, now: InForce) -> list[Described]:
    """Return a Step's triggers in words."""
    return [
        Described(
            kind=words.kind(each.kind),
            what=_what(each),
            notes=list(_notes(Listener(step=step, index=index, trigger=each), now)),
            delivery=[
                *([] if isinstance(each, HttpTrigger) else _delivery(each.delivery)),
                *_found_by(step.index_of(each)),
            ],
            schemas=[(title, document(schema)) for title, schema in _schemas(each)],
        )
        for index, each in enumerate(step.triggers)
    ]


def _what(trigger: Trigger) -> str:
    """Return what a trigger listens for, in its own notation or, where that is terse, in words."""
    if isinstance(trigger, StateTrigger):
        return _item(_("any group"), trigger.group_id, trigger.item_id)
    if isinstance(trigger, StreamTrigger):
        group = _item(_("any group"), trigger.group_id, trigger.item_id)
        return f"{trigger.stream_name}: {group}"
    return trigger.source


def _item(any_group: str, group: str | None, key: str | None) -> str:
    where = _("group %s") % group if group else any_group
    return _("%(group)s, key %(key)s") % {"group": where, "key": key} if key else where


def _notes(listener: Listener, now: InForce) -> Iterator[str]:
    trigger = listener.trigger
    if isinstance(trigger, CronTrigger):
        yield from _times(listener, now)
        if trigger.overlap == "skip":
            yield _("skipped while a run of it goes on")
        if trigger.catch_up:
            yield _("made up for if it was missed")
    if isinstance(trigger, StateTrigger):
        yield from _changes(trigger)
    if isinstance(trigger, StreamTrigger) and trigger.events != EVENTS:
        yield _("of %s") % ", ".join(trigger.events)
    if isinstance(trigger, HttpTrigger):
        yield from _policies(trigger)
        yield from _around(trigger)
    if trigger.condition is not None:
        name = getattr(trigger.condition, "__name__", "")
        named = name and name != "<lambda>"
        yield _("if %s") % name if named else _("if its condition is true")


def _changes(trigger: StateTrigger) -> Iterator[str]:
    yield _("when %s") % ", ".join(_event(event) for event in trigger.events)
    if trigger.on_noop:
        yield _("even if nothing changed")


def _policies(trigger: HttpTrigger) -> Iterator[str]:
    """Yield what a trigger says in place of the project's defaults."""
    titles = {
        "authentication": _("authentication: %s"),
        "permissions": _("permissions: %s"),
        "throttles": _("throttles: %s"),
        "parsers": _("parsers: %s"),
        "renderers": _("renderers: %s"),
    }
    for name, given in trigger.policies.named().items():
        yield titles[name] % (", ".join(given) or _("none"))


def _around(trigger: HttpTrigger) -> Iterator[str]:
    """Yield what stands around the handler."""
    if trigger.idempotency is not None:
        key = trigger.idempotency
        yield (_("needs a header %s") if key.required else _("heeds a header %s")) % key.header
    if trigger.etag:
        yield _("heeds an ETag")
    if trigger.middleware:
        yield _("middleware: %s") % ", ".join(map(name_of, trigger.middleware))


def _event(event: str) -> str:
    names = {"created": _("created"), "updated": _("updated"), "deleted": _("deleted")}
    return names.get(event, event)


def _times(listener: Listener, now: InForce) -> Iterator[str]:
    """Yield when a schedule is due, and what operators say of that."""
    declared, override = operators.declared(listener), now.override(listener)
    timing = ticks.in_force(declared, override)
    if override is not None and override.expression:
        yield _("overridden by an operator: %s") % timing
    rests = now.is_paused(listener), listener.step.name in now.paused
    yield timing.expression.words if any(rests) else f"{timing.expression.words}; {_due(timing)}"
    if rests[0]:
        yield _("paused, and not due until it is resumed")
    if rests[1]:
        yield _("not due while its Step is paused")


def _due(timing: Timing) -> str:
    due = timing.after(datetime.now(UTC))
    if due is None:
        return _("in %s, never due again") % timing.zone
    local = f"{due.astimezone(timing.zone):%Y-%m-%d %H:%M:%S}"
    told = _("next due %(due)s in %(zone)s") % {"due": local, "zone": timing.zone}
    here, differs = words.clocks(due, timing.zone)
    return f"{told} ({here} {timezone.get_current_timezone_name()})" if differs else told


def _delivery(delivery: Delivery) -> list[tuple[str, str]]:
    facts = [(_("Retries"), _retries(delivery)), (_("Most time for one attempt"), _limit(delivery))]
    if delivery.delay_seconds:
        delay = timedelta(seconds=delivery.delay_seconds)
        facts.append((_("Delay before the first try"), words.duration(delay)))
    facts += _turns(delivery)
    if delivery.queue:
        facts.append((_("Celery queue"), delivery.queue))
    if delivery.priority is not None:
        facts.append((_("Priority"), str(delivery.priority)))
    return facts


def _limit(delivery: Delivery) -> str:
    seconds = delivery.visibility_timeout
    return (
        _("no limit of its own") if seconds is None else words.duration(timedelta(seconds=seconds))
    )


def _found_by(index: keys.Index) -> list[tuple[str, str]]:
    told = (
        name if paths == [name] else f"{name} ({', '.join(paths)})"
        for name, paths in keys.paths(index).items()
    )
    return [(_("Found by"), ", ".join(told))] if index else []


def _turns(delivery: Delivery) -> Iterator[tuple[str, str]]:
    """Yield for what its runs may have to wait besides a worker."""
    if delivery.fifo:
        yield _("Order"), _("one at a time in each message group, in the order of their arrival")
    if delivery.concurrency is not None:
        limit, key = delivery.concurrency.limit, ".".join(delivery.concurrency.key)
        told = _("%(limit)d for each %(key)s") % {"limit": limit, "key": key}
        yield _("Most runs at once"), told if key else str(limit)


def _retries(delivery: Delivery) -> str:
    grows = delivery.backoff_type == "exponential"
    first = words.duration(timedelta(milliseconds=delivery.backoff_delay_ms))
    if delivery.retry_for is not None:
        within = words.duration(timedelta(seconds=delivery.retry_for))
        text = _("for %(within)s, after %(first)s, doubling")
        text = text if grows else _("for %(within)s, each after %(first)s")
        return text % {"within": within, "first": first}
    if not delivery.max_retries:
        return _("none")
    text = (
        _("%(count)d, after %(first)s, doubling") if grows else _("%(count)d, each after %(first)s")
    )
    return text % {"count": delivery.max_retries, "first": first}


def _schemas(trigger: Any) -> Iterator[tuple[str, Schema]]:
    if isinstance(trigger, HttpTrigger):
        if trigger.body_schema is not None:
            yield _("Body"), trigger.body_schema
        titles = {"params": _("Path"), "query": _("Query"), "headers": _("Headers")}
        for part, text in trigger.text_schemas.items():
            yield titles[part], text.schema
        for status, schema in trigger.response_schemas.items():
            yield _("Response %d") % status, schema
    elif isinstance(trigger, QueueTrigger) and trigger.input is not None:
        yield _("Input"), trigger.input


def document(schema: Schema) -> str:
    """Return JSON Schema, or why there is none: not every type can be written in it."""
    try:
        return words.indented(schema.json_schema())
    except Exception as error:
        return _("This schema cannot be written as JSON Schema: %s") % error
