"""How an http trigger takes a request in: how large it may be, and whether its bytes are kept."""

from __future__ import annotations

from dataclasses import dataclass

from motia_django import declarations
from motia_django.declarations import Mismatch, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Sizes are in bytes; None leaves them to Django, REST framework and the web server."""

    raw_body: bool = False
    """Whether `request.raw_body` has the body as it was sent, for signatures."""
    max_body_size: int | None = None
    max_file_size: int | None = None

    @classmethod
    def read(cls, reader: Reader) -> Intake:
        """Take the keys of a trigger that say so."""
        return cls(
            raw_body=reader.take("raw_body", declarations.boolean, default=False),
            max_body_size=reader.take("max_body_size", _size, default=None),
            max_file_size=reader.take("max_file_size", _size, default=None),
        )


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Mismatch("a number of bytes, from 1")
    return value
