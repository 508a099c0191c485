"""OpenTelemetry's own SDK in a test's process, its spans collected in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Collected:
    """The spans that have ended so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def __call__(self, name: str | None = None) -> list[ReadableSpan]:
        """Return them, or those of a name, in the order of their beginnings."""
        spans = [each for each in self._exporter.get_finished_spans() if name in (None, each.name)]
        return sorted(spans, key=lambda each: each.start_time or 0)

    def one(self, name: str) -> ReadableSpan:
        """Return the only one of that name."""
        [found] = self(name)
        return found


@contextmanager
def collecting(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Collected]:
    """Give the process a tracer provider of the SDK for the block."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(**options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with monkeypatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", provider)  # which can be set once in a process
        yield Collected(exporter)
    provider.shutdown()


def trace_of(span: ReadableSpan) -> str:
    """Return a span's trace id, as 32 hex digits."""
    return f"{_context(span).trace_id:032x}"


def id_of(span: ReadableSpan) -> int:
    """Return a span's own id."""
    return _context(span).span_id


def _context(span: ReadableSpan) -> trace.SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


def parent_of(span: ReadableSpan) -> int | None:
    """Return the id of the span that a span is below."""
    return span.parent.span_id if span.parent else None
