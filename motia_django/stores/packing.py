"""How an item is kept in Redis: `<version> <milliseconds of its expiry, or 0> <JSON>`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from motia_django import moments, payloads
from motia_django.stores.base import MISSING, Item

Raw = bytes | None


def now() -> int:
    """Return the time in milliseconds, as expiries are kept."""
    return time.time_ns() // 1_000_000


def milliseconds(moment: datetime | None) -> int:
    """Return an expiry as it is kept."""
    return 0 if moment is None else max(1, int(moment.timestamp() * 1000))


def text_of(raw: Raw) -> bytes | None:
    """Return the JSON of what is kept, or None if there is nothing or it has expired."""
    if raw is None:
        return None
    _, expires, text = raw.split(b" ", 2)
    return text if expires == b"0" or int(expires) > now() else None


def texts_of(raws: Iterable[Raw]) -> list[bytes]:
    """Return the JSON of all that is there and has not expired."""
    moment, texts = now(), []
    for raw in raws:
        if raw is not None:
            _, expires, text = raw.split(b" ", 2)
            if expires == b"0" or int(expires) > moment:
                texts.append(text)
    return texts


def value_of(raw: Raw) -> Any:
    """Return the value of what is there, or `MISSING`."""
    text = text_of(raw)
    return MISSING if text is None else payloads.loads(text.decode())


def version_within(raw: bytes) -> int:
    """Return the version of what is kept, though it may have expired."""
    return int(raw.split(b" ", 1)[0])


def value_within(raw: bytes) -> Any:
    """Return the value of what is kept, though it may have expired."""
    return payloads.loads(raw.split(b" ", 2)[2].decode())


def values_of(texts: Iterable[bytes]) -> list[Any]:
    """Return the values of many JSON texts, read at once since that is quicker."""
    values: list[Any] = payloads.loads(f"[{b','.join(texts).decode()}]")
    return values


def version_of(raw: Raw) -> int:
    """Return the version of what is there, or 0."""
    return 0 if raw is None or text_of(raw) is None else version_within(raw)


def item_of(key: str, raw: Raw) -> Item | None:
    """Return the item that is there, or None."""
    text = text_of(raw)
    if raw is None or text is None:
        return None
    version, expires, _ = raw.split(b" ", 2)
    value = payloads.loads(text.decode())
    return Item(key=key, value=value, version=int(version), expires_at=_moment(int(expires)))


def _moment(expires: int) -> datetime | None:
    if not expires:
        return None
    return moments.as_kept(datetime.fromtimestamp(expires / 1000, UTC))
