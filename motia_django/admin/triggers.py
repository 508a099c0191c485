"""Triggers in words: what a Step listens for, on what conditions, and how it is delivered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from motia_django.admin import words
from motia_django.conf import settings
from motia_django.delivery import Delivery
from motia_django.schemas import Schema
from motia_django.steps import Step
from motia_django.ticks import zone_of
from motia_django.triggers import (
    CronTrigger,
    HttpTrigger,
    QueueTrigger,
    StateTrigger,
    StreamTrigger,
    Trigger,
)
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


def described(step: Step) -> list[Described]:
    """Return a Step's triggers in words."""
    return [
        Described(
            kind=words.kind(each.kind),
            what=_what(each),
            notes=list(_notes(each)),
            delivery=[] if isinstance(each, HttpTrigger) else _delivery(each.delivery),
            schemas=[(title, document(schema)) for title, schema in _schemas(each)],
        )
        for each in step.triggers
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


def _notes(trigger: Trigger) -> Iterator[str]:
    if isinstance(trigger, CronTrigger):
        yield f"{trigger.schedule.words}; {_due(trigger)}"
        if trigger.overlap == "skip":
            yield _("skipped while a run of it goes on")
        if trigger.catch_up:
            yield _("made up for if it was missed")
    if isinstance(trigger, StateTrigger):
        yield _("when %s") % ", ".join(_event(event) for event in trigger.events)
        if trigger.on_noop:
            yield _("even if nothing changed")
    if isinstance(trigger, StreamTrigger) and trigger.events != EVENTS:
        yield _("of %s") % ", ".join(trigger.events)
    if trigger.condition is not None:
        name = getattr(trigger.condition, "__name__", "")
        named = name and name != "<lambda>"
        yield _("if %s") % name if named else _("if its condition is true")


def _event(event: str) -> str:
    names = {"created": _("created"), "updated": _("updated"), "deleted": _("deleted")}
    return names.get(event, event)


def _due(trigger: CronTrigger) -> str:
    zone = zone_of(trigger)
    due = trigger.schedule.after(timezone.now(), zone)
    if due is None:
        return _("in %s, never due again") % zone
    local = f"{due.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return _("next due %(due)s in %(zone)s") % {"due": local, "zone": zone}


def _delivery(delivery: Delivery) -> list[tuple[str, str]]:
    lease = delivery.visibility_timeout or settings().lease
    facts = [
        (_("Retries"), _retries(delivery)),
        (_("Lease of one attempt"), words.duration(timedelta(seconds=lease))),
    ]
    if delivery.delay_seconds:
        delay = timedelta(seconds=delivery.delay_seconds)
        facts.append((_("Delay before the first try"), words.duration(delay)))
    if delivery.queue:
        facts.append((_("Celery queue"), delivery.queue))
    return facts


def _retries(delivery: Delivery) -> str:
    if not delivery.max_retries:
        return _("none")
    grows = delivery.backoff_type == "exponential"
    first = words.duration(timedelta(milliseconds=delivery.backoff_delay_ms))
    text = (
        _("%(count)d, after %(first)s, doubling") if grows else _("%(count)d, each after %(first)s")
    )
    return text % {"count": delivery.max_retries, "first": first}


def _schemas(trigger: Any) -> Iterator[tuple[str, Schema]]:
    if isinstance(trigger, HttpTrigger):
        if trigger.body_schema is not None:
            yield _("Body"), trigger.body_schema
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
