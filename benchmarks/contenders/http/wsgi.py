"""The application of the benchmark of http, for gunicorn."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.contenders.http.settings"
application = get_wsgi_application()
