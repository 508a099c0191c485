"""The application of the benchmark of http, for uvicorn."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.contenders.http.settings"
application = get_asgi_application()
