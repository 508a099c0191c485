"""`list`, `show` and `check`: what Steps there are, and what is wrong with them."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core import checks
from django.core.management.base import CommandError
from django.db import Error

from motia_django import ledger
from motia_django.celery_app import task_name
from motia_django.checks import usual
from motia_django.commands import schedules
from motia_django.commands.base import Subcommand, add_format, zone
from motia_django.exceptions import UnknownFlow, UnknownStep
from motia_django.models import Pause
from motia_django.moments import utc
from motia_django.registry import Listener, registry
from motia_django.sources import near
from motia_django.steps import Step
from motia_django.timeline import clock
from motia_django.triggers import CronTrigger, HttpTrigger
from motia_django.triggers.middleware import name_of


class ListSteps(Subcommand):
    """`motia_steps list`."""

    name = "list"
    help = "List all Steps with their triggers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--flow", help="only the Steps of this flow")
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        flow = options.get("flow")
        steps = list(registry()) if flow is None else _of_flow(flow)
        resting, remark = paused(), schedules.remarks()
        if options.get("format") == "json":
            self.json([described(step, resting.get(step.name)) for step in steps])
            return
        rows = [
            (_marked(step, resting), words, ", ".join(step.flows), near(step.file))
            for step in steps
            for words in _triggers(step, remark)
        ]
        self.table(("STEP", "TRIGGER", "FLOWS", "FILE"), rows)
        self.say("", f"{len(steps)} Steps")


class Show(Subcommand):
    """`motia_steps show <step>`."""

    name = "show"
    help = "Show one Step: triggers, schemas, topics, file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("step_name", metavar="step", help="the Step's name")
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        step = found(options["step_name"])
        pause = paused().get(step.name)
        facts = described(step, pause)
        if options.get("format") == "json":
            self.json(facts)
            return
        for key in ("name", "description", "file", "task", "flows", "enqueues"):
            value = facts[key]
            text = ", ".join(value) if isinstance(value, list) else value
            self.say(f"{key:12} {text}".rstrip())
        not_always = {
            "onDead": step.on_dead,
            "atomic": step.atomic,
            "record": step.record,
            "docs": step.docs,
            "index": ", ".join(facts["index"]),
            "paused": told(pause) if pause else "",
        }
        for key, text in not_always.items():
            if text:
                self.say(f"{key:12} {text}")
        for trigger in facts["triggers"]:
            self.say(f"{'trigger':12} {trigger.pop('type')} {trigger.pop('source')}")
            for key, value in trigger.items():
                self.say(f"{'':12}   {key}: {_told_value(key, value)}")


class Check(Subcommand):
    """`motia_steps check`."""

    name = "check"
    help = "Report every problem of Step files and settings; exit code 1 if there is an error."
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        messages = usual(None)
        if options.get("format") == "json":
            self.json([described_message(each) for each in messages])
        else:
            for each in messages:
                kind = "ERROR" if each.level >= checks.ERROR else "WARNING"
                self.say(*f"{kind}  {each}".split("\n"))
        errors = sum(each.level >= checks.ERROR for each in messages)
        if errors:
            raise CommandError(f"{errors} error{'s' * (errors > 1)} in {len(registry())} Steps")
        if options.get("format") != "json":
            self.say(f"{len(registry())} Steps, no errors")


def found(name: str) -> Step:
    """Return the Step of that name; raise `CommandError` with the nearest one."""
    try:
        return registry().step(name)
    except UnknownStep as error:
        raise CommandError(str(error), returncode=2) from error


def _told_value(key: str, value: Any) -> Any:
    """Return a fact for people: a time in the zone that it is of, which is the schedule's own."""
    if key in ("paused", "overridden"):
        return f"{value.get('expression', '')} {_told_deed(value)}".strip()
    is_time = isinstance(value, datetime)
    return f"{value:%Y-%m-%d %H:%M:%S} {value.tzinfo}" if is_time else value


def _of_flow(flow: str) -> list[Step]:
    """Return the Steps of that flow; raise `CommandError` with the nearest one."""
    flows = registry().flows()
    if flow not in flows:
        raise CommandError(str(UnknownFlow(flow, flows)), returncode=2)
    return flows[flow]


def paused() -> Mapping[str, Pause]:
    """Return the pauses in force, by Step; none where the database is not set up yet."""
    try:
        return ledger.paused()
    except Error:
        return {}


def told(pause: Pause) -> str:
    """Return since when, by whom and why a Step is paused."""
    return _told_deed({"since": pause.paused_at, "by": pause.by, "reason": pause.reason})


def _told_deed(facts: Mapping[str, Any]) -> str:
    """Return since when, by whom and why something is paused or overridden."""
    if facts["since"] is None:
        return "in celery-beat's rows"
    by = f" by {facts['by']}" if facts["by"] else ""
    reason = f": {facts['reason']}" if facts["reason"] else ""
    return f"since {clock(facts['since'])} {zone()}{by}{reason}"


def described(step: Step, pause: Pause | None) -> dict[str, Any]:
    """Return the facts of a Step for machines."""
    return {
        "name": step.name,
        "description": step.description,
        "file": f"{near(step.file)}:{step.line or 1}",
        "app": step.app,
        "task": task_name(step.name),
        "flows": list(step.flows),
        "index": sorted({name for each in step.triggers for name, _ in step.index_of(each)}),
        "enqueues": [topic.name for topic in step.enqueues],
        "onDead": step.on_dead or None,
        "atomic": step.atomic,
        "record": step.record,
        "docs": step.docs or None,
        "paused": _described_pause(pause),
        "triggers": [
            _described_trigger(Listener(step=step, index=index, trigger=trigger))
            for index, trigger in enumerate(step.triggers)
        ],
    }


def _described_trigger(listener: Listener) -> dict[str, Any]:
    trigger = listener.trigger
    facts: dict[str, Any] = {"type": trigger.kind, "source": trigger.source}
    if trigger.condition is not None:
        facts["conditional"] = True
    if trigger.schema is not None:
        facts["input"] = trigger.schema.json_schema()
    if isinstance(trigger, HttpTrigger):
        facts |= {part: schema.document for part, schema in trigger.text_schemas.items()}
        facts |= trigger.policies.named() | _around(trigger)
        schemas = trigger.response_schemas.items()
        answers = {str(status): schema.json_schema() for status, schema in schemas}
        facts |= {"responses": answers} if answers else {}
    if isinstance(trigger, CronTrigger):
        facts |= schedules.facts(listener)
        facts |= {"overlap": trigger.overlap, "catchUp": trigger.catch_up}
    if trigger.kind not in ("http",):
        said = trigger.delivery.as_said()
        delivery = trigger.delivery
        facts["retries"] = delivery.max_retries if delivery.retry_for is None else None
        facts |= {"config": said} if said else {}
    return facts


def _around(trigger: HttpTrigger) -> dict[str, Any]:
    """Return what stands around an http trigger's handler."""
    facts = {
        "middleware": [name_of(each) for each in trigger.middleware],
        "etag": bool(trigger.etag),
        "idempotency": asdict(trigger.idempotency) if trigger.idempotency else None,
    }
    return {name: fact for name, fact in facts.items() if fact}


def _marked(step: Step, resting: Mapping[str, Pause]) -> str:
    return f"{step.name} (paused)" if step.name in resting else step.name


def _described_pause(pause: Pause | None) -> dict[str, Any] | None:
    if pause is None:
        return None
    return {"since": utc(pause.paused_at), "by": pause.by, "reason": pause.reason}


def _triggers(step: Step, remark: Callable[[Listener], str]) -> Iterator[str]:
    """Give a Step's triggers in words, with what operators have done to its schedules."""
    if not step.triggers:
        yield "nothing: people do it"
    for index, trigger in enumerate(step.triggers):
        conditional = " (conditional)" if trigger.condition else ""
        listener = Listener(step=step, index=index, trigger=trigger)
        remarks = remark(listener) if isinstance(trigger, CronTrigger) else ""
        yield f"{trigger.kind} {trigger.source}{conditional}{remarks}"


def described_message(message: checks.CheckMessage) -> dict[str, Any]:
    """Return what a check says, for machines."""
    return {
        "id": message.id,
        "level": "error" if message.level >= checks.ERROR else "warning",
        "where": message.obj,
        "message": message.msg,
        "hint": message.hint,
    }
