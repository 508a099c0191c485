"""Streams with their groups: how many items each has, and what was told of it last."""

from __future__ import annotations

from dataclasses import dataclass

from motia_django import models
from motia_django.admin import groups, words
from motia_django.admin.tails import KINDS
from motia_django.live import log
from motia_django.registry import registry

MOST_STREAMS = 6
"""That are shown with their groups on one page."""
LATELY = 1000
"""Events at the end of the log that are looked at for what was told last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group of a stream."""

    name: str
    items: int
    is_more: bool
    last: str
    """When it was told of last, if that is not long ago."""
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
    lately = _lately()
    return [
        _stream(name, name in declared, lately, is_open=place < MOST_STREAMS)
        for place, name in enumerate(chosen)
    ]


def _stream(
    name: str, is_declared: bool, lately: dict[tuple[str, str], tuple[str, str]], *, is_open: bool
) -> Stream:
    known, has_more = (
        groups.count_all(models.StreamItem, "group", stream=name) if is_open else ([], False)
    )
    there = {each.name: each for each in known}
    told = [group for stream, group in lately if stream == name and group not in there]
    empty = [groups.Counted(name=group, items=0, is_more=False) for group in told]
    shown = [*known, *(() if has_more else empty)] if is_open else []
    return Stream(
        name=name,
        is_declared=is_declared,
        groups=[_group(name, each, lately) for each in shown],
        has_more=has_more,
        is_open=is_open,
    )


def _group(
    stream: str, counted: groups.Counted, lately: dict[tuple[str, str], tuple[str, str]]
) -> Group:
    last, told = lately.get((stream, counted.name), ("", ""))
    return Group(
        name=counted.name, items=counted.items, is_more=counted.is_more, last=last, told=told
    )


def _lately() -> dict[tuple[str, str], tuple[str, str]]:
    """Return when each group was last told of, and of what, newest first."""
    columns = ("stream", "group", "kind", "item", "created_at")
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for stream, group, kind, item, at in (
        log.events().order_by("-id").values_list(*columns)[:LATELY]
    ):
        what = f"{KINDS.get(kind, kind)} {item or ''}".strip()
        found.setdefault((stream, group), (words.moment(at), what))
    return found
