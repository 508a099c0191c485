"""What an http trigger says of the version of what it answers with: its `ETag`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motia_django import calls
from motia_django.declarations import INVALID_VALUE, Mismatch, Reader

ETag = Callable[..., Any] | bool
"""True, or a function of (request) that gives the version there is now: text, a time, or None."""

_SAFE = ("GET", "HEAD")
_EXPECTED = "True, or a function of (request) that returns the version there is now"


def take_etag(reader: Reader, method: str) -> ETag:
    """Take the key `etag` of an http trigger."""
    etag = reader.take("etag", _declared, default=False)
    if etag is True and method not in _SAFE:
        key = reader.spelling("etag")
        text = f"config.{key}: the answer to {method} comes too late to refuse the request"
        hint = "Give a function of (request) that returns the version there is now."
        reader.problem(INVALID_VALUE, text, hint, key=key)
    return etag


def _declared(value: Any) -> ETag:
    if isinstance(value, bool):
        return value
    if not callable(value):
        raise Mismatch(_EXPECTED)
    try:
        calls.arity(value, 1)
    except (TypeError, ValueError) as error:
        raise Mismatch(f"{_EXPECTED}: {error}") from error
    function: Callable[..., Any] = value
    return function
