"""JSON in and out of the ledger and the state: written, read, masked, cut."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from itertools import chain
from pathlib import PurePath
from typing import Any

import orjson
from django.utils.functional import Promise

from motia_django.exceptions import PayloadError
from motia_django.redaction import asker

MASK = "********"
_CUT = "motia:cut"
_LONG_INTEGER = re.compile(r"-\d{19}|\d{20}")
_DIGITS_AS_ZEROS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_MANY_ZEROS = b"0" * 19
_SHALLOW = 200
"""So many brackets cannot be nested too deeply to be written."""
_LONGEST_PATH = 20
"""So many levels deep a part is looked for that JSON cannot hold."""
_NOT_WRITTEN = (ValueError, RecursionError, orjson.JSONEncodeError)
_CONTAINERS = (dict, list)
_NEVER_NAN = frozenset((str, int, bool, type(None)))
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Json:
    """A value with its JSON text: in the place of the value, a column of JSON takes the text."""

    value: Any
    text: str

    @classmethod
    def of(cls, value: Any) -> Json:
        """Return a value with its text, that it need not be written again; see `dumps`."""
        return cls(value, dumps(value))


def dumps(value: Any) -> str:
    """Write `value` as JSON text; raise `PayloadError` for what JSON cannot hold.

    Besides JSON's own types it takes pydantic models, dataclasses, enums, dates, UUIDs, decimals
    (as strings), sets and tuples (as lists). NaN and infinities, which JSON lacks, are refused.
    """
    return dump(value).decode()


def dump(value: Any) -> bytes:
    """Write `value` as JSON in UTF-8; raise `PayloadError` for what JSON cannot hold."""
    try:
        content = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        content = _dump_slowly(value, error)
    if b"null" in content:
        _refuse_nan(value)
    return content


def loads(text: str | bytes) -> Any:
    """Read JSON text; raise `ValueError` if it is none.

    Integers of any size keep their value, where orjson would give a float.
    """
    content = text.encode() if isinstance(text, str) else text
    if _MANY_ZEROS in content.translate(_DIGITS_AS_ZEROS):
        text = content.decode()
        return _loads_slowly(text) if _LONG_INTEGER.search(text) else orjson.loads(text)
    return orjson.loads(content)


def read(content: bytes) -> Any:
    """Read JSON that can be written as it was read; raise `ValueError` if it is not plainly so.

    Then it may still be JSON: with integers of any size, or nested as deep as nobody can write it.
    """
    if _MANY_ZEROS in content.translate(_DIGITS_AS_ZEROS):
        raise ValueError("there may be integers of more than 64 bits")
    value = orjson.loads(content)
    if content.count(b"[") + content.count(b"{") > _SHALLOW:
        try:
            dump(value)
        except PayloadError as error:
            raise ValueError("it is nested too deeply") from error
    return value


def read_again(content: bytes) -> Any:
    """Return a copy of what `read` has made of this."""
    return orjson.loads(content)


def same(one: Any, other: Any) -> bool:
    """Return whether two plain values are the same JSON: 1 and 1.0 are, 1 and true are not."""
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            if left.keys() != right.keys():
                return False
            pairs += [(value, right[key]) for key, value in left.items()]
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
        elif isinstance(left, bool) is not isinstance(right, bool) or left != right:
            return False
    return True


def plain(value: Any) -> Any:
    """Return `value` as it comes back from JSON: dicts, lists, strings, numbers, booleans, None."""
    try:
        content = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        return loads(_dump_slowly(value, error))
    if b"null" in content:
        _refuse_nan(value)
    return orjson.loads(content)


def presentable(value: Any, levels: int = 6) -> Any:
    """Return `value` in plain JSON for people to read: what JSON cannot hold becomes its `repr`."""
    try:
        return plain(value)
    except PayloadError:
        opened = dict(value) if _is_model(value) else _opened(value)
    if isinstance(opened, str):
        return plain_text(opened)
    if isinstance(opened, dict) and levels:
        return {_key(key): presentable(item, levels - 1) for key, item in opened.items()}
    if isinstance(opened, list) and levels:
        return [presentable(item, levels - 1) for item in opened]
    return shown(value)


def plain_text(text: str) -> str:
    """Return text that every database can hold: lone surrogates and NUL are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def shown(value: Any) -> str:
    """Return the `repr` of a value, cut short; never raise, whatever the value."""
    try:
        return plain_text(_REPR.repr(value))
    except Exception:
        return f"a value of type {type(value).__name__}"


def masked(value: Any, words: Iterable[str]) -> Any:
    """Return plain `value` with the values under secret-looking keys replaced by asterisks."""
    return _masked(value, asker(tuple(words)))


def masked_text(value: Any, words: Iterable[str]) -> str:
    """Return `value` as JSON text for people to read, with secrets masked."""
    try:
        return dumps(masked(value, words))
    except PayloadError:
        return dumps(masked(presentable(value), words))


def is_secret(path: str, words: Iterable[str]) -> bool:
    """Return whether what a dotted path leads to is masked, by any name on the way."""
    return any(map(asker(tuple(words)), path.split(".")))


def masked_names(value: Any) -> list[str]:
    """Return under which names masks stand in plain `value`, as dotted paths, each once.

    Whatever words hold today: it was masked by those that held then.
    """
    return list(dict.fromkeys(".".join(path) for path in _masks(value, ())))


def is_cut(value: Any) -> bool:
    """Return whether `value` is what `cut` leaves of a large one."""
    return isinstance(value, dict) and set(value) == {_CUT}


def cut(value: Any, limit: int) -> Any:
    """Return plain `value`, or its size and beginning if its JSON is over `limit` bytes."""
    text = dumps(value)
    size = len(text.encode())
    if size <= limit:
        return value
    return {_CUT: {"bytes": size, "begins": text[: min(limit, 1000)]}}


def _masked(value: Any, is_secret: Callable[[str], bool]) -> Any:
    if isinstance(value, dict):
        return {
            key: MASK
            if is_secret(key) and item is not None
            else (_masked(item, is_secret) if isinstance(item, _CONTAINERS) else item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(item, is_secret) for item in value]
    return value


def _masks(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if item == MASK:
                yield (*path, key)
            else:
                yield from _masks(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from _masks(item, path)


def _key(key: Any) -> str:
    return plain_text(key) if isinstance(key, str) else shown(key)


def _plain(value: Any) -> Any:
    """Turn what orjson does not know into something it does."""
    if isinstance(value, Decimal | Promise | PurePath):
        return str(value)
    opened = _opened(value)
    if opened is value:
        raise PayloadError(f"{_described(value)} cannot be written as JSON")
    return opened


def _opened(value: Any) -> Any:
    """Return the dict or list that a container of another kind is written as, else the value."""
    if isinstance(value, Enum):
        return _opened(value.value)
    if _is_model(value):
        return value.model_dump(mode="json", by_alias=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (each.name for each in dataclasses.fields(value))
        return {name: getattr(value, name) for name in names if not name.startswith("_")}
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return dict(value) if isinstance(value, Mapping) and not isinstance(value, dict) else value


def _is_model(value: Any) -> bool:
    """Return whether a value is a pydantic model; none is where nobody has loaded pydantic."""
    return isinstance(value, getattr(sys.modules.get("pydantic.main"), "BaseModel", ()))


def _described(value: Any) -> str:
    if hasattr(value, "_meta") and hasattr(value, "pk"):
        return f"the model instance {shown(value)} (send its primary key instead)"
    return f"{shown(value)} of type {type(value).__name__}"


def _dump_slowly(value: Any, error: Exception) -> bytes:
    """Write integers over 64 bits, which orjson refuses; all else is an error: where, and why."""
    if "64-bit" in str(error):
        try:
            return _dump_wide(value)
        except _NOT_WRITTEN as reason:
            error = reason
    path, part = ("", value) if "Recursion" in str(error) else _at_fault(value)
    if isinstance(error.__cause__, PayloadError):
        raise PayloadError(error.__cause__.reason, path) from error
    raise PayloadError(f"{shown(part)} cannot be written as JSON: {error}", path) from error


def _dump_wide(value: Any) -> bytes:
    return orjson.dumps(_with_wide_integers(value), default=_plain, option=_OPTIONS)


def _at_fault(value: Any) -> tuple[str, Any]:
    """Return the path of the first part that JSON cannot hold, and that part; else of all of it."""
    left: list[tuple[tuple[str, ...], Any]] = [((), value)]
    seen: dict[int, Any] = {}
    while left:
        path, part = left.pop()
        parts = _parts(part)
        if not _is_held(part if parts is None else dict.fromkeys(parts)):
            return ".".join(path), part
        if parts and len(path) < _LONGEST_PATH and id(part) not in seen:
            seen[id(part)] = part
            left += [((*path, _key(key)[:100]), each) for key, each in reversed(parts.items())]
    return "", value


def _parts(value: Any) -> dict[Any, Any] | None:
    """Return what a container holds by its keys or places; None if it is none."""
    try:
        opened = _opened(value)
    except Exception:
        return None
    if isinstance(opened, list):
        return dict(enumerate(opened))
    return opened if isinstance(opened, dict) else None


def _is_held(value: Any) -> bool:
    """Return whether JSON can hold a value that is no container, or keys."""
    try:
        return _dump_wide(value) != b"null" or _opened(value) is None
    except _NOT_WRITTEN:
        return False


def _loads_slowly(text: str) -> Any:
    """Read JSON with integers over 64 bits; what the json module lets pass besides is refused."""
    try:
        value = json.loads(text)
        dumps(value)
    except (PayloadError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return value


def _with_wide_integers(value: Any) -> Any:
    """Spell out the integers that orjson has no room for."""
    value = _opened(value)
    if isinstance(value, dict):
        return {
            str(key) if _is_wide(key) else key: _with_wide_integers(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_wide_integers(item) for item in value]
    return orjson.Fragment(str(value)) if _is_wide(value) else value


def _is_wide(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**64


def _refuse_nan(value: Any) -> None:
    """orjson writes NaN as null; a value that silently changes is worse than an error."""
    left = [value]
    while left:
        each = left.pop()
        if type(each) not in _CONTAINERS:
            each = _opened(each)
        if isinstance(each, float) and not math.isfinite(each):
            which = "" if math.isnan(each) else ", a number beyond 1.8e308,"
            path, _ = _at_fault(value)
            raise PayloadError(f"{each!r}{which} is nothing that JSON can hold", path)
        if isinstance(each, dict):
            left += [part for part in chain(each, each.values()) if type(part) not in _NEVER_NAN]
        elif isinstance(each, list):
            left += [part for part in each if type(part) not in _NEVER_NAN]
