"""How a trigger wants its runs delivered: retries, backoff, delay, order, limits, Celery queue."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from motia_django import declarations, keys, payloads
from motia_django.declarations import Mismatch, Reader

logger = logging.getLogger("motia.dispatch")

LONGEST_BACKOFF = timedelta(hours=1)
JITTER = 0.2
_NO_TIME = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How many runs may go on at once: of the trigger, or of each value of a key of its input."""

    limit: int
    key: tuple[str, ...] = ()
    """The path of the key in the input; empty counts all runs of the trigger together."""

    def as_said(self) -> int | dict[str, Any]:
        """Return it as a file says it."""
        return {"limit": self.limit, "key": ".".join(self.key)} if self.key else self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a run has to wait for besides a worker."""

    lane: str | None = None
    """Runs of one lane keep their order, and one goes on at a time."""
    pool: str | None = None
    """Of the runs of one pool, so many go on at a time as `concurrency` allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A trigger's `config`: what each key means for the runs that it starts."""

    max_retries: int = 3
    """Retries after the first try, unless `retry_for` bounds them."""
    retry_for: float | None = None
    """Seconds after the beginning of the first try within which retries begin, however many."""
    backoff_type: str = "exponential"
    """`exponential` doubles the delay with each retry, `fixed` keeps it."""
    backoff_delay_ms: float = 1000
    """Milliseconds before the first retry."""
    delay_seconds: float = 0
    """Seconds between the message and its first try."""
    visibility_timeout: float | None = None
    """Most seconds that one attempt may take; None sets no limit."""
    queue: str | None = None
    """The Celery queue; None leaves it to Celery's routes."""
    priority: int | None = None
    """0 to 9, the highest first; None leaves it to Celery."""
    fifo: bool = False
    """Whether the runs of one message group keep their order, one at a time."""
    concurrency: Concurrency | None = None
    """How many of the trigger's runs may go on at once, over all workers; None sets no limit."""
    index: keys.Index = ()
    """What its runs are found by, besides what those of its Step are."""

    @classmethod
    def read(cls, reader: Reader) -> Delivery:
        """Read the key `config` of a trigger; problems are noted in the reader."""
        raw = reader.take("config", _mapping, default={})
        if not raw:
            return cls()
        inner = reader.nested(reader.spelling("config"), raw)
        values: dict[str, Any] = {
            "max_retries": inner.take("max_retries", declarations.whole_number, default=3),
            "retry_for": inner.take("retry_for", declarations.positive_number, default=None),
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
            "priority": inner.take("priority", _priority, default=None),
            "concurrency": inner.take("concurrency", _concurrency, default=None),
            "index": keys.taken(inner),
        }
        kind = inner.take("type", declarations.one_of("standard", "fifo"), default="standard")
        inner.finish("a trigger's config")
        return cls(fifo=kind == "fifo", **values)

    @classmethod
    def read_answered(cls, reader: Reader) -> Delivery:
        """Read the key `config` of a trigger whose cause waits for the answer: just its index."""
        raw = reader.take("config", _mapping, default={})
        if not raw:
            return ONCE
        inner = reader.nested(reader.spelling("config"), raw)
        index = keys.taken(inner)
        inner.finish("an http trigger's config")
        return replace(ONCE, index=index)

    def as_said(self) -> dict[str, Any]:
        """Return what is not as by default, as a file says it."""
        values = {each.name: (getattr(self, each.name), each.default) for each in fields(self)}
        said: dict[str, Any] = {
            declarations.camel(name): value
            for name, (value, usual) in values.items()
            if value != usual
        }
        if self.index:
            said["index"] = keys.as_said(self.index)
        if said.pop("fifo", False):
            said["type"] = "fifo"
        if self.concurrency is not None:
            said["concurrency"] = self.concurrency.as_said()
        return said

    @property
    def limited(self) -> bool:
        """Whether a run may have to wait its turn."""
        return self.fifo or self.concurrency is not None

    @property
    def limit(self) -> int | None:
        """How many runs of a pool may go on at once."""
        return self.concurrency.limit if self.concurrency else None

    def turn(self, step: str, index: int, group: str, data: Any) -> Turn | None:
        """Return the turn that a run of trigger `index` waits for; None if it waits for none."""
        if not self.limited:
            return None
        return Turn(
            lane=_named("lane", step, index, group) if self.fifo else None,
            pool=self._pool(step, index, data),
        )

    def _pool(self, step: str, index: int, data: Any) -> str | None:
        if self.concurrency is None:
            return None
        if not self.concurrency.key:
            return _named("pool", step, index)
        for part in self.concurrency.key:
            data = data.get(part) if isinstance(data, Mapping) else None
        if data is None:
            key = ".".join(self.concurrency.key)
            _tell(
                f"Step {step!r} counts its runs by {key!r}, and some messages have none: of those"
                f" all together {self.concurrency.limit} may run at once."
            )
        return _named("pool", step, index, *self.concurrency.key, payloads.dumps(data))

    def tell_ungrouped(self, step: str, topic: str) -> None:
        """Tell the log of a message without a group, where it has to have one to be of use."""
        if self.fifo:
            _tell(
                f"Step {step!r} keeps the order of each message group, and messages on {topic!r}"
                " come without a messageGroupId: those are one group, run one at a time."
            )

    def allows(self, attempt: int, tried_for: timedelta = _NO_TIME) -> bool:
        """Return whether another try may follow the failed `attempt` (counted from 1).

        `tried_for` is how long after the beginning of the first one that has failed.
        """
        if self.retry_for is None:
            return attempt <= self.max_retries
        return self.left(tried_for) > _NO_TIME

    def left(self, tried_for: timedelta) -> timedelta:
        """Return how long a run may still be tried: for ever where only the number is bounded."""
        if self.retry_for is None:
            return timedelta.max
        return max(timedelta(seconds=self.retry_for) - tried_for, _NO_TIME)

    def backoff(
        self, attempt: int, jitter: Callable[[float, float], float] = random.uniform
    ) -> timedelta:
        """Return how long to wait after the failed `attempt`: at most an hour, +-20 % of jitter."""
        factor = 2.0 ** min(attempt - 1, 40) if self.backoff_type == "exponential" else 1.0
        seconds = self.backoff_delay_ms / 1000 * factor * jitter(1 - JITTER, 1 + JITTER)
        return min(timedelta(seconds=min(seconds, 1e6)), LONGEST_BACKOFF)


ONCE = Delivery(max_retries=0)
"""For runs whose cause waits for their answer: http requests and invocations."""


@lru_cache(maxsize=1024)
def _tell(text: str) -> None:
    """Tell the log of a slip: once in each process, since the next message is sent alike."""
    logger.warning(text)


def _named(*parts: object) -> str:
    """Return a name for these parts, of 64 characters whatever they are."""
    return hashlib.sha256(payloads.dumps([str(part) for part in parts]).encode()).hexdigest()


def _priority(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 9:
        raise Mismatch("a whole number from 0 to 9 (the highest goes first)")
    return value


def _concurrency(value: Any) -> Concurrency:
    if isinstance(value, Mapping) and "limit" in value and not set(value) - {"limit", "key"}:
        key = value.get("key")
        path = tuple(key.split(".")) if isinstance(key, str) and key.strip() else ()
        if path or key is None:
            return Concurrency(limit=_limit(value["limit"]), key=path)
    return Concurrency(limit=_limit(value))


def _limit(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
        raise Mismatch(
            'a whole number from 1 to 10000, or {"limit": 3, "key": "customerId"} to count the runs'
            " of each value of that key of the input apart"
        )
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Mismatch("a dict")
    return value
