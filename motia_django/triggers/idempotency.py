"""What an http trigger promises of requests that come twice with one key, by a header.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from motia_django import declarations
from motia_django.declarations import INVALID_VALUE, Mismatch, Reader

_HEADER = re.compile("[A-Za-z0-9-]{1,100}")
_REPEATABLE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """The key `idempotency` of an http trigger: True, or a dict of these."""

    header: str = "Idempotency-Key"
    """The header that has the key."""
    required: bool = False
    """Whether a request without a key is refused."""
    ttl: float = 86_400
    """Seconds for which an answer is kept."""
    lease: float = 60
    """Seconds after which a request whose process is gone no longer holds its key."""
    scope: str = ""
    """What keys are kept under, in the place of the Step's name and path; empty for these."""

    @classmethod
    def read(cls, reader: Reader, method: str) -> Idempotency | None:
        """Read the key; problems are noted in the reader."""
        raw = reader.take("idempotency", _declared, default=None)
        if raw is None:
            return None
        key = reader.spelling("idempotency")
        if method in _REPEATABLE:
            text = f"config.{key}: a {method} request is repeatable by itself, and has no such key"
            reader.problem(INVALID_VALUE, text, key=key)
        inner = reader.nested(key, raw)
        read = cls(
            header=inner.take("header", _header, default=cls().header),
            required=inner.take("required", declarations.boolean, default=cls().required),
            ttl=inner.take("ttl", declarations.positive_number, default=cls().ttl),
            lease=inner.take("lease", declarations.positive_number, default=cls().lease),
            scope=inner.take("scope", declarations.name_up_to(1000), default=cls().scope),
        )
        inner.finish("idempotency")
        return read


def own_scope(step: str, path: str) -> str:
    """Return the scope of a Step that names none."""
    return f"{step} {path}"


def parts_of(scope: str) -> tuple[str, str]:
    """Return the name in a scope, and the path: empty, if it is a name alone."""
    name, slash, rest = scope.partition(" /")
    return name, slash.strip() + rest


def _header(value: Any) -> str:
    if not isinstance(value, str) or not _HEADER.fullmatch(value):
        raise Mismatch('the name of a header, such as "X-GitHub-Delivery"')
    return value


def _declared(value: Any) -> Mapping[str, Any] | None:
    if value is False:
        return None
    if value is True:
        return {}
    if not isinstance(value, dict):
        raise Mismatch('True, or a dict such as {"required": True, "ttl": 86400}')
    return value
