"""Streams with their groups: how many items each has, and what was told of it last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from motia_django import models
from motia_django.admin import groups, words
from motia_django.admin.tails import KINDS
from motia_django.live import log
from motia_django.registry import registry

MOST_STREAMS = 6
"""That are shown with their groups on one page."""

Told = tuple[str, str]
"""When something was told, and what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(groups.Counted):
    """One group of a stream."""

    last: str
    """When it was told of last, if the log still has that."""
    told: str
    """What was told then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream."""

    name: str
    is_declared: bool
    """Whether there is a file for it."""
    groups: list[Group]
    has_more: bool
    """Whether it has more groups than these."""
    is_open: bool
    """Whether its groups are shown."""


def streams(only: str | None = None) -> list[Stream]:
    """Return all streams, or the one of that name if there is such a one."""
    declared = set(registry().streams)
    found = sorted(declared | set(groups.names(models.StreamItem, "stream")))
    chosen = [name for name in found if only in (None, name)]
    return [
        _stream(name, name in declared, is_open=place < MOST_STREAMS)
        for place, name in enumerate(chosen)
    ]


def _stream(name: str, is_declared: bool, *, is_open: bool) -> Stream:
    there = _groups_of(name) if is_open else []
    shown = there[: groups.MOST_GROUPS]
    told = _told_last(name, shown)
    return Stream(
        name=name,
        is_declared=is_declared,
        groups=[
            _group(each, told.get(each.name, ("", "")))
            for each in groups.counted(models.StreamItem, "group", shown, stream=name)
        ],
        has_more=len(there) > len(shown),
        is_open=is_open,
    )


def _groups_of(stream: str) -> list[str]:
    """Return the first groups by name, one too many: those with items, and those told of."""
    tables = (models.StreamItem, models.StreamEvent)
    return sorted({name for each in tables for name in groups.names(each, "group", stream=stream)})


def _told_last(stream: str, names: Sequence[str]) -> dict[str, Told]:
    """Return what each of these groups was told of last, as far as the log still has it."""
    newest = groups.newest(models.StreamEvent, "group", names, stream=stream)
    columns = ("group", "kind", "item", "created_at")
    return {
        group: (words.moment(at), f"{KINDS.get(kind, kind)} {item or ''}".strip())
        for group, kind, item, at in log.events().filter(id__in=newest).values_list(*columns)
    }


def _group(counted: groups.Counted, told: Told) -> Group:
    last, what = told
    return Group(
        name=counted.name, items=counted.items, is_more=counted.is_more, last=last, told=what
    )
