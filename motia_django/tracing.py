"""The trace: all runs that one outside cause led to, and the run that is going on here and now."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from motia_django.timeline import Timeline

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}((?<!^00.{53})-.*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The run going on in this task of execution, as what happens inside it needs to know it."""

    trace_id: str
    run_id: UUID
    step: str
    depth: int
    attempt: int
    topics: frozenset[str]
    """The topics that the Step's config says it enqueues to."""
    timeline: Timeline
    check_lease: Callable[[], None] = lambda: None
    """Raises `LeaseLost` if the run is no longer this process's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The run that caused something, for whoever tells of it later, in another process maybe."""

    trace_id: str
    run_id: UUID
    depth: int


_scope: ContextVar[Scope | None] = ContextVar("motia_scope", default=None)


def current() -> Scope | None:
    """Return the run going on here, or None outside of any Step."""
    return _scope.get()


def cause() -> Cause | None:
    """Return the run going on here as the cause of what it does, or None outside of any Step."""
    scope = _scope.get()
    if scope is None:
        return None
    return Cause(trace_id=scope.trace_id, run_id=scope.run_id, depth=scope.depth)


def note(kind: str, **facts: Any) -> None:
    """Add an entry to the timeline of the run going on here; nothing outside of any Step."""
    scope = _scope.get()
    if scope is not None:
        scope.timeline.add(kind, **facts)


def check_lease() -> None:
    """Raise `LeaseLost` if a run goes on here that was given to another process meanwhile."""
    check_lease_of(_scope.get())()


def check_lease_of(scope: Scope | None) -> Callable[[], None]:
    """Return what checks the lease of a run, or of the run that invoked it."""
    return scope.check_lease if scope is not None else lambda: None


@contextmanager
def entered(scope: Scope) -> Iterator[Scope]:
    """Make `scope` the current one for the block, in this thread or asyncio task."""
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)


def new_trace_id() -> str:
    """Return a new trace id: 32 lower-case hex digits, as W3C Trace Context has them."""
    return secrets.token_hex(16)


def new_traceparent() -> str:
    """Return a W3C `traceparent` header that begins a trace of its own."""
    return f"00-{new_trace_id()}-{secrets.token_hex(8)}-01"


def trace_id_from(headers: Mapping[str, str]) -> str | None:
    """Return the trace id of a W3C `traceparent` header, or None if there is no valid one.

    https://www.w3.org/TR/trace-context/#traceparent-header
    """
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip().lower())
    return match[1] if match else None
