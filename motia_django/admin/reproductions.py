"""A run as a test of its Step: the input that it had, and the state that it found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pprint import pformat
from textwrap import indent
from typing import Any
from urllib.parse import quote

from django.utils.http import urlencode

from motia_django import models, payloads
from motia_django.admin import words
from motia_django.registry import registry
from motia_django.runner import invoked_as
from motia_django.runs import INVOKE, Status

SECRET = "SECRET"  # nosec B105  # it stands where a secret was
"""Stands where a secret was."""
_WIDTH = 80


def of_run(row: models.Run) -> str:
    """Return a test module that gives a Step the input of this run; an empty text if none can.

    A run of a Step that is gone, or of one that a test would start by another of its triggers,
    cannot be had so.
    """
    if row.step not in registry() or payloads.is_cut(row.input):
        return ""
    step = registry().step(row.step)
    if row.trigger == "http":
        lines = list(_request(row))
    elif row.trigger == INVOKE or invoked_as(step)[1].kind == row.trigger:
        lines = [*_state(row), _call("invoke", row.step, _input(row))]
    else:
        return ""
    return _module(row, lines)


def placed(value: Any) -> Any:
    """Return a masked value with a word in the place of each mask, for somebody to fill in."""
    if isinstance(value, dict):
        return {key: placed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [placed(item) for item in value]
    return SECRET if value == payloads.MASK else value


def _module(row: models.Run, lines: list[str]) -> str:
    names = sorted(
        {
            name
            for name in ("invoke", "state")
            if any(f"{name}" in line.split("(")[0] for line in lines)
        }
    )
    imports = ["from django.test import TestCase"]
    imports += ["", f"from motia_django import {', '.join(names)}"] if names else []
    body = [*lines, *_comment(row)]
    return "\n".join(
        [
            f'"""{_told(row)}"""',
            "",
            *imports,
            "",
            "",
            f"class {_class_name(row.step)}Test(TestCase):",
            f"    def test_takes_the_input_of_run_{row.id.hex[-12:]}(self):",
            *(indent(line, " " * 8) for line in body),
            "",
        ]
    )


def _told(row: models.Run) -> str:
    """Return what the run was, in a line that may stand in a docstring."""
    told = f"{row.step} with the input of run {row.id}, which is {row.status}"
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
    yield from _state(row)
    yield "response = self.client.generic("
    yield f"    {method!r},"
    yield f"    {path!r},"
    if sent.get("body") is not None:
        yield f"    {payloads.dumps(sent['body'])!r},"
        yield '    content_type="application/json",'
    yield ")"
    status = row.output.get("status") if isinstance(row.output, dict) else None
    expected = status if row.status == Status.SUCCEEDED and isinstance(status, int) else None
    if expected is None:
        yield "self.assertLess(response.status_code, 400, response.content)"
    else:
        yield f"self.assertEqual(response.status_code, {expected}, response.content)"


def _input(row: models.Run) -> Any:
    return placed(words.masked_input(row.input))


def _state(row: models.Run) -> Iterator[str]:
    """Yield what makes the state as the run found it, as far as its timeline tells."""
    seen: set[tuple[str, str]] = set()
    for entry in row.timeline if isinstance(row.timeline, list) else ():
        if not isinstance(entry, dict) or entry.get("kind") != "state":
            continue
        place, old = (str(entry.get("group")), str(entry.get("key"))), entry.get("old")
        if place not in seen and old is not None and not payloads.is_cut(old):
            yield _call("state.set", *place, placed(words.masked_as(entry.get("key"), old)))
        if "old" in entry:
            seen.add(place)


def _call(name: str, *arguments: Any) -> str:
    """Return a call as Python writes it: in one line, or with each argument on lines of its own."""
    texts = [pformat(each, width=_WIDTH, sort_dicts=False) for each in arguments]
    line = f"{name}({', '.join(texts)})"
    if "\n" not in line and len(line) <= _WIDTH:
        return line
    return "\n".join([f"{name}(", *(indent(f"{text},", "    ") for text in texts), ")"])


def _class_name(step: str) -> str:
    parts = re.findall(r"[A-Za-z0-9]+", step)
    name = "".join(part[0].upper() + part[1:] for part in parts)
    return name if name[:1].isalpha() else f"Step{name}"
