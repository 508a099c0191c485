"""OpenTelemetry, where a process has it: spans, each in the trace of what it tells of.

Whoever sets up an SDK imports `opentelemetry.trace` for it. Until somebody has, nothing is imported
here either, and a span costs a look into a dict.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext, Tracer

Attributes = Mapping[str, str | bool | int | float | Sequence[str]]
C = TypeVar("C", bound=type)

NAME = "motia_django"
"""The instrumentation scope of our spans."""
_LONGEST_FACT = 255
_NOTHING: AbstractContextManager[None] = nullcontext()


def is_on() -> bool:
    """Return whether this process has OpenTelemetry, with a tracer provider that was set up."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return False
    # As long as nobody has set one, the API looks into the environment each time that it is asked.
    if getattr(trace, "_TRACER_PROVIDER", trace) is None and not _may_be_set_by_name():
        return False
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@cache
def _may_be_set_by_name() -> bool:
    """Return whether the environment names a provider, which the API loads when it is asked."""
    return "OTEL_PYTHON_TRACER_PROVIDER" in os.environ


def trace_id() -> str | None:
    """Return the trace of the span going on here, as 32 hex digits; None if there is none."""
    here = _here()
    return f"{here.trace_id:032x}" if here else None


def span_in(trace_id: str) -> str | None:
    """Return the span going on here as a `traceparent` ends, if it belongs to that trace.

    These are 16 hex digits, a dash, and the flags in 2, such as `00f067aa0ba902b7-01`.
    """
    here = _here()
    if here is None or here.trace_id != int(trace_id, 16):
        return None
    return f"{here.span_id:016x}-{here.trace_flags:02x}"


def span(
    name: str, attributes: Attributes | None = None, *, kind: str = "INTERNAL"
) -> AbstractContextManager[Span | None]:
    """Open a span below the one going on here for the block, which is given it, or None if off.

    What the block raises is recorded. `kind` is the name of one of OpenTelemetry's `SpanKind`.
    """
    return _opened(name, attributes, kind) if is_on() else _NOTHING


def span_of(
    trace_id: str, parent: str | None, name: str, attributes: Attributes, *, kind: str
) -> AbstractContextManager[Span | None]:
    """Open a span in that trace: below the one going on here if it is of the trace, else `parent`.

    Without a parent it is a root. A span going on here that is of another trace is linked to.
    Whoever opens it ends it: it may last longer than the block.
    """
    if not is_on():
        return _NOTHING
    return _opened(name, attributes, kind, trace_id=trace_id, parent=parent)


def going_on() -> Span | None:
    """Return the span going on here, to go on with it `within` another place."""
    if not is_on() or _here() is None:
        return None
    from opentelemetry import trace

    return trace.get_current_span()


def within(span: Span | None) -> AbstractContextManager[Any]:
    """Make a span that has not ended the one that goes on here, for the block."""
    if span is None or span is going_on():
        return _NOTHING
    from opentelemetry import trace

    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


def continued(trace_id: str, parent: str | None) -> AbstractContextManager[None]:
    """Make what others begin in the block, such as Celery's instrumentation, part of the trace."""
    return _attached(trace_id, parent) if parent and is_on() else _NOTHING


def traced(kind: str, places: Sequence[str]) -> Callable[[C], C]:
    """Give each call of a class's methods that have an async twin a span, such as `state get`.

    The first arguments of each are `places`, such as a group and a key, and told as attributes.
    """

    def decorate(cls: C) -> C:
        for name in [each for each in vars(cls) if f"a{each}" in vars(cls)]:
            setattr(cls, name, _spanned(f"{kind} {name}", kind, places, getattr(cls, name)))
        return cls

    return decorate


def _spanned(
    title: str, kind: str, places: Sequence[str], method: Callable[..., Any]
) -> Callable[..., Any]:
    @wraps(method)
    def spanned(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_on():
            return method(self, *args, **kwargs)
        given = {**dict(zip(places, args, strict=False)), **kwargs}
        told = {"name": getattr(self, "name", None), **{each: given.get(each) for each in places}}
        facts = {
            f"motia.{kind}.{each}": value[:_LONGEST_FACT]
            for each, value in told.items()
            if isinstance(value, str)
        }
        with span(title, facts):
            return method(self, *args, **kwargs)

    return spanned


@contextmanager
def _opened(
    name: str,
    attributes: Attributes | None,
    kind: str,
    *,
    trace_id: str | None = None,
    parent: str | None = None,
) -> Iterator[Span]:
    from opentelemetry import trace

    tracer, context, links = trace.get_tracer(NAME), None, []
    here = _here()
    if trace_id is not None and (here is None or here.trace_id != int(trace_id, 16)):
        context = _context_of(trace_id, parent)
        links = [trace.Link(here)] if here else []
        tracer = tracer if parent else _rooted(tracer, trace_id)
    with tracer.start_as_current_span(
        name, context, trace.SpanKind[kind], attributes, links, end_on_exit=trace_id is None
    ) as opened:
        yield opened


@contextmanager
def _attached(trace_id: str, parent: str) -> Iterator[None]:
    from opentelemetry import context

    token = context.attach(_context_of(trace_id, parent))
    try:
        yield
    finally:
        context.detach(token)


def _here() -> SpanContext | None:
    """Return the span going on here, recorded or not."""
    if not is_on():
        return None
    from opentelemetry import trace

    found = trace.get_current_span().get_span_context()
    return found if found.is_valid else None


def _context_of(trace_id: str, parent: str | None) -> Context:
    """Return what goes on here with another span in it: the parent, in another process maybe."""
    from opentelemetry import trace

    if parent is None:
        return trace.set_span_in_context(trace.INVALID_SPAN)
    span_id, _, flags = parent.partition("-")
    known = trace.SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(flags, 16)),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(known))


def _rooted(tracer: Tracer, trace_id: str) -> Tracer:
    """Return the tracer as one whose roots have this trace id, which the API has no word for.

    That of OpenTelemetry's own SDK can be told so. With another one the root is in a trace of its
    own, and only its attribute `motia.trace_id` tells.
    """
    if not hasattr(tracer, "id_generator"):
        return tracer
    rooted: Any = copy.copy(tracer)
    rooted.id_generator = _Given(rooted.id_generator, int(trace_id, 16))
    return rooted  # type: ignore[no-any-return]


class _Given:
    """An SDK's `IdGenerator` for one trace."""

    def __init__(self, other: Any, trace_id: int) -> None:
        self._other = other
        self._trace_id = trace_id

    def generate_trace_id(self) -> int:
        return self._trace_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)
