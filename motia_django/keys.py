"""Index keys: the values of an input that its run is found by, such as an order's id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from motia_django import payloads
from motia_django.conf import settings
from motia_django.declarations import Mismatch, Reader, camel

LONGEST_NAME = 100
LONGEST_VALUE = 128
"""Characters of a value that are kept; of a longer one the beginning, and a digest of all."""
_DIGEST = 64
_EXACT_FLOATS = 2**53

Keys = tuple[tuple[str, str], ...]
"""Names, each with its value as text."""


def names(value: Any) -> tuple[str, ...]:
    """Parse the key `index`: a list of names or dotted paths."""
    if not isinstance(value, list | tuple):
        raise Mismatch('a list of names in the input, such as ["orderId", "customer.id"]')
    for each in value:
        _check(each)
    return tuple(dict.fromkeys(value))


def taken(reader: Reader) -> tuple[str, ...]:
    """Take the key `index` of a Step, or of a trigger's `config`."""
    return reader.take("index", names, default=())


def refuse_secrets(reader: Reader, own: tuple[str, ...] | None) -> None:
    """Note a problem of an `index` that has a name in it which its Step's runs have masked.

    That is by the words of the Step's `own` key `redact`, or by those of the setting if it is None.
    """
    words, whose = (settings().redact, "MOTIA['REDACT']") if own is None else (own, "'redact'")

    def parse(value: Any) -> None:
        for path in names(value):
            if payloads.is_secret(path, words):
                raise Mismatch(
                    f"names that {whose} does not mask: {path!r:.50} looks like a secret, and"
                    " would be in the table for all to read"
                )

    reader.take("index", parse, default=None)


def of_input(paths: Iterable[str], input: Any, *, is_request: bool = False) -> Keys:
    """Return the keys that an input has: scalars only; what is empty or not there has none.

    Of a request the body is looked at first, then the path's parameters, then the query.
    """
    places = [input]
    if is_request and isinstance(input, Mapping):
        places = [input.get(part) for part in ("body", "params", "query")]
    found = ((path, _first(path, places)) for path in paths)
    return tuple((path, value) for path, value in found if value)


def kept(text: str) -> str:
    """Return a value as it is kept and looked for, whatever its length."""
    text = payloads.plain_text(text).strip()
    if len(text) <= LONGEST_VALUE:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return text[: LONGEST_VALUE - _DIGEST] + digest


def _check(path: Any) -> None:
    if not isinstance(path, str) or not all(part.strip() for part in path.split(".")):
        raise Mismatch(
            'names or dotted paths in the input, such as "orderId" or "customer.id"'
            f" ({path!r:.50} is none)"
        )
    if len(path) > LONGEST_NAME or not path.isprintable() or "=" in path:
        raise Mismatch(f"names of at most {LONGEST_NAME} printable characters, without =")


def _first(path: str, places: Iterable[Any]) -> str:
    """Return the first scalar that a path leads to, as text; an empty one if there is none."""
    parts = path.split(".")
    for place in places:
        value = place
        for part in parts:
            value = _inside(value, part)
        text = _text(value)
        if text:
            return text
    return ""


def _inside(value: Any, part: str) -> Any:
    if not isinstance(value, Mapping):
        return None
    return value.get(part, value.get(camel(part)))


def _text(value: Any) -> str:
    """Return a scalar as people type it: 7 and "7" are the same, and so is 7.0."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_FLOATS:
        value = int(value)
    return kept(str(value)) if isinstance(value, str | int | float) else ""
