"""The application of the tutorial's benchmark."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from benchmarks.contenders.tutorial.celery import app as celery_app

__all__ = ["application", "celery_app"]

application = get_wsgi_application()
