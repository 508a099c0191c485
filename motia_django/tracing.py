"""The trace: all runs that one outside cause led to, and the run that is going on here and now."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from motia_django import telemetry
from motia_django.timeline import Timeline

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-((?!0{16})[0-9a-f]{16}-[0-9a-f]{2})"
    r"((?<!^00.{53})-.*)?"
)


@dataclass(slots=True, kw_only=True)
class Scope:
    """The run going on in this task of execution, as what happens inside it needs to know it."""

    trace_id: str
    run_id: UUID
    step: str
    depth: int
    topics: frozenset[str]
    """The topics that the Step's config says it enqueues to."""
    timeline: Timeline
    span: str | None = None
    """The span that the run was born in, or the nearest one before it (see `Cause.span`)."""
    going_on: Any = None
    """The span of its own, which may last longer than the handler's call."""
    nested: int = 0
    """How many invocations it goes on within, in one process."""
    check_lease: Callable[[], None] = lambda: None
    """Raises `LeaseLost` if the run is no longer this process's."""
    keys: tuple[tuple[str, str], ...] = ()
    """The index keys that its handler has given it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The run that caused something, for whoever tells of it later, in another process maybe."""

    trace_id: str
    run_id: UUID
    depth: int
    span: str | None = None
    """The span of OpenTelemetry that it was caused in, or the nearest one before it that is known,
    as a `traceparent` ends: `00f067aa0ba902b7-01`."""


_scope: ContextVar[Scope | None] = ContextVar("motia_scope", default=None)
_told_of: ContextVar[Cause | None] = ContextVar("motia_told_of", default=None)


def current() -> Scope | None:
    """Return the run going on here, or None outside of any Step."""
    return _scope.get()


def cause() -> Cause | None:
    """Return the run that causes what is done here: the one going on, or the one that is told of.

    None outside of any Step.
    """
    scope = _scope.get()
    if scope is None:
        return _told_of.get()
    return Cause(
        trace_id=scope.trace_id,
        run_id=scope.run_id,
        depth=scope.depth,
        span=telemetry.span_in(scope.trace_id) or scope.span,
    )


def note(kind: str, database: Callable[[], str | None] | None = None, /, **facts: Any) -> None:
    """Add an entry to the timeline of the run going on here; nothing outside of any Step.

    `database` gives the alias of the one whose rollback undoes it, None if none does.
    """
    scope = _scope.get()
    if scope is not None:
        scope.timeline.add(kind, database() if database else None, **facts)


def check_lease() -> None:
    """Raise `LeaseLost` if a run goes on here that was given to another process meanwhile."""
    lease_check()()


def lease_check() -> Callable[[], None]:
    """Return what checks the lease of the run going on here, and of those that it invokes."""
    scope = _scope.get()
    return scope.check_lease if scope is not None else lambda: None


class entered:  # noqa: N801  # to be read as a function: with entered(scope): ...
    """Make a scope the current one for the block, in this thread or asyncio task."""

    __slots__ = ("_scope", "_span", "_token")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._span: AbstractContextManager[Any] | None = None

    def __enter__(self) -> Scope:
        self._token = _scope.set(self._scope)
        if self._scope.going_on is not None:
            self._span = telemetry.within(self._scope.going_on)
            self._span.__enter__()
        return self._scope

    def __exit__(self, *raised: Any) -> None:
        try:
            if self._span is not None:
                self._span.__exit__(*raised)
        finally:
            _scope.reset(self._token)


@contextmanager
def caused_by(cause: Cause | None) -> Iterator[None]:
    """Have what is done in the block caused by a run that does not go on here, or by none."""
    outside, told_of = _scope.set(None), _told_of.set(cause)
    try:
        yield
    finally:
        _told_of.reset(told_of)
        _scope.reset(outside)


def begun(traceparent: str = "") -> tuple[str, str | None]:
    """Return the trace of a run that no other one caused, and the span that it is born in, if any.

    They are those of OpenTelemetry, if a span goes on here; else those of a W3C `traceparent`
    header; else the trace is a new one.
    """
    trace_id = telemetry.trace_id()
    if trace_id is not None:
        return trace_id, telemetry.span_in(trace_id)
    match = _parsed(traceparent) if traceparent else None
    return (match[1], match[2]) if match else (new_trace_id(), None)


def headers(trace_id: str, span: str | None) -> dict[str, str]:
    """Return the W3C headers of what is sent in that trace; none where no span is known."""
    return {"traceparent": f"00-{trace_id}-{span}"} if span else {}


def new_trace_id() -> str:
    """Return a new trace id: 32 lower-case hex digits, as W3C Trace Context has them.

    It begins with the time in milliseconds, so that new ones lie side by side in an index, however
    large; the last 20 digits are random.
    """
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def new_traceparent() -> str:
    """Return a W3C `traceparent` header that begins a trace of its own."""
    return f"00-{new_trace_id()}-{os.urandom(8).hex()}-01"


def trace_id_from(headers: Mapping[str, str]) -> str | None:
    """Return the trace id of a W3C `traceparent` header, or None if there is no valid one.

    https://www.w3.org/TR/trace-context/#traceparent-header
    """
    match = _parsed(headers.get("traceparent", ""))
    return match[1] if match else None


def _parsed(traceparent: str) -> re.Match[str] | None:
    return _TRACEPARENT.fullmatch(traceparent.strip().lower())
