"""A run as a test of its Step: the input that it had, and the state that it found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pprint import pformat
from textwrap import indent
from typing import Any
from urllib.parse import quote

from django.utils.http import urlencode

from motia_django import models, payloads
from motia_django.admin import words
from motia_django.registry import registry
from motia_django.runs import INVOKE, Status
from motia_django.webhooks import Signature, signatures_of

SECRET = "SECRET"  # nosec B105  # it stands where a secret was
"""Stands where a secret was."""
_WIDTH = 80
_STATUSES = {
    Status.SCHEDULED: "which waits",
    Status.QUEUED: "which waits",
    Status.RUNNING: "which is running",
    Status.SUCCEEDED: "which succeeded",
    Status.SKIPPED: "which was skipped",
    Status.DEAD: "which died",
    Status.CANCELLED: "which was cancelled",
}


def of_run(row: models.Run) -> str:
    """Return a test module that gives a Step the input of this run; an empty text if none can.

    A run of a Step that is gone, or of a trigger that it no longer has, cannot be had so.
    """
    if row.step not in registry() or payloads.is_cut(row.input):
        return ""
    lines = list(_WAYS.get(row.trigger, _no_way)(row))
    return _module(row, lines) if lines else ""


def placed(value: Any) -> Any:
    """Return a masked value with a word in the place of each mask, for somebody to fill in."""
    if isinstance(value, dict):
        return {key: placed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [placed(item) for item in value]
    return SECRET if value == payloads.MASK else value


def signature_of(row: models.Run) -> type[Signature] | None:
    """Return what signs the requests to the Step on the path of this run; None if nothing does."""
    step = registry().step(row.step) if row.step in registry() else None
    triggers = step.triggers_of("http") if step else ()
    kinds = [
        kind
        for _, trigger in triggers
        if trigger.source == row.source
        for kind in signatures_of(trigger)
    ]
    return kinds[0] if kinds else None


class _Written(str):
    """A piece of Python that is written as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_NOBODY = _Written("AnonymousUser()")


def _module(row: models.Run, lines: list[str]) -> str:
    words_used = [
        name for name in ("Stream", "invoke") if any(f"{name}(" in line for line in lines)
    ]
    is_nobodys = any(f"user={_NOBODY}" in line for line in lines)
    theirs = ["from django.contrib.auth.models import AnonymousUser"] if is_nobodys else []
    own = [f"from motia_django import {', '.join(words_used)}"] if words_used else []
    return "\n".join(
        [
            f'"""{_told(row)}"""',
            "",
            *theirs,
            "from django.test import TestCase",
            "",
            *own,
            "from motia_django.testing import MotiaMixin",
            "",
            "",
            f"class {_class_name(row.step)}Test(MotiaMixin, TestCase):",
            f"    def test_takes_the_input_of_run_{row.id.hex[-12:]}(self):",
            *(indent(line, " " * 8) for line in [*lines, *_comment(row)]),
            "",
        ]
    )


def _told(row: models.Run) -> str:
    """Return what the run was, in a line that may stand in a docstring."""
    told = f"{row.step} with the input of run {row.id}, {_STATUSES[Status(row.status)]}"
    error = words.error_line(row.error)
    text = f"{told}: {error}" if error else f"{told}."
    printable = "".join(each if each.isprintable() else " " for each in text)
    return printable.replace("\\", "/").replace('"', "'")


def _comment(row: models.Run) -> Iterator[str]:
    """Yield what came of the run, to assert of it what one relies on."""
    if row.status == Status.SUCCEEDED and row.trigger != "http" and row.output is not None:
        yield f"# Then it returned {words.one_line(row.output, 300)}"


def _request(row: models.Run) -> Iterator[str]:
    given = _input(row)
    sent = given if isinstance(given, dict) else {}
    method, _space, declared = row.source.partition(" ")
    query = sent.get("query")
    path = quote(str(sent.get("path") or declared))
    path += f"?{urlencode(query, doseq=True)}" if isinstance(query, dict) and query else ""
    named = {} if sent.get("body") is None else {"json": sent["body"]}
    named |= {"user": _NOBODY} if signature_of(row) else {}
    yield from _state(row)
    yield _call("answer = self.motia.http", method, path, **named)
    status = row.output.get("status") if isinstance(row.output, dict) else None
    if row.status == Status.SUCCEEDED and isinstance(status, int):
        yield f"self.assertEqual(answer.status, {status}, answer.text)"
    else:
        yield "self.assertLess(answer.status, 400, answer.text)"


def _message(row: models.Run) -> Iterator[str]:
    topics = [trigger.source for _, trigger in registry().step(row.step).triggers_of("queue")]
    if row.source in topics:
        yield from _state(row)
        yield from _ran(row, _call("self.motia.queue", row.source, _input(row)))


def _tick(row: models.Run) -> Iterator[str]:
    due = row.input.get("scheduledTime") if isinstance(row.input, dict) else None
    if isinstance(due, str) and registry().step(row.step).triggers_of("cron"):
        yield from _state(row)
        yield from _ran(row, _call("self.motia.cron", row.step, at=due))


def _change(row: models.Run) -> Iterator[str]:
    change = _input(row)
    if not isinstance(change, dict) or not registry().step(row.step).triggers_of("state"):
        return
    place = str(change.get("groupId")), str(change.get("itemId"))
    yield from _state(row, besides=place)
    new, old = change.get("newValue"), change.get("oldValue")
    yield from _ran(row, _call("self.motia.state_change", *place, new, old=old))


def _event(row: models.Run) -> Iterator[str]:
    change = _input(row)
    event = change.get("event") if isinstance(change, dict) else None
    if not isinstance(event, dict) or not registry().step(row.step).triggers_of("stream"):
        return
    name, group, item = (change.get(key) for key in ("streamName", "groupId", "id"))
    kind, data = event.get("type"), event.get("data")
    yield from _state(row)
    if kind in ("update", "delete"):
        yield _call(f"Stream({name!r}).set", group, item, {})
    if kind == "event":
        sent = data if isinstance(data, dict) else {}
        given = {"event": sent.get("type"), "data": sent.get("data")}
        call = _call("self.motia.stream_event", name, group, item, **given)
    else:
        value = None if kind == "delete" else data
        call = _call("self.motia.stream_event", name, group, item, value)
    yield from _ran(row, call)


def _invocation(row: models.Run) -> Iterator[str]:
    yield from _state(row)
    yield _call("invoke", row.step, _input(row))


def _no_way(row: models.Run) -> Iterator[str]:
    return iter(())


_WAYS: dict[str, Callable[[models.Run], Iterator[str]]] = {
    "http": _request,
    "queue": _message,
    "cron": _tick,
    "state": _change,
    "stream": _event,
    INVOKE: _invocation,
}


def _ran(row: models.Run, call: str) -> Iterator[str]:
    """Yield the call that starts Steps, and what is expected of the run of this one."""
    expected = row.status if row.status == Status.SKIPPED else Status.SUCCEEDED
    yield f"runs = {call}"
    yield f"run = next(each for each in runs if each.step == {row.step!r})"
    yield f"self.assertEqual(run.status, {str(expected)!r}, run.error)"


def _input(row: models.Run) -> Any:
    return placed(words.masked_input(row.input))


def _state(row: models.Run, besides: tuple[str, str] | None = None) -> Iterator[str]:
    """Yield what makes the state as the run found it, as far as its timeline tells."""
    seen = {besides}
    for entry in row.timeline if isinstance(row.timeline, list) else ():
        if not isinstance(entry, dict) or entry.get("kind") != "state":
            continue
        place, old = (str(entry.get("group")), str(entry.get("key"))), entry.get("old")
        if place not in seen and old is not None and not payloads.is_cut(old):
            yield _call(
                "self.motia.state.set", *place, placed(words.masked_as(entry.get("key"), old))
            )
        if "old" in entry:
            seen.add(place)


def _call(name: str, *arguments: Any, **named: Any) -> str:
    """Return a call as Python writes it: in one line, or with each argument on lines of its own."""
    texts = [_literal(each) for each in arguments]
    texts += [f"{key}={_literal(value)}" for key, value in named.items()]
    line = f"{name}({', '.join(texts)})"
    if "\n" not in line and len(line) <= _WIDTH:
        return line
    return "\n".join([f"{name}(", *(indent(f"{text},", "    ") for text in texts), ")"])


def _literal(value: Any) -> str:
    return pformat(value, width=_WIDTH, sort_dicts=False)


def _class_name(step: str) -> str:
    parts = re.findall(r"[A-Za-z0-9]+", step)
    name = "".join(part[0].upper() + part[1:] for part in parts)
    return name if name[:1].isalpha() else f"Step{name}"
