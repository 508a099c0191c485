"""Settings of the journeys of observability: real SDKs, what they export written to files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import sentry_sdk
from celery.signals import worker_process_init
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from tests.journeys.settings import *  # noqa: F403
from tests.journeys.settings import INSTALLED_APPS, MOTIA

FOLDER = Path(os.environ["SAMPLE_DATA"])
INSTALLED_APPS = [*INSTALLED_APPS, "tests.journeys.watched"]
MOTIA = {**MOTIA, "METRICS_TOKEN": "only-for-the-journeys"}


class FileTransport(Transport):
    """Writes the events that Sentry would be sent, one in a line."""

    def capture_envelope(self, envelope: Envelope) -> None:
        """Append the envelope's event, if it has one."""
        event = envelope.get_event()
        if event is not None:
            with (FOLDER / "events.jsonl").open("a") as file:
                file.write(json.dumps(event, default=str) + "\n")


if "WITH_SENTRY" in os.environ:
    sentry_sdk.init(dsn="https://key@sentry.invalid/1", transport=FileTransport)


def trace_this_process(**kwargs: Any) -> None:
    """Set OpenTelemetry up, as the documentation shows it."""
    provider = TracerProvider()
    out = (FOLDER / "spans.jsonl").open("a", buffering=1)
    exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\n")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()
    if "CELERY_TOO" in os.environ:
        celery: Any = CeleryInstrumentor
        celery().instrument()


match os.environ.get("WITH_OTEL"):
    case "web":
        trace_this_process()
    case "worker":
        worker_process_init.connect(trace_this_process)
