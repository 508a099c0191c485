"""What `include("motia_django.urls")` adds: the API of the http Steps, streams, and metrics.

Each Step can be reversed by its name, with dots for colons: `reverse("motia:CreateTodo")`.
"""

from __future__ import annotations

from motia_django.metrics.view import metrics_pattern
from motia_django.registry import registry
from motia_django.web.routing import urlpatterns_for

app_name = "motia"
urlpatterns = [*urlpatterns_for(registry().routes()), metrics_pattern()]

if registry().streams:  # else nobody needs what serves their followers
    from motia_django.web.event_stream import stream_patterns

    urlpatterns += stream_patterns()
