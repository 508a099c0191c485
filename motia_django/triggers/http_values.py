"""What the keys of an http trigger may hold: its path, its query's names, its answers' schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from motia_django import declarations
from motia_django.declarations import Mismatch
from motia_django.schemas import Schema
from motia_django.triggers.base import schema

_RESERVED = ("self", "request", "format")
_SEGMENT = re.compile(r":[A-Za-z_][A-Za-z0-9_]*|[\w.~!$&'()*+,;=@-]+")


def described(value: Any) -> Mapping[str, str]:
    """Parse `[{"name": "limit", "description": "How many"}, ...]`."""
    expected = 'a list such as [{"name": "limit", "description": "How many"}]'
    if not isinstance(value, list | tuple):
        raise Mismatch(expected)
    found = {}
    for each in value:
        if not isinstance(each, Mapping) or not set(each) <= {"name", "description"}:
            raise Mismatch(expected)
        name = declarations.text(each.get("name"))
        found[name] = declarations.any_text(each.get("description", ""))
    return found


def path(value: Any) -> str:
    """Parse a path with `:name` segments."""
    expected = 'a path such as "/todos/:id"'
    if not isinstance(value, str) or not value.startswith("/"):
        raise Mismatch(f"{expected}, beginning with /")
    segments = value[1:].split("/")
    for segment in segments[:-1] if segments[-1] == "" else segments:
        if not _SEGMENT.fullmatch(segment):
            raise Mismatch(
                f"{expected}: {segment!r} is neither a plain segment nor a parameter (:name)"
            )
    names = [segment for segment in segments if segment.startswith(":")]
    if len(names) != len(set(names)):
        raise Mismatch(f"{expected}, each parameter once")
    reserved = [name[1:] for name in names if name[1:] in _RESERVED]
    if reserved:
        raise Mismatch(f"{expected}; the parameter name {reserved[0]!r} is Django's own")
    return value


def by_status(value: Any) -> Mapping[int, Schema]:
    """Parse a schema for each status code."""
    if not isinstance(value, Mapping):
        raise Mismatch("a dict of status code to schema")
    return {_status(status): schema(declared) for status, declared in value.items()}


def _status(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:
        raise Mismatch(f"status codes from 200 to 599 as keys; {value!r} is none")
    return value
