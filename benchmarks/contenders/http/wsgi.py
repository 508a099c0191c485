"""The application of the benchmark of http, for gunicorn: ours for Steps, Django's for others."""

from __future__ import annotations

import os

from django.core import wsgi as djangos

from motia_django import wsgi as ours

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.contenders.http.settings"
of_steps = os.environ["BENCHMARK_CONTENDER"] == "steps"
application = (ours if of_steps else djangos).get_wsgi_application()
