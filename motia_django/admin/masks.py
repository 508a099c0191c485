"""Secrets in a document that is edited: shown masked, and put back where they were left alone."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from motia_django import payloads


def restored(edited: Any, original: Any, shown: Any) -> Any:
    """Return what was edited, with each mask that still stands in its place put back.

    `shown` is the original as it was given to edit, its secrets masked. Raise `ValidationError` for
    a mask that stands where its secret cannot be told.
    """
    return _restored(edited, shown, original)


def _restored(edited: Any, shown: Any, original: Any) -> Any:
    if _same(edited, shown):
        return original
    if isinstance(edited, dict) and isinstance(shown, dict):
        return {
            key: _restored(value, shown[key], original[key]) if key in shown else _open(value)
            for key, value in edited.items()
        }
    if isinstance(edited, list) and isinstance(shown, list) and len(edited) == len(shown):
        each = zip(edited, shown, original, strict=True)
        return [old if _same(new, seen) else _open(new) for new, seen, old in each]
    return _open(edited)


def _same(one: Any, other: Any) -> bool:
    return payloads.dumps(one) == payloads.dumps(other)


def _open(value: Any) -> Any:
    """Return a value that holds no mask."""
    if payloads.dumps(payloads.MASK) in payloads.dumps(value):
        text = _("%s stands where it cannot be told which secret it hides: write it out.")
        raise ValidationError(text % payloads.MASK)
    return value
