"""Masks in what people give back: put back from the original, or refused; never data themselves."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from motia_django import payloads
from motia_django.exceptions import InvalidInput
from motia_django.payloads import MASK


def restored(edited: Any, original: Any, shown: Any, what: str) -> Any:
    """Return what was edited, with each mask that still stands in its place put back.

    `shown` is the original as people see it, its secrets masked; all three are plain JSON. Raise
    `InvalidInput` about `what`, which says where a mask stands whose secret cannot be told.
    """
    astray: list[str] = []
    whole = _restored(edited, original, shown, (), astray)
    if astray:
        text = _("%s stands where it cannot be told which secret it hides: write it out") % MASK
        raise InvalidInput(what, {path: [text] for path in astray})
    return whole


def without(value: Any, what: str) -> Any:
    """Return a plain value that is new, so that a mask in it hides nothing; refuse one that does.

    Raise `InvalidInput` about `what`.
    """
    return restored(value, None, None, what)


def _restored(
    edited: Any, original: Any, shown: Any, path: tuple[str, ...], astray: list[str]
) -> Any:
    if payloads.dumps(edited) == payloads.dumps(shown):
        return original
    if isinstance(edited, dict) and isinstance(original, dict):
        return {
            key: _restored(value, original[key], _below(shown, key), (*path, key), astray)
            if key in original
            else _open(value, (*path, key), astray)
            for key, value in edited.items()
        }
    if isinstance(edited, list) and isinstance(original, list) and len(edited) == len(original):
        return [  # they may have been put in another order: only what is the same keeps its place
            original[at]
            if payloads.dumps(value) == payloads.dumps(_below(shown, at))
            else _open(value, (*path, str(at)), astray)
            for at, value in enumerate(edited)
        ]
    return _open(edited, path, astray)


def _below(shown: Any, place: Any) -> Any:
    """Return what is shown at a place of a value; if all of it is hidden, so is each part."""
    return MASK if shown == MASK else shown[place]


def _open(value: Any, path: tuple[str, ...], astray: list[str]) -> Any:
    """Return a value that has nothing to be put back, and note where masks stand in it."""
    if value == MASK:
        astray.append(".".join(path))
    elif isinstance(value, dict):
        for key, item in value.items():
            _open(item, (*path, key), astray)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            _open(item, (*path, str(at)), astray)
    return value
