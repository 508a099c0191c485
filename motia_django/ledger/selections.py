"""Which runs are meant: by what they have in common, or by their ids; to be kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from motia_django import models
from motia_django.ledger.rows import all_runs
from motia_django.moments import read

LOOKUPS = frozenset(
    {
        "status__in", "step", "step__in", "trigger", "source", "fingerprint", "trace_id",
        "id", "id__gte", "id__lt", "id__lte",
        "finished_at__gte", "finished_at__lt", "finished_at__lte",
    }
)  # fmt: skip
"""The lookups that may be kept: each is quick, or narrows what a quick one finds."""
MOST_IDS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Runs that have all of `wanted` and none of `unwanted`; of these `ids`, if any are given."""

    wanted: Mapping[str, Any] = field(default_factory=dict)
    """Values by Django's field lookups."""
    unwanted: Mapping[str, Any] = field(default_factory=dict)
    ids: tuple[UUID, ...] | None = None

    def __post_init__(self) -> None:
        unknown = {*self.wanted, *self.unwanted} - LOOKUPS
        if unknown:
            raise ValueError(f"runs are not selected by {', '.join(sorted(unknown))}")

    def rows(self, after: UUID | None = None) -> QuerySet[models.Run]:
        """Return the rows that match now, in the order of their birth."""
        rows = all_runs().filter(**self.wanted).order_by("id")
        if self.unwanted:
            rows = rows.exclude(**self.unwanted)
        if self.ids is not None:
            rows = rows.filter(id__in=[each for each in self.ids if after is None or each > after])
        return rows.filter(id__gt=after) if after is not None else rows

    def also(self, **wanted: Any) -> Selection:
        """Return those of these runs that have these values as well."""
        return replace(self, wanted={**self.wanted, **wanted})

    @property
    def as_of(self) -> datetime | None:
        """When somebody looked at these runs, which had ended then; None if they had not to."""
        moment = self.wanted.get("finished_at__lte")
        return read(moment) if isinstance(moment, str) else moment

    def to_json(self) -> dict[str, Any]:
        """Return it in plain JSON."""
        return {
            "wanted": {name: _plain(value) for name, value in self.wanted.items()},
            "unwanted": {name: _plain(value) for name, value in self.unwanted.items()},
            "ids": None if self.ids is None else [str(each) for each in self.ids],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Selection:
        """Read what `to_json` wrote; raise `ValueError` for what is none of ours.

        A key that a later release narrows by, and this one does not know, is not passed over.
        """
        unknown = set(kept) - {"wanted", "unwanted", "ids"}
        if unknown:
            raise ValueError(f"a selection has no {', '.join(sorted(map(str, unknown)))}")
        ids = kept.get("ids")
        return cls(
            wanted=dict(kept.get("wanted") or {}),
            unwanted=dict(kept.get("unwanted") or {}),
            ids=None if ids is None else tuple(map(UUID, ids)),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(each) for each in value]
    return str(value)
