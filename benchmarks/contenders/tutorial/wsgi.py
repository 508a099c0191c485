"""The application of the tutorial's benchmark."""

from __future__ import annotations

from benchmarks.contenders.tutorial.celery import app as celery_app
from motia_django.wsgi import get_wsgi_application

__all__ = ["application", "celery_app"]

application = get_wsgi_application()
