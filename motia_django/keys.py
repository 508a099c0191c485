"""Index keys: what a run is found by, such as an order's id: of its input, or from its handler."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from motia_django import payloads
from motia_django.conf import settings
from motia_django.declarations import Mismatch, Reader, camel
from motia_django.exceptions import InvalidIndex, PayloadError
from motia_django.redaction import Redact

LONGEST_NAME = 100
LONGEST_VALUE = 128
"""Characters of a value that are kept; of a longer one the beginning, and a digest of all."""
MOST_GIVEN = 50
"""Keys that an attempt may give its run besides those of its input."""
_DIGEST = 64
_EXACT_FLOATS = 2**53

Keys = tuple[tuple[str, str], ...]
"""Names, each with its value as text; one name may have several."""
Index = tuple[tuple[str, str], ...]
"""Names, each with a dotted path that leads to its value in an input; one may have several."""
PARTS = ("body", "params", "query")
"""Where in a request a value is looked for, in this order; a path may begin with one of them."""


def index(value: Any) -> Index:
    """Parse the key `index`: a list of names or dotted paths, or a dict of names and paths.

    In a dict a name may have a list of paths.
    """
    if isinstance(value, Mapping):
        pairs = tuple((name, path) for name, said in value.items() for path in _each(said))
    elif isinstance(value, list | tuple):
        pairs = tuple((each, each) for each in value)
    else:
        raise Mismatch(
            'a list of names in the input, such as ["orderId", "customer.id"], or a dict of names'
            ' of your own, each with its path, such as {"orderId": "input.orderId"}, or with a'
            ' list of paths, such as {"customer": ["customerId", "customer"]}'
        )
    for name, path in pairs:
        _check_name(name)
        _check_path(path)
    return tuple(dict.fromkeys(pairs))


def taken(reader: Reader) -> Index:
    """Take the key `index` of a Step, or of a trigger's `config`."""
    return reader.take("index", index, default=())


def refuse_secrets(reader: Reader, own: Redact | None) -> None:
    """Note a problem of an `index` that has a name in it which its Step's runs have masked.

    That is by the words of the Step's `own` key `redact`, of the setting, or of both.
    """

    def parse(value: Any) -> None:
        masks = {} if own is None else {"'redact'": own.words}
        if own is None or own.adds:  # asked here: without an index it has no say
            masks["MOTIA['REDACT']"] = settings().redact
        for each in dict.fromkeys(part for pair in index(value) for part in pair):
            for whose, words in masks.items():
                if payloads.is_secret(each, words):
                    raise Mismatch(
                        f"names that {whose} does not mask: {each!r:.50} looks like a secret, and"
                        " would be in the table for all to read"
                    )

    reader.take("index", parse, default=None)


def paths(index: Index) -> dict[str, list[str]]:
    """Return the names of an index, each with all its paths."""
    found: dict[str, list[str]] = {}
    for name, path in index:
        found.setdefault(name, []).append(path)
    return found


def with_own(index: Index, own: Index) -> Index:
    """Return a Step's index with a trigger's `own`, whose paths of a name replace the Step's."""
    whole = {**paths(index), **paths(own)}
    return tuple((name, path) for name, several in whole.items() for path in several)


def as_said(index: Index) -> list[str] | dict[str, str | list[str]]:
    """Return an index as a file says it."""
    if all(name == path for name, path in index):
        return [name for name, _path in index]
    several = paths(index).items()
    return {name: found[0] if len(found) == 1 else found for name, found in several}


def of_input(index: Index, input: Any, *, is_request: bool = False) -> Keys:
    """Return the keys that an input has: scalars only; what is empty or not there has none.

    Of a request the body is looked at first, then the path's parameters, then the query. Of a name
    with several paths there is what each leads to.
    """
    places = [input]
    if is_request and isinstance(input, Mapping):
        parts = {part: input.get(part) for part in PARTS}
        places = [*parts.values(), parts]
    found = ((name, _first(path, places)) for name, path in index)
    return tuple(dict.fromkeys((name, value) for name, value in found if value))


def joined(there: Keys, given: Mapping[str, Any], masks: Sequence[str]) -> Keys:
    """Return keys with those that a handler gives its run besides.

    Raise `InvalidIndex`, also for a name that one of the words `masks`.
    """
    more = ((name, _given(name, value, masks)) for name, value in given.items())
    whole = dict.fromkeys((*there, *more))
    if len(whole) > MOST_GIVEN:
        raise InvalidIndex(f"ctx.index: expected at most {MOST_GIVEN} keys in an attempt")
    return tuple(whole)


def kept(text: str) -> str:
    """Return a value as it is kept and looked for, whatever its length: with its white space."""
    text = payloads.plain_text(text)
    if len(text) <= LONGEST_VALUE:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return text[: LONGEST_VALUE - _DIGEST] + digest


def _given(name: str, value: Any, masks: Sequence[str]) -> str:
    """Return the value of a key from a handler, as it would be if it came in an input."""
    try:
        _check_name(name)
        if payloads.is_secret(name, masks):
            raise Mismatch("names that are masked nowhere: it looks like a secret")
    except Mismatch as mismatch:
        raise InvalidIndex(f"ctx.index: expected {mismatch}, got {name!r:.200}") from mismatch
    try:
        text = _text(payloads.plain(value))
    except PayloadError:
        text = ""
    if not text:
        shown = payloads.shown(value)
        raise InvalidIndex(f"ctx.index: {name}: expected a text or a number, got {shown}")
    return text


def _each(said: Any) -> Sequence[Any]:
    """Return the paths that a dict has for a name: one, or a list of some."""
    return said if said and isinstance(said, list | tuple) else [said]


def _check_path(path: Any) -> None:
    if not isinstance(path, str) or not all(part.strip() for part in path.split(".")):
        raise Mismatch(
            'names or dotted paths in the input, such as "orderId" or "customer.id", or in a dict'
            f" a list of them for one name ({path!r:.50} is none)"
        )


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise Mismatch(f'names, such as "orderId" ({name!r:.50} is none)')
    if len(name) > LONGEST_NAME or not name.isprintable() or "=" in name:
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
