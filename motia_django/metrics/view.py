"""The door for Prometheus: `motia/metrics`, shut until the setting `METRICS_TOKEN` opens it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from motia_django.conf import settings


def metrics_pattern() -> URLPattern:
    """Return the URL pattern of the door."""
    return path("motia/metrics", metrics, name="metrics")


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer all metrics to whoever has the token, in the format that the client prefers.

    Without a token in the settings there is no such page.
    """
    token = settings().metrics_token
    if token is None:
        raise Http404
    if not _is_shown(token, request.headers.get("Authorization", "")):
        return HttpResponse(
            "A bearer token is needed.\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    return _answer(request)


def _is_shown(token: str, header: str) -> bool:
    scheme, _, given = header.partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(given.strip(), token)


def _answer(request: HttpRequest) -> HttpResponse:
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    from motia_django.metrics.collector import MotiaCollector

    registry = CollectorRegistry()
    registry.register(MotiaCollector())
    try:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    except (TypeError, ValueError):  # versions that are no numbers, and the like
        encode, content_type = choose_encoder("")
    return HttpResponse(encode(registry), content_type=content_type)
