"""http Steps of a test's own, served at the root."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from django.test import Client, override_settings
from django.urls import clear_url_caches, include, path

from motia_django.registry import registry
from motia_django.web.event_stream import stream_patterns
from motia_django.web.routing import urlpatterns_for
from tests.factories import installed, make_step


@contextmanager
def serving(*steps: Any) -> Iterator[Client]:
    """Serve these Steps at the root; return a client that gets errors as responses."""
    with installed(*steps), served() as client:
        yield client


@contextmanager
def served(prefix: str = "") -> Iterator[Client]:
    """Serve Steps and streams of the process as they are now, at the root or under a prefix."""
    streams = stream_patterns() if registry().streams else []
    with _at(prefix, [*urlpatterns_for(registry().routes()), *streams]) as client:
        yield client


@contextmanager
def serving_streams(*streams: Any) -> Iterator[Client]:
    """Serve these streams at the root, as Server-Sent Events."""
    with installed(streams=streams), _at("", stream_patterns()) as client:
        yield client


@contextmanager
def _at(prefix: str, patterns: Sequence[Any]) -> Iterator[Client]:
    urls = ModuleType("urls_of_this_test")
    urls.urlpatterns = [path(prefix, include((patterns, "motia")))]  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=urls):
        clear_url_caches()
        yield Client(raise_request_exception=False)
    clear_url_caches()


def http(method: str = "GET", path: str = "/x", **keys: Any) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, **keys}


@contextmanager
def answering(handler: Callable[..., Any], *args: Any, **keys: Any) -> Iterator[Client]:
    with serving(make_step(handler, http(*args, **keys))) as client:
        yield client


def post(client: Client, body: Any, path: str = "/x") -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return client.post(path, text, content_type="application/json")
