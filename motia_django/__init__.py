"""Motia's Steps for teams that run Django and Celery.

The public words, loaded when they are first asked for, so that this package can be imported before
Django is set up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motia_django.context import AsyncContext as AsyncContext
    from motia_django.context import Context as Context
    from motia_django.exceptions import Dead as Dead
    from motia_django.exceptions import LeaseLost as LeaseLost
    from motia_django.exceptions import MotiaError as MotiaError
    from motia_django.exceptions import Retry as Retry
    from motia_django.exceptions import VersionConflict as VersionConflict
    from motia_django.live.tokens import stream_token as stream_token
    from motia_django.pagination import apaginate as apaginate
    from motia_django.pagination import paginate as paginate
    from motia_django.public import Stream as Stream
    from motia_django.public import aenqueue as aenqueue
    from motia_django.public import ainvoke as ainvoke
    from motia_django.public import enqueue as enqueue
    from motia_django.public import invoke as invoke
    from motia_django.public import logger as logger
    from motia_django.public import state as state
    from motia_django.public import streams as streams
    from motia_django.schemas import Upload as Upload
    from motia_django.steps import step as step
    from motia_django.triggers.cron import cron as cron
    from motia_django.triggers.exchange import Request as Request
    from motia_django.triggers.exchange import Response as Response
    from motia_django.triggers.http import api as api
    from motia_django.triggers.http import http as http
    from motia_django.triggers.queue import event as event
    from motia_django.triggers.queue import queue as queue
    from motia_django.triggers.sse import sse as sse
    from motia_django.triggers.state import StateChange as StateChange
    from motia_django.triggers.state import state_changed as state_changed
    from motia_django.triggers.stream import StreamChange as StreamChange
    from motia_django.triggers.stream import stream as stream

__version__ = "0.1.0"

_HOMES = {
    "AsyncContext": "context",
    "Context": "context",
    "Dead": "exceptions",
    "LeaseLost": "exceptions",
    "MotiaError": "exceptions",
    "Retry": "exceptions",
    "stream_token": "live.tokens",
    "Stream": "public",
    "VersionConflict": "exceptions",
    "aenqueue": "public",
    "ainvoke": "public",
    "apaginate": "pagination",
    "enqueue": "public",
    "invoke": "public",
    "logger": "public",
    "paginate": "pagination",
    "state": "public",
    "streams": "public",
    "step": "steps",
    "cron": "triggers.cron",
    "Request": "triggers.exchange",
    "Response": "triggers.exchange",
    "Upload": "schemas",
    "api": "triggers.http",
    "http": "triggers.http",
    "event": "triggers.queue",
    "queue": "triggers.queue",
    "sse": "triggers.sse",
    "StateChange": "triggers.state",
    "state_changed": "triggers.state",
    "StreamChange": "triggers.stream",
    "stream": "triggers.stream",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
