"""How a trigger wants its runs delivered: retries, backoff, delay, lease, Celery queue."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from motia_django import declarations
from motia_django.declarations import Reader

LONGEST_BACKOFF = timedelta(hours=1)
JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A trigger's `config`: what each key means for the runs that it starts."""

    max_retries: int = 3
    """Retries after the first try."""
    backoff_type: str = "exponential"
    """`exponential` doubles the delay with each retry, `fixed` keeps it."""
    backoff_delay_ms: float = 1000
    """Milliseconds before the first retry."""
    delay_seconds: float = 0
    """Seconds between the message and its first try."""
    visibility_timeout: float | None = None
    """Seconds of lease for one attempt; None takes the setting `LEASE`."""
    queue: str | None = None
    """The Celery queue; None leaves it to Celery's routes."""

    @classmethod
    def read(cls, reader: Reader) -> Delivery:
        """Read the key `config` of a trigger; problems are noted in the reader."""
        raw = reader.take("config", _mapping, default={})
        if not raw:
            return cls()
        inner = reader.nested(reader.spelling("config"), raw)
        values: dict[str, Any] = {
            "max_retries": inner.take("max_retries", declarations.whole_number, default=3),
            "backoff_type": inner.take(
                "backoff_type",
                declarations.one_of("exponential", "fixed"),
                default="exponential",
            ),
            "backoff_delay_ms": inner.take("backoff_delay_ms", declarations.number, default=1000.0),
            "delay_seconds": inner.take("delay_seconds", declarations.number, default=0.0),
            "visibility_timeout": inner.take(
                "visibility_timeout", declarations.positive_number, default=None
            ),
            "queue": inner.take("queue", declarations.text, default=None),
        }
        inner.take("type", declarations.one_of("standard"), default="standard")
        inner.finish("a trigger's config")
        return cls(**values)

    def allows(self, attempt: int) -> bool:
        """Return whether another try may follow the failed `attempt` (counted from 1)."""
        return attempt <= self.max_retries

    def backoff(
        self, attempt: int, jitter: Callable[[float, float], float] = random.uniform
    ) -> timedelta:
        """Return how long to wait after the failed `attempt`: at most an hour, +-20 % of jitter."""
        factor = 2.0 ** min(attempt - 1, 40) if self.backoff_type == "exponential" else 1.0
        seconds = self.backoff_delay_ms / 1000 * factor * jitter(1 - JITTER, 1 + JITTER)
        return min(timedelta(seconds=min(seconds, 1e6)), LONGEST_BACKOFF)


ONCE = Delivery(max_retries=0)
"""For runs whose cause waits for their answer: http requests and invocations."""


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise declarations.Mismatch("a dict")
    return value
