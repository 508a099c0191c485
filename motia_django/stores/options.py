"""The numbers that calls of state take: how long an item stays, which version, how many.

Those of streams take the first of them.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from motia_django import payloads
from motia_django.exceptions import InvalidOption

_LONGEST = 1e9
"""Seconds: some thirty years."""
_HIGHEST = 2**63 - 1
"""What every store takes for a number."""


def expiry(ttl: float | None, where: str = "state") -> datetime | None:
    """Return when an item expires that is to stay for so many seconds; None if it stays."""
    if ttl is None:
        return None
    is_number = isinstance(ttl, int | float) and not isinstance(ttl, bool)
    if not is_number or not math.isfinite(ttl) or not 0 < ttl <= _LONGEST:
        expected = f"a number of seconds greater than 0, up to {_LONGEST:g}"
        raise _wrong("ttl", expected, ttl, where)
    return timezone.now() + timedelta(seconds=ttl)


def checked_version(version: Any) -> int | None:
    """Return the version that an item must have; raise `InvalidOption` if that is none."""
    if version is None or (_is_whole(version) and 0 <= version <= _HIGHEST):
        return None if version is None else int(version)
    raise _wrong("if_version", "the version of an item, or 0 if it must not be there", version)


def checked_limit(limit: Any) -> int | None:
    """Return how many items are wanted at most; raise `InvalidOption` if that is no number."""
    if limit is None or (_is_whole(limit) and limit > 0):
        return None if limit is None else min(int(limit), _HIGHEST)
    raise _wrong("limit", "a whole number greater than 0", limit)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(name: str, expected: str, got: Any, where: str = "state") -> InvalidOption:
    return InvalidOption(f"{where}: {name}: expected {expected}, got {payloads.shown(got)}")
