"""JSON in and out of the ledger and the state: written, read, masked, cut."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import orjson
from django.utils.functional import Promise
from pydantic import BaseModel

from motia_django.exceptions import PayloadError

MASK = "********"
_LONG_DIGITS = re.compile(r"\d{19}")
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


def dumps(value: Any) -> str:
    """Write `value` as JSON text; raise `PayloadError` for what JSON cannot hold.

    Besides JSON's own types it takes pydantic models, dataclasses, enums, dates, UUIDs, decimals (as
    strings), sets and tuples (as lists). NaN and infinities, which JSON does not have, are refused.
    """
    try:
        text = orjson.dumps(value, default=_plain, option=_OPTIONS).decode()
    except orjson.JSONEncodeError as error:
        text = _dumps_slowly(value, error)
    if "null" in text:
        _refuse_nan(value)
    return text


def loads(text: str) -> Any:
    """Read JSON text. Integers of any size keep their value, where orjson would give a float."""
    return json.loads(text) if _LONG_DIGITS.search(text) else orjson.loads(text)


def plain(value: Any) -> Any:
    """Return `value` as it comes back from JSON: dicts, lists, strings, numbers, booleans, None."""
    return loads(dumps(value))


def masked(value: Any, words: Iterable[str]) -> Any:
    """Return plain `value` with the values under secret-looking keys replaced by asterisks."""
    return _masked(value, tuple(words))


def cut(value: Any, limit: int) -> Any:
    """Return plain `value`, or a note of its size and its beginning if its JSON is over `limit` bytes."""
    text = dumps(value)
    size = len(text.encode())
    if size <= limit:
        return value
    return {"motia:cut": {"bytes": size, "begins": text[: min(limit, 1000)]}}


def _masked(value: Any, words: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {
            key: MASK if item is not None and _secret(key, words) else _masked(item, words)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(item, words) for item in value]
    return value


@lru_cache(maxsize=4096)
def _secret(key: str, words: tuple[str, ...]) -> bool:
    folded = _folded(key)
    return any(_folded(word) in folded for word in words)


def _folded(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


def _plain(value: Any) -> Any:
    """Turn what orjson does not know into something it does."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Decimal | Promise | PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise PayloadError(f"{_described(value)} cannot be written as JSON")


def _described(value: Any) -> str:
    if hasattr(value, "_meta") and hasattr(value, "pk"):
        return f"the model instance {value!r} (send its primary key instead)"
    return f"{value!r:.100} of type {type(value).__name__}"


def _dumps_slowly(value: Any, error: orjson.JSONEncodeError) -> str:
    """Write what orjson refused: integers over 64 bits are fine, all else is an error that says why."""
    if isinstance(error.__cause__, PayloadError):
        raise error.__cause__
    if "64-bit" not in str(error):
        raise PayloadError(f"{value!r:.200} cannot be written as JSON: {error}") from error
    try:
        return json.dumps(value, default=_plain_slowly, allow_nan=False, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError) as reason:
        raise PayloadError(f"{value!r:.200} cannot be written as JSON: {reason}") from reason


def _plain_slowly(value: Any) -> Any:
    try:
        return json.loads(orjson.dumps(value, option=_OPTIONS))
    except orjson.JSONEncodeError:
        return _plain(value)


def _refuse_nan(value: Any) -> None:
    """orjson writes NaN as null; a value that silently changes is worse than an error."""
    if isinstance(value, float) and not math.isfinite(value):
        raise PayloadError(f"{value!r} cannot be written as JSON")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple | set | frozenset):
        return
    for item in value:
        _refuse_nan(item)
