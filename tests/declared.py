"""Declarations for tests, read without files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motia_django import triggers
from motia_django.declarations import Problem, Reader
from motia_django.sources import Source
from motia_django.triggers import Trigger


def reader(raw: Mapping[Any, Any]) -> Reader:
    """Return a reader of a dict that stands in no file."""
    return Reader(raw, Source(Path("no_such_file_step.py")))


def read(raw: Mapping[Any, Any]) -> tuple[Trigger | None, list[Problem]]:
    """Read one entry of `triggers`."""
    given = reader(raw)
    return triggers.read(given), given.problems


def good(raw: Mapping[Any, Any]) -> Any:
    """Return the trigger that `raw` declares without a problem."""
    trigger, problems = read(raw)
    assert not problems, list(map(str, problems))
    return trigger


def wrong(raw: Mapping[Any, Any]) -> str:
    """Return the one problem, message and hint, that keeps `raw` from being a trigger."""
    trigger, problems = read(raw)
    assert trigger is None
    assert len(problems) == 1, list(map(str, problems))
    return f"{problems[0].message} {problems[0].hint}".strip()
