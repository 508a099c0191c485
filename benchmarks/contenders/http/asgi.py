"""The application of the benchmark of http, for uvicorn: ours for Steps, Django's for others."""

from __future__ import annotations

import os

from django.core import asgi as djangos

from motia_django import asgi as ours

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.contenders.http.settings"
of_steps = os.environ["BENCHMARK_CONTENDER"] == "steps"
application = (ours if of_steps else djangos).get_asgi_application()
