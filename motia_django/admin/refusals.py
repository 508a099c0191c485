"""Requests that were refused, and so are in no list of runs: how many, by Step and status code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from motia_django import ledger
from motia_django.admin import words
from motia_django.admin.links import Links
from motia_django.registry import registry

DAY = timedelta(days=1)
MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a Step refused with one status code."""

    step: str
    url: str
    status: str
    requests: str
    last: str
    """When the last hour with any began."""


def rows(refused: Sequence[ledger.Refused], links: Links) -> list[Row]:
    """Return in words what was refused, the most of it."""
    return [
        Row(
            step=each.step,
            url=links.step(each.step) if each.step in registry() else "",
            status=words.http_status(each.status),
            requests=f"{each.requests:,}",
            last=words.time_of_day(each.last),
        )
        for each in refused[:MOST]
    ]
