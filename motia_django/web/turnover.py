"""What Django does before and after each request, which its two signals have done, in one go.

Five functions listen to them, and each asks anew which connections its thread has: for a short
request that is a good part of its time.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.core.cache import caches, close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections, reset_queries
from django.dispatch import Signal
from django.urls import set_urlconf

from motia_django.sources import is_own

_BEFORE = [id(each) for each in (reset_queries, close_old_connections)]
_AFTER = [id(each) for each in (close_old_connections, close_caches, reset_urlconf)]


def begin(handler: type, **about: Any) -> None:
    """Begin a request: as `request_started` has it, which is sent if anybody else listens."""
    if not _is_djangos_alone(request_started, _BEFORE):
        request_started.send(sender=handler, **about)
        return
    for connection in connections.all(initialized_only=True):
        connection.queries_log.clear()
        connection.close_if_unusable_or_obsolete()


def close(response: Any) -> None:
    """Close a response: as `request_finished` has it, which is sent if anybody else listens."""
    if not (is_own(response.close, "django") and _is_djangos_alone(request_finished, _AFTER)):
        response.close()
        return
    for let_go in response._resource_closers:
        with suppress(Exception):
            let_go()
    response._resource_closers.clear()
    response.closed = True
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
    caches.close_all()
    set_urlconf(None)


def _is_djangos_alone(signal: Signal, known: list[int]) -> bool:
    return [each[0][0] for each in signal.receivers] == known
