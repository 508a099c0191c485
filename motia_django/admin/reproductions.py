"""A run as a test of its Step: the input that it had, and the state that it found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pprint import pformat
from textwrap import indent
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.utils.http import urlencode

from motia_django import ledger, models, payloads
from motia_django.admin import words
from motia_django.admin.kept_requests import (
    FORM,
    SECRET,
    KeptFile,
    KeptRequest,
    are_any_users_enough,
    asked_of_users,
    placed,
    signature_of,
)
from motia_django.admin.waiting import is_snoozed
from motia_django.registry import registry
from motia_django.runs import INVOKE, Status
from motia_django.timeline import WOKEN

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


class _Written(str):
    """A piece of Python that is written as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_NOBODY = _Written("AnonymousUser()")
_USER = _Written("get_user_model()()")
_SUPERUSER = _Written("get_user_model()(is_staff=True, is_superuser=True)")
_IMPORTS = {
    "get_user_model(": "from django.contrib.auth import get_user_model",
    "AnonymousUser(": "from django.contrib.auth.models import AnonymousUser",
    "SimpleUploadedFile(": "from django.core.files.uploadedfile import SimpleUploadedFile",
}
"""What a test imports from Django, by what stands in its lines."""
_WORDS = ("Stream", "invoke", "wake")
"""What it imports from this package."""


def _module(row: models.Run, lines: list[str]) -> str:
    words_used = [name for name in _WORDS if any(f"{name}(" in line for line in lines)]
    theirs = [each for word, each in _IMPORTS.items() if any(word in line for line in lines)]
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
            *(
                indent(line, " " * 8)
                for line in [*_rows(row), *_placeholder(lines), *lines, *_comment(row)]
            ),
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


def _rows(row: models.Run) -> list[str]:
    """Return a comment on rows, which no history keeps, if the Step's app has tables of its own."""
    app = apps.app_configs.get(registry().step(row.step).app)
    return ["# Make the rows that it reads first."] if app and app.models else []


def _placeholder(lines: list[str]) -> list[str]:
    """Return a comment on the word that stands for secrets, if it does in these lines."""
    if not any(f"'{SECRET}'" in line for line in lines):
        return []
    return [f"# {SECRET!r} stands for what is masked in the history: fill in what is needed."]


def _comment(row: models.Run) -> Iterator[str]:
    """Yield what came of the run, to assert of it what one relies on."""
    if row.status == Status.SUCCEEDED and row.trigger != "http" and row.output is not None:
        yield f"# Then it returned {words.one_line(words.masked_output(row), 300)}"


def _request(row: models.Run) -> Iterator[str]:
    kept = KeptRequest.of(row)
    path = quote(kept.path) + (f"?{urlencode(kept.query, doseq=True)}" if kept.query else "")
    headers = {"headers": dict(kept.headers)} if kept.headers else {}
    yield from _state(row)
    user = _user(row, kept)
    if user in (_USER, _SUPERUSER):
        asking = ", ".join(asked_of_users(row, kept) or ())
        yield f"# Who asked is not kept: user= is to be somebody whom {asking} would let in."
    for each in kept.files:
        yield f"# The content of {each.name!r}, {each.size} bytes, is not kept: put it in."
    named = {**_body(kept), **headers, **({"user": user} if user else {})}
    yield _call("answer = self.motia.http", kept.method, path, **named)
    status = row.output.get("status") if isinstance(row.output, dict) else None
    if row.status == Status.SUCCEEDED and isinstance(status, int):
        yield f"self.assertEqual(answer.status, {status}, answer.text)"
    else:
        yield "self.assertLess(answer.status, 400, answer.text)"


def _user(row: models.Run, kept: KeptRequest) -> _Written | None:
    """Return who asks in the test, past the authentication; None where nobody need be anybody."""
    if signature_of(row):
        return _NOBODY
    if asked_of_users(row, kept) is None or not apps.is_installed("django.contrib.auth"):
        return None
    has_fields = {"is_staff", "is_superuser"} <= {
        each.name for each in get_user_model()._meta.get_fields()
    }
    return _SUPERUSER if has_fields and not are_any_users_enough(row) else _USER


def _body(kept: KeptRequest) -> dict[str, Any]:
    """Return the arguments by which the kit sends a body: a form with its files, or JSON."""
    if kept.body is None:
        return {}
    if not kept.is_form:
        return {"json": kept.body}
    if kept.content_type.lower().startswith(FORM):
        fields = [(name, [str(each) for each in many]) for name, many in kept.fields()]
        return {"body": urlencode(fields, doseq=True), "content_type": FORM}
    form = {name: [_upload(each) for each in many] for name, many in kept.fields()}
    return {"form": {name: many[0] if len(many) == 1 else many for name, many in form.items()}}


def _upload(value: Any) -> Any:
    """Return a field's value as a form of Django's test client has it."""
    if not isinstance(value, KeptFile):
        return "" if value is None else value
    kind = f", content_type={value.content_type!r}" if value.content_type else ""
    return _Written(f'SimpleUploadedFile({value.name!r}, b"..."{kind})')


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
    yield from _state(row, besides=(str(name), str(group), str(item)))
    if kind in ("update", "delete"):
        yield _set(name, group, item, {})
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
    is_as_it_is = row.status == Status.SKIPPED or is_snoozed(row)
    expected = row.status if is_as_it_is else Status.SUCCEEDED
    yield f"runs = {call}"
    yield f"run = next(each for each in runs if each.step == {row.step!r})"
    further = [] if is_snoozed(row) else list(_gone_on(row))
    if further:
        yield from further
        yield "run = next(each for each in self.motia.runs if each.id == run.id)"
    yield f"self.assertEqual(run.status, {str(expected)!r}, run.error)"


def _gone_on(row: models.Run) -> Iterator[str]:
    """Yield what has a run that was snoozed go on: what it causes, its time, or who wakes it."""
    entries = [each for each in row.timeline or () if isinstance(each, dict)]
    pairs = list(pairwise([*entries, {}]))
    ended = [(one, after) for one, after in pairs if one.get("kind") == "snoozed"]
    from_outside = [
        one for one, after in ended if not ("over" in one or _is_woken_by_its_own(row, after))
    ]
    due = [one for one, _ in ended if "over" in one]
    if from_outside:
        yield "self.motia.drain()"
        yield f"# Do here what it waited for ({_why(from_outside[-1])}), and wake it:"
        yield "wake(run.id)"
    elif due:
        yield f"# Unless the time alone does it, do here what it waited for ({_why(due[-1])}):"
    if ended:
        yield f"self.motia.drain({'scheduled=True' if due and not from_outside else ''})"


def _why(snoozed: dict[str, Any]) -> str:
    return repr(words.shortened(str(snoozed.get("reason") or "")))


def _is_woken_by_its_own(row: models.Run, entry: dict[str, Any]) -> bool:
    """Return whether an entry tells that a run was woken by one which it had caused."""
    try:
        waker = UUID(str(entry.get("run_id")))
    except ValueError:
        return False
    below = ledger.rows(id=waker, trace_id=row.trace_id, depth__gt=row.depth)
    return entry.get("kind") == WOKEN and below.exists()


def _input(row: models.Run) -> Any:
    return placed(words.masked_input(row))


def _state(row: models.Run, besides: tuple[str, ...] | None = None) -> Iterator[str]:
    """Yield what makes state and streams as the run found them, as far as its timeline tells."""
    seen, read = {besides}, []
    for entry in row.timeline if isinstance(row.timeline, list) else ():
        kind = entry.get("kind") if isinstance(entry, dict) else None
        if kind not in _PLACES:
            continue
        place, old = tuple(str(entry.get(each)) for each in _PLACES[kind]), entry.get("old")
        if entry.get("operation") == "get" and place not in seen:
            read.append(place)
        if place not in seen and old is not None and not payloads.is_cut(old):
            yield _set(*place, placed(words.masked_as(place[-1], old, row.step)))
        if "old" in entry:
            seen.add(place)
    for place in dict.fromkeys(each for each in read if each not in seen):
        yield f"# The run read {'/'.join(place)!r}, and what that was is not kept. If it has to be:"
        yield indent(_set(*place, _Written("...")), "# ")


_PLACES = {"state": ("group", "key"), "stream": ("stream", "group", "item")}
"""What leads to an item, by the kind of the timeline's entry."""


def _set(*place_and_value: Any) -> str:
    """Return the call that writes an item: of state by its group and key, of a stream by three."""
    *place, value = place_and_value
    if len(place) == len(_PLACES["state"]):
        return _call("self.motia.state.set", *place, value)
    return _call(f"Stream({place[0]!r}).set", *place[1:], value)


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
