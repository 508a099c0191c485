"""What all triggers share: a kind, a condition, and how input and output are checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from motia_django import calls
from motia_django.declarations import Mismatch, Reader
from motia_django.delivery import Delivery
from motia_django.exceptions import InvalidResponse
from motia_django.schemas import Schema, schema_for
from motia_django.sources import snake

Condition = Callable[..., Any]

OLD_NAMES = {"api": "http", "event": "queue"}
"""What older versions of Motia called kinds of triggers."""

_WHOLE = frozenset((dict, list, str, bytes, type(None)))
"""What most answers are: asking an abstract class about each costs more than making it."""
_STREAMS = (Iterator, AsyncIterator)


@dataclass(slots=True, kw_only=True)
class TriggerInfo:
    """What started a run, as `ctx.trigger` tells its handler."""

    type: str
    """http, queue, cron, state or stream; for an invoked Step, the one it was invoked as."""
    source: str
    """The topic, `METHOD /path`, cron expression or `group/key` that it was."""
    index: int
    """Which of the Step's triggers it was, counted from 0."""
    scheduled_time: datetime | None = None
    """When a cron tick was due, in UTC."""

    @property
    def topic(self) -> str | None:
        """The topic of a queue trigger."""
        return self.source if self.type == "queue" else None

    @property
    def method(self) -> str | None:
        """The HTTP method of an http trigger."""
        return self.source.partition(" ")[0] if self.type == "http" else None

    @property
    def path(self) -> str | None:
        """The declared path of an http trigger."""
        return self.source.partition(" ")[2] if self.type == "http" else None

    @property
    def expression(self) -> str | None:
        """The expression of a cron trigger."""
        return self.source if self.type == "cron" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(ABC):
    """One entry of a Step's `triggers`."""

    kind: ClassVar[str]

    condition: Condition | None = None
    delivery: Delivery

    @property
    @abstractmethod
    def source(self) -> str:
        """What this trigger listens for, in a few words."""

    def starts_by(self, source: str) -> bool:
        """Return whether it may be what started a run of this source."""
        return source == self.source

    @property
    def schema(self) -> Schema | None:
        """What the data that starts the Step must look like."""
        return None

    def clean_input(self, raw: Any, subject: str) -> Any:
        """Return what the handler is given; raise `InvalidInput`."""
        schema = self.schema
        return raw if schema is None else schema.clean(raw, subject)

    def clean_output(self, value: Any, subject: str, given: Any = None) -> Any:
        """Return what becomes of the result on the input `given`; raise `InvalidResponse`."""
        if is_stream(value):
            text = "what it yields can be sent as the answer to an HTTP request, and only so"
            raise InvalidResponse(f"The result of {subject}", {"": [text]})
        return value

    def answer(
        self, handle: Callable[[Any], Any], given: Any, context: Callable[[bool], Any], subject: str
    ) -> Any:
        """Return the checked result of `handle`, through whatever stands before the handler."""
        return handle(given)

    def is_open(self, answer: Any) -> bool:
        """Return whether the parts of a checked answer are still to be made."""
        return False

    def kept_for(self, data: Any) -> Any:
        """Return what an invocation of the Step by name on `data`, plain JSON, is stored with."""
        return data

    def input_for(self, data: Any) -> Any:
        """Return the raw input that makes the Step run on `data` when it is invoked by name."""
        return data

    def status_of(self, error: Exception) -> int | None:
        """Return the status that an exception answers with; None if it is a failure."""
        return None

    def scheduled_time(self, raw: Any) -> datetime | None:
        """Return when the tick was due that has `raw` as its input."""
        return None


class Spelled:
    """A value whose fields answer to every spelling on record, as attributes and as items.

    `change.old_value`, `change.oldValue` and `change["oldValue"]` are one and the same.
    """

    __slots__ = ()
    aliases: ClassVar[Mapping[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        canonical = self.aliases.get(name) or snake(name)
        if canonical == name or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self, canonical)

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self, key)
        except (AttributeError, TypeError):
            raise KeyError(key) from None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, self) is not self

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field `key`, or `default` if there is no such field."""
        try:
            return self[key]
        except KeyError:
            return default


def is_stream(value: Any) -> bool:
    """Return whether a value comes part by part: from a generator, or another iterator."""
    return type(value) not in _WHOLE and isinstance(value, _STREAMS)


def fits(source: str, first: Sequence[str | None], last: str | None) -> bool:
    """Return whether a place, `group/key`, is among those watched; None is watched as a whole."""
    begins = "".join(f"{name}/" for name in first if name is not None)
    return f"{source}/".startswith(begins) and (last is None or source.endswith(f"/{last}"))


def take_condition(reader: Reader) -> Condition | None:
    """Take the key `condition` of a trigger."""
    return reader.take("condition", _condition, default=None)


def schema(value: Any) -> Schema:
    """Parse a schema in any of its forms."""
    return schema_for(value)


def _condition(value: Any) -> Condition:
    if not callable(value):
        raise Mismatch("a function of (input) or (input, ctx)")
    condition: Condition = value
    try:
        calls.arity(condition, 2)
    except (TypeError, ValueError) as error:
        raise Mismatch(f"a function of (input) or (input, ctx): {error}") from error
    return condition
